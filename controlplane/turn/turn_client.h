#pragma once
#include <array>
#include <cstdint>

#include "dataplane/base/net_address.h"
#include "dataplane/base/strong_type.h"

namespace linegate::turn {

enum class ClientTransport : uint8_t { kUdp, kTcp, kTls, kDtls };
constexpr bool HasConnection(ClientTransport transport) { return transport != ClientTransport::kUdp; }
/// RFC 6062 section 4.1 wants a stream; DTLS has datagrams.
constexpr bool IsStream(ClientTransport transport) {
  return transport == ClientTransport::kTcp || transport == ClientTransport::kTls;
}

/// Where a message came from and answers go to: the 5-tuple of RFC 8656 section 3.
struct TurnClient {
  ClientTransport transport = ClientTransport::kUdp;
  uint16_t worker = 0;  ///< kUdp: who received it and will serve this 5-tuple
  uint16_t realm = 0;   ///< media realm of the listener
  Endpoint local;       ///< ours, as bound
  Endpoint remote;
  uint64_t connection = 0;  ///< kTcp, kTls, kDtls: never used twice; 0 for kUdp
  /// kUdp: the frame's way back, opaque here (abi::NextHop of the punt record). It does not identify.
  std::array<uint8_t, 12> reply_hop = {};
};

struct AllocationIdTag;
/// Never used twice in one life of the server; 0 names none.
using AllocationId = StrongType<AllocationIdTag, uint64_t>;

struct TcpConnectionIdTag;
/// CONNECTION-ID of RFC 6062 section 6.2.1.
using TcpConnectionId = StrongType<TcpConnectionIdTag, uint32_t>;

}  // namespace linegate::turn
