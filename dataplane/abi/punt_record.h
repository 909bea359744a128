#pragma once
#include "dataplane/abi/relay_config.h"

/// Datagrams that leave the fast path (punt) and datagrams the control plane wants sent (inject).
namespace linegate::abi {

enum class PuntKind : uint32_t {
  kDtls = 0x01,           ///< from an address of `flow` that passed a connectivity check
  kTurn = 0x02,           ///< TurnPuntRecord and a STUN message that a listener does not answer by itself
  kRelayToClient = 0x03,  ///< RelayPuntRecord and one TURN message for the stream client of `relay`
};

inline constexpr uint32_t kPuntPayloadMax = 2048;

/// Followed by `payload_bytes` bytes of UDP payload.
struct PuntRecord {
  FlowRef flow;
  SocketAddress local;
  SocketAddress remote;
  uint32_t payload_bytes = 0;
};
static_assert(sizeof(PuntRecord) == 56);

/// kTurn. Followed by `payload_bytes` bytes: one well-formed STUN message from `remote` to the listener `local`.
struct TurnPuntRecord {
  RelayRef relay;  ///< the allocation of this 5-tuple as this worker knows it; generation 0: none
  SocketAddress local;
  SocketAddress remote;
  NextHop reply_hop;   ///< port, source MAC and tag of the frame: where an answer goes back to
  uint16_t realm = 0;  ///< of the listener
  uint16_t reserved = 0;
  uint32_t payload_bytes = 0;
};
static_assert(sizeof(TurnPuntRecord) == 72);

/// kRelayToClient. Followed by a complete ChannelData message without padding, or a Data indication.
struct RelayPuntRecord {
  RelayRef relay;
  uint32_t payload_bytes = 0;
};
static_assert(sizeof(RelayPuntRecord) == 16);

enum class InjectKind : uint32_t {
  kToLeg =
      0x01,  ///< to `remote` from `local` of the WebRTC leg whose ingress is `flow`; refused unless that address passed a check
  kFromListener = 0x02,  ///< ListenerInjectRecord: to a client, from one of our STUN or TURN listeners
  kRelayFromClient =
      0x03,  ///< RelayInjectRecord: what a stream client sent, handled as if it had come by UDP
};

struct InjectRecord {
  FlowRef flow;
  SocketAddress local;
  SocketAddress remote;
  uint32_t payload_bytes = 0;
};
static_assert(sizeof(InjectRecord) == 56);

/// kFromListener. Followed by `payload_bytes` bytes of UDP payload.
struct ListenerInjectRecord {
  SocketAddress local;  ///< must be a listener of ours
  SocketAddress remote;
  NextHop next_hop;
  uint32_t payload_bytes = 0;
};
static_assert(sizeof(ListenerInjectRecord) == 56);

/// kRelayFromClient. Followed by one ChannelData message or Send indication.
struct RelayInjectRecord {
  RelayRef relay;
  uint32_t payload_bytes = 0;
};
static_assert(sizeof(RelayInjectRecord) == 16);

}  // namespace linegate::abi
