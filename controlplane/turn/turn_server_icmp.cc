// ICMP errors about relayed datagrams: RFC 8656 section 11.5.
#include "controlplane/turn/turn_server.h"

namespace linegate::turn {

void TurnServer::HandleIcmpError(AllocationId id, const RelayIcmpError& error) {
  const Allocation* allocation = allocations_.Find(id);
  if (allocation == nullptr || allocation->state != Allocation::State::kLive || allocation->tcp ||
      !allocation->peers.Permits(error.peer.address)) {
    return;
  }
  std::array<uint8_t, wire::kStunTransactionIdBytes> transaction;
  rng_.Fill(transaction);
  std::array<uint8_t, 128> buffer;
  wire::StunMessageWriter writer(buffer, wire::StunClass::kIndication, wire::StunMethod::kData, transaction);
  writer.AddXorAddress(wire::StunAttribute::kXorPeerAddress, error.peer);
  // 16 bits reserved, 7 bits type, 9 bits code, 32 bits error data.
  std::array<uint8_t, 8> icmp = {};
  StoreBe16(icmp.data() + 2, uint16_t((error.type & 0x7f) << 9 | error.code));
  std::copy(error.data.begin(), error.data.end(), icmp.begin() + 4);
  writer.AddBytes(wire::StunAttribute::kIcmp, icmp);
  const ByteView message = writer.Finish();
  Send(allocation->client, {message.begin(), message.end()});
}

}  // namespace linegate::turn
