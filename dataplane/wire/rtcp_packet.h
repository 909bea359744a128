#pragma once
#include <cstdint>
#include <optional>
#include <type_traits>

#include "dataplane/base/byte_view.h"
#include "dataplane/base/result.h"

namespace linegate::wire {

enum class RtcpError : uint8_t {
  kTruncated,  ///< shorter than 8 bytes, or the lengths do not add up to the datagram (RFC 3550 appendix A.2)
  kBadVersion,   ///< one packet is not version 2, or its type is not an RTCP one (192 to 223)
  kBadPadding,   ///< padding in a packet that is not the last, or a count that does not fit
  kNotCompound,  ///< does not begin with SR or RR although the compound form is required
  kBadPacket,    ///< a packet is shorter than the items that its own header announces
};

/// RFC 5506: reduced-size RTCP (any packet type first) where the session negotiated `a=rtcp-rsize`.
enum class RtcpForm : uint8_t { kCompound, kReducedSize };

namespace rtcp_type {
inline constexpr uint8_t kSenderReport = 200;
inline constexpr uint8_t kReceiverReport = 201;
inline constexpr uint8_t kSourceDescription = 202;
inline constexpr uint8_t kBye = 203;
inline constexpr uint8_t kApplication = 204;
inline constexpr uint8_t kTransportFeedback = 205;  // RFC 4585 section 6.1
inline constexpr uint8_t kPayloadFeedback = 206;
inline constexpr uint8_t kExtendedReport = 207;  // RFC 3611
}  // namespace rtcp_type

inline constexpr size_t kRtcpMinPacketBytes = 8;
inline constexpr size_t kRtcpReportBlockBytes = 24;

/// One packet of a compound.
struct RtcpPacketView {
  ByteView bytes;     ///< header and body, padding included
  uint8_t count = 0;  ///< RC, SC or FMT
  uint8_t type = 0;
};

/// The clear part of an RTCP or SRTCP packet (RFC 3711 section 3.4: the first 8 bytes are never encrypted).
struct RtcpPrefix {
  uint8_t type = 0;
  uint32_t sender_ssrc = 0;
  /// nullopt: shorter than 8 bytes, not version 2 or not an RTCP packet type.
  static std::optional<RtcpPrefix> Parse(ByteView packet);
};

/// A plain compound (or reduced-size) RTCP packet, every inner length checked. Valid as long as its bytes
/// are.
class RtcpCompoundView {
 public:
  static Result<RtcpCompoundView, RtcpError> Parse(ByteView compound, RtcpForm form);

  uint32_t sender_ssrc() const { return LoadBe32(compound_.data() + 4); }
  ByteView bytes() const { return compound_; }
  /// Calls `visit(RtcpPacketView)` for each packet in order.
  template <typename Visit>
  void ForEachPacket(Visit&& visit) const {
    size_t offset = 0;
    while (offset < compound_.size()) {
      const RtcpPacketView packet = PacketAt(offset);
      visit(packet);
      offset += packet.bytes.size();
    }
  }

 private:
  explicit RtcpCompoundView(ByteView compound) : compound_(compound) {}
  RtcpPacketView PacketAt(size_t offset) const;
  ByteView compound_;
};

/// What an SSRC field says.
enum class SsrcRole : uint8_t {
  kSender,  ///< who sent the packet, or whom an SDES chunk or a BYE is about: a stream of the packet's sender
  kMedia,   ///< the stream a report block, feedback message or FCI entry is about: a stream of the receiver
};

/// Calls `visit(uint8_t* field, SsrcRole role)` for every 4-byte SSRC field (network order,
/// LoadBe32/StoreBe32) in SR, RR, SDES, BYE, APP, RTPFB, PSFB and XR packets, including the FCI of FIR,
/// TMMBR, TMMBN, TSTR, TSTN, VBCM (RFC 5104) and REMB. A field that is zero (a feedback message without media
/// source) is visited too. Pre: RtcpCompoundView::Parse accepted `compound`.
using SsrcVisitor = void (*)(void* context, uint8_t* field, SsrcRole role);
void VisitRtcpSsrcs(MutableByteView compound, SsrcVisitor visit, void* context);

template <typename Visit>
void ForEachRtcpSsrc(MutableByteView compound, Visit&& visit) {
  VisitRtcpSsrcs(
      compound,
      [](void* context, uint8_t* field, SsrcRole role) {
        (*static_cast<std::remove_reference_t<Visit>*>(context))(field, role);
      },
      &visit);
}

}  // namespace linegate::wire
