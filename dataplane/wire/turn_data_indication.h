#pragma once
#include <cstdint>
#include <cstring>

#include "dataplane/base/byte_view.h"
#include "dataplane/base/net_address.h"
#include "dataplane/wire/stun_message.h"

namespace linegate::wire {

// RFC 8656 section 11.7
// +---------------------------------------------------------------+
// | STUN header, 20 bytes: Data indication                        |
// | XOR-PEER-ADDRESS: 12 bytes (IPv4) or 24 bytes (IPv6)          |
// | DATA: type, length | application data | padding to 4          |
/// Bytes in front of the application data.
constexpr size_t DataIndicationHeaderBytes(IpFamily peer) {
  return kStunHeaderBytes + (peer == IpFamily::kIpv4 ? 12 : 24) + 4;
}
constexpr size_t DataIndicationPadding(size_t data_bytes) { return (4 - data_bytes % 4) % 4; }
inline constexpr size_t kMaxDataIndicationHeaderBytes = DataIndicationHeaderBytes(IpFamily::kIpv6);

/// Writes a Data indication around application data that already stands in place: the header so that it ends at `data`,
/// and the padding behind. Returns its first byte, DataIndicationHeaderBytes(peer family) below `data`.
/// Pre: these bytes and DataIndicationPadding(data_bytes) behind are writable; `data_bytes <= 65000`.
inline uint8_t* WriteDataIndication(uint8_t* data, size_t data_bytes, const Endpoint& peer,
                                    std::span<const uint8_t, kStunTransactionIdBytes> transaction_id) {
  LG_ASSERT(data_bytes <= 65000 && peer.address.family() != IpFamily::kNone);
  const ByteView address = peer.address.bytes();
  const size_t header_bytes = DataIndicationHeaderBytes(peer.address.family());
  const size_t padding = DataIndicationPadding(data_bytes);
  uint8_t* const out = data - header_bytes;
  StoreBe16(out, 0x0017);  // Data (0x007), indication
  StoreBe16(out + 2, uint16_t(header_bytes - kStunHeaderBytes + data_bytes + padding));
  StoreBe32(out + 4, kStunMagicCookie);
  std::memcpy(out + 8, transaction_id.data(), transaction_id.size());
  uint8_t* const peer_attribute = out + kStunHeaderBytes;
  StoreBe16(peer_attribute, uint16_t(StunAttribute::kXorPeerAddress));
  StoreBe16(peer_attribute + 2, uint16_t(4 + address.size()));
  peer_attribute[4] = 0;
  peer_attribute[5] = peer.address.is_v4() ? 1 : 2;
  StoreBe16(peer_attribute + 6, uint16_t(peer.port ^ (kStunMagicCookie >> 16)));
  // RFC 8489 section 14.2: the key stream is the magic cookie, then the transaction ID.
  for (size_t i = 0; i < address.size(); ++i) peer_attribute[8 + i] = uint8_t(address[i] ^ out[4 + i]);
  StoreBe16(data - 4, uint16_t(StunAttribute::kData));
  StoreBe16(data - 2, uint16_t(data_bytes));
  std::memset(data + data_bytes, 0, padding);
  return out;
}

}  // namespace linegate::wire
