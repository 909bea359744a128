#pragma once
#include <array>
#include <cstdint>
#include <variant>
#include <vector>

#include "controlplane/turn/turn_client.h"

namespace linegate::turn {

/// One complete STUN message for a client; kUdp: through the worker's inject ring, else down the connection
/// (control messages need no padding, RFC 8656 section 12.5).
struct SendToClient {
  TurnClient client;
  std::vector<uint8_t> message;
};

/// What a worker has to know of an allocation (session/relay_programmer makes an abi::RelayConfig of it).
struct RelayTerms {
  TurnClient client;
  uint16_t realm = 0;               ///< of the relayed addresses
  uint32_t bytes_per_second = 0;    ///< each direction; 0: no limit
  std::array<Endpoint, 2> relayed;  ///< as bound: IPv4, IPv6; kNone: none
};

/// Creates the allocation's relay or replaces its terms; peers stay.
struct ProgramRelay {
  AllocationId allocation;
  uint64_t change = 0;  ///< rises with every command; TurnServer::HandleRelaySettled names the last one done
  uint16_t worker = 0;
  RelayTerms terms;
};

/// Entry `index` of the allocation's peers. Port 0: the permission of an address; channel 0: none.
struct RelayPeerTerms {
  Endpoint peer;  ///< as the client names it; kNone: the entry is removed
  uint16_t channel = 0;
  bool permitted = false;
  friend bool operator==(const RelayPeerTerms&, const RelayPeerTerms&) = default;
};
struct SetRelayPeer {
  AllocationId allocation;
  uint64_t change = 0;
  uint32_t index = 0;
  RelayPeerTerms terms;
};
/// Confirmed through TurnServer::HandleRelayRemoved: until then its ports and its 5-tuple are not used again.
struct RemoveRelay {
  AllocationId allocation;
};

/// The connection is of no further use: close it once what was sent before has left.
struct CloseClient {
  uint64_t connection = 0;
};

// TCP allocations (RFC 6062), on kernel sockets.

/// Listen on `local` and report with TurnServer::HandleTcpRelayOpened; every connection accepted there goes to
/// HandleTcpPeerAccepted first.
struct OpenTcpRelay {
  AllocationId allocation;
  Endpoint local;                  ///< as bound
  uint64_t client_connection = 0;  ///< of the allocation: kept while the relay is open
};
/// Close the listener; its connections get CloseTcpConnection of their own.
struct CloseTcpRelay {
  AllocationId allocation;
};
/// Connect from the relayed address to `peer`; report with HandleTcpPeerConnected.
struct ConnectTcpPeer {
  AllocationId allocation;
  TcpConnectionId connection;
  Endpoint local;  ///< as bound; connections leave from the address and port the listener has
  Endpoint peer;
};
/// From here on the client's connection carries the peer's bytes, both ways, nothing else; data the peer sent
/// before is delivered first. When one side ends, close the other and report HandleTcpConnectionGone.
struct BindTcpConnection {
  TcpConnectionId connection;
  uint64_t client_connection = 0;
};
struct CloseTcpConnection {
  TcpConnectionId connection;
};

/// Everything TurnServer wants done, in order.
using Output = std::variant<SendToClient, ProgramRelay, SetRelayPeer, RemoveRelay, CloseClient, OpenTcpRelay,
                            CloseTcpRelay, ConnectTcpPeer, BindTcpConnection, CloseTcpConnection>;

}  // namespace linegate::turn
