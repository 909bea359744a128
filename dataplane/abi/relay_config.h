#pragma once
#include "dataplane/abi/types.h"

/// What a TURN allocation is to the dataplane (RFC 8656): its client, its relayed addresses, and its peers. The control
/// plane authenticates, allocates and times; the worker only relays.
namespace linegate::abi {

/// Names a relay slot of one worker. Relay slots are numbered apart from flow slots: a RelayRef is only ever looked up
/// among relays. generation 0: names none.
using RelayRef = FlowRef;

enum class ClientTransport : uint8_t {
  kNone = 0,
  kDatagram = 1,  ///< UDP: the worker talks to the client itself
  kStream = 2,    ///< TCP, TLS, DTLS: whole TURN messages pass between worker and control plane in the rings
};

/// A permission (RFC 8656 section 9) or a channel (section 12) of an allocation. A channel's entry serves as permission
/// of its address, too, while `permitted`.
struct RelayPeer {
  SocketAddress
      wire;  ///< the peer as on the wire; port 0: a permission for every port of that address; family 0: none
  SocketAddress
      shown;  ///< as the client names it; differs from `wire` only for our own advertised (1:1 NAT) addresses
  uint16_t channel = 0;   ///< 0x4000 to 0x7fff; 0: none
  uint8_t permitted = 0;  ///< 0: the permission of this channel's peer has lapsed
  uint8_t reserved = 0;
  NextHop next_hop;
};
static_assert(sizeof(RelayPeer) == 56);

/// Entries per allocation, permissions and channels together; what does not fit is refused by the control plane (508).
inline constexpr uint32_t kRelayPeers = 32;

struct RelayConfig {
  ClientTransport transport = ClientTransport::kNone;
  uint8_t reserved = 0;
  uint16_t realm = 0;             ///< realm of the relayed addresses, for counters
  uint32_t bytes_per_second = 0;  ///< application data, each direction; 0: no limit
  /// kDatagram: our listener and the client's address, the 5-tuple of RFC 8656 section 3.1. kStream: for display.
  SocketAddress client_local;
  SocketAddress client_remote;
  NextHop client_next_hop;  ///< kDatagram
  /// Relayed transport addresses as on the wire (never the advertised ones): [0] IPv4, [1] IPv6; family 0: none.
  SocketAddress relayed[2];
};
static_assert(sizeof(RelayConfig) == 100);
static_assert(std::is_trivially_copyable_v<RelayConfig> && std::is_trivially_copyable_v<RelayPeer>);

}  // namespace linegate::abi
