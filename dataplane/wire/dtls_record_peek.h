#pragma once
#include <cstdint>
#include <optional>

#include "dataplane/base/byte_view.h"

namespace linegate::wire {

/// The first record header of a DTLS 1.0/1.2 datagram (RFC 6347 section 4.1), enough to decide whether to
/// punt it. Nothing of it is authenticated.
struct DtlsRecordPeek {
  enum class ContentType : uint8_t {
    kChangeCipherSpec = 20,
    kAlert = 21,
    kHandshake = 22,
    kApplicationData = 23
  };
  static constexpr size_t kHeaderBytes = 13;
  static constexpr uint8_t kClientHello = 1;

  ContentType type = ContentType::kAlert;
  uint16_t version = 0;  ///< 0xfeff DTLS 1.0, 0xfefd DTLS 1.2
  uint16_t epoch = 0;    ///< 0 before ChangeCipherSpec
  uint16_t fragment_bytes = 0;
  bool client_hello =
      false;  ///< epoch 0 handshake record whose first message is a ClientHello (a new association)

  /// nullopt if it cannot be a DTLS 1.0 or 1.2 record or does not fit the datagram.
  static std::optional<DtlsRecordPeek> Parse(ByteView datagram) {
    if (datagram.size() < kHeaderBytes) return std::nullopt;
    const auto header = Bounded<kHeaderBytes>::Of(datagram);
    DtlsRecordPeek peek;
    const uint8_t type = header.U8<0>();
    if (type < uint8_t(ContentType::kChangeCipherSpec) || type > uint8_t(ContentType::kApplicationData))
      return std::nullopt;
    peek.type = ContentType(type);
    peek.version = header.U16<1>();
    if (peek.version != 0xfeff && peek.version != 0xfefd) return std::nullopt;
    peek.epoch = header.U16<3>();
    peek.fragment_bytes = header.U16<11>();
    if (peek.fragment_bytes > datagram.size() - kHeaderBytes) return std::nullopt;
    peek.client_hello = peek.type == ContentType::kHandshake && peek.epoch == 0 && peek.fragment_bytes >= 1 &&
                        datagram[kHeaderBytes] == kClientHello;
    return peek;
  }
};

}  // namespace linegate::wire
