#include "dataplane/wire/rtcp_packet.h"

namespace linegate::wire {
namespace {

constexpr size_t kSenderInfoBytes = 28;  // header, SSRC and sender info of an SR
constexpr size_t kFeedbackHeaderBytes = 12;
constexpr uint32_t kRembIdentifier = 0x52454d42;  // "REMB"

bool IsRtcpType(uint8_t type) { return type >= 192 && type <= 223; }  // RFC 5761 section 4

/// Bytes of one SDES chunk from `body` (SSRC, items, null octets up to a 32-bit boundary); 0 if it does not
/// fit. RFC 3550 section 6.5.
size_t SdesChunkBytes(ByteView body) {
  size_t offset = 4;
  while (offset < body.size()) {
    if (body[offset] == 0) return (offset + 4) & ~size_t{3};
    if (body.size() - offset < 2) return 0;
    offset += 2 + size_t{body[offset + 1]};
  }
  return 0;
}

bool SdesFits(ByteView body, size_t chunks) {
  for (; chunks > 0; --chunks) {
    const size_t bytes = SdesChunkBytes(body);
    if (bytes == 0 || bytes > body.size()) return false;
    body = body.subspan(bytes);
  }
  return true;
}

/// Bytes of each FCI entry that begins with an SSRC; 0 if this feedback has none.
size_t FciEntryBytes(uint8_t type, uint8_t format) {
  if (type == rtcp_type::kTransportFeedback) return format == 3 || format == 4 ? 8 : 0;  // TMMBR, TMMBN
  return format >= 4 && format <= 6 ? 8 : 0;  // FIR, TSTR, TSTN (RFC 5104 sections 4.3.1 to 4.3.3)
}

constexpr uint8_t kFormatVbcm = 7;  // RFC 5104 section 4.3.4: one variable-length entry is looked at
constexpr uint8_t kFormatApplicationLayer = 15;

/// True if `packet` (unpadded) holds all items that its header announces.
bool ItemsFit(ByteView packet, uint8_t type, size_t count) {
  switch (type) {
    case rtcp_type::kSenderReport:
      return packet.size() >= kSenderInfoBytes + kRtcpReportBlockBytes * count;
    case rtcp_type::kReceiverReport:
      return packet.size() >= 8 + kRtcpReportBlockBytes * count;
    case rtcp_type::kSourceDescription:
      return SdesFits(packet.subspan(4), count);
    case rtcp_type::kBye: {
      const size_t listed = 4 + 4 * count;
      if (packet.size() < listed) return false;
      return packet.size() == listed ||
             packet.size() - listed > packet[listed];  // optional reason with its length
    }
    case rtcp_type::kApplication:
      return packet.size() >= 12;
    case rtcp_type::kTransportFeedback:
    case rtcp_type::kPayloadFeedback:
      return packet.size() >= kFeedbackHeaderBytes;
    default:
      return packet.size() >= 8;
  }
}

struct Visitor {
  SsrcVisitor visit;
  void* context;
  void Sender(uint8_t* field) const { visit(context, field, SsrcRole::kSender); }
  void Media(uint8_t* field) const { visit(context, field, SsrcRole::kMedia); }
};

void VisitReportBlocks(MutableByteView blocks, size_t count, const Visitor& visitor) {
  for (size_t i = 0; i < count; ++i) visitor.Media(blocks.data() + kRtcpReportBlockBytes * i);
}

void VisitSdes(MutableByteView body, size_t chunks, const Visitor& visitor) {
  for (; chunks > 0; --chunks) {
    visitor.Sender(body.data());
    body = body.subspan(SdesChunkBytes(body));
  }
}

void VisitFeedback(MutableByteView packet, uint8_t type, uint8_t format, const Visitor& visitor) {
  visitor.Sender(packet.data() + 4);
  visitor.Media(packet.data() + 8);
  const MutableByteView fci = packet.subspan(kFeedbackHeaderBytes);
  if (const size_t entry_bytes = FciEntryBytes(type, format); entry_bytes != 0) {
    for (size_t offset = 0; offset + entry_bytes <= fci.size(); offset += entry_bytes)
      visitor.Media(fci.data() + offset);
  } else if (type == rtcp_type::kPayloadFeedback && format == kFormatVbcm && fci.size() >= 8) {
    visitor.Media(fci.data());
  } else if (type == rtcp_type::kPayloadFeedback && format == kFormatApplicationLayer && fci.size() >= 8 &&
             LoadBe32(fci.data()) == kRembIdentifier) {
    // draft-alvestrand-rmcat-remb-03 section 2.2: identifier, count and bit rate, then SSRCs
    for (size_t i = 0; i < fci[4] && 8 + 4 * i + 4 <= fci.size(); ++i) visitor.Media(fci.data() + 8 + 4 * i);
  }
}

/// RFC 3611 section 4: blocks of type, specific, length in words minus one.
void VisitExtendedReport(MutableByteView packet, const Visitor& visitor) {
  visitor.Sender(packet.data() + 4);
  size_t offset = 8;
  while (packet.size() - offset >= 4) {
    uint8_t* block = packet.data() + offset;
    const size_t block_bytes = 4 * (size_t{LoadBe16(block + 2)} + 1);
    if (block_bytes > packet.size() - offset) return;
    constexpr uint8_t kReceiverReferenceTime = 4;
    constexpr uint8_t kDlrr = 5;
    if (block[0] == kDlrr) {
      for (size_t sub = 4; sub + 12 <= block_bytes; sub += 12) visitor.Media(block + sub);
    } else if (block[0] != kReceiverReferenceTime && block_bytes >= 8) {
      visitor.Media(block + 4);  // every other registered block begins with the SSRC of its source
    }
    offset += block_bytes;
  }
}

void VisitPacket(MutableByteView packet, uint8_t type, uint8_t count, const Visitor& visitor) {
  switch (type) {
    case rtcp_type::kSenderReport:
      visitor.Sender(packet.data() + 4);
      VisitReportBlocks(packet.subspan(kSenderInfoBytes), count, visitor);
      break;
    case rtcp_type::kReceiverReport:
      visitor.Sender(packet.data() + 4);
      VisitReportBlocks(packet.subspan(8), count, visitor);
      break;
    case rtcp_type::kSourceDescription:
      VisitSdes(packet.subspan(4), count, visitor);
      break;
    case rtcp_type::kBye:
      for (size_t i = 0; i < count; ++i) visitor.Sender(packet.data() + 4 + 4 * i);
      break;
    case rtcp_type::kApplication:
      visitor.Sender(packet.data() + 4);
      break;
    case rtcp_type::kTransportFeedback:
    case rtcp_type::kPayloadFeedback:
      VisitFeedback(packet, type, count, visitor);
      break;
    case rtcp_type::kExtendedReport:
      VisitExtendedReport(packet, visitor);
      break;
    default:
      break;
  }
}

size_t PacketBytes(const uint8_t* header) { return 4 * (size_t{LoadBe16(header + 2)} + 1); }

}  // namespace

std::optional<RtcpPrefix> RtcpPrefix::Parse(ByteView packet) {
  if (packet.size() < kRtcpMinPacketBytes || (packet[0] >> 6) != 2 || !IsRtcpType(packet[1]))
    return std::nullopt;
  return RtcpPrefix{packet[1], LoadBe32(packet.data() + 4)};
}

// RFC 3550 appendix A.2; RFC 5506 section 4.1 lifts the rule for the first packet.
Result<RtcpCompoundView, RtcpError> RtcpCompoundView::Parse(ByteView compound, RtcpForm form) {
  if (compound.size() < kRtcpMinPacketBytes) return MakeUnexpected(RtcpError::kTruncated);
  const bool begins_with_report =
      compound[1] == rtcp_type::kSenderReport || compound[1] == rtcp_type::kReceiverReport;
  for (size_t offset = 0; offset < compound.size();) {
    const ByteView rest = compound.subspan(offset);
    if (rest.size() < 4) return MakeUnexpected(RtcpError::kTruncated);
    if ((rest[0] >> 6) != 2 || !IsRtcpType(rest[1])) return MakeUnexpected(RtcpError::kBadVersion);
    const size_t packet_bytes = PacketBytes(rest.data());
    if (packet_bytes > rest.size()) return MakeUnexpected(RtcpError::kTruncated);
    ByteView packet = rest.first(packet_bytes);
    if ((packet[0] & 0x20) != 0) {
      const uint8_t padding_bytes = packet.back();
      const bool last = packet_bytes == rest.size();
      if (!last || padding_bytes == 0 || padding_bytes % 4 != 0 || padding_bytes > packet_bytes - 4) {
        return MakeUnexpected(RtcpError::kBadPadding);
      }
      packet = packet.first(packet_bytes - padding_bytes);
    }
    if (!ItemsFit(packet, packet[1], packet[0] & 0x1f)) return MakeUnexpected(RtcpError::kBadPacket);
    offset += packet_bytes;
  }
  if (form == RtcpForm::kCompound && !begins_with_report) return MakeUnexpected(RtcpError::kNotCompound);
  return RtcpCompoundView(compound);
}

RtcpPacketView RtcpCompoundView::PacketAt(size_t offset) const {
  const uint8_t* header = compound_.data() + offset;
  return {compound_.subspan(offset, PacketBytes(header)), uint8_t(header[0] & 0x1f), header[1]};
}

void VisitRtcpSsrcs(MutableByteView compound, SsrcVisitor visit, void* context) {
  const Visitor visitor{visit, context};
  for (size_t offset = 0; offset < compound.size();) {
    const size_t packet_bytes = PacketBytes(compound.data() + offset);
    MutableByteView packet = compound.subspan(offset, packet_bytes);
    if ((packet[0] & 0x20) != 0) packet = packet.first(packet_bytes - packet.back());
    VisitPacket(packet, packet[1], packet[0] & 0x1f, visitor);
    offset += packet_bytes;
  }
}

}  // namespace linegate::wire
