#pragma once
#include "dataplane/abi/types.h"

/// Worker -> control plane.
namespace linegate::abi {

enum class EventType : uint32_t {
  kCommandDone = 0x01,  ///< CommandDone
  kPathValidated =
      0x02,  ///< PathEvent: a connectivity check from a new address verified (RFC 8445 section 7.3)
  kPathSelected = 0x03,  ///< PathEvent: the leg's media and DTLS now go to this address
  kConsentLost = 0x04,   ///< FlowEvent: 30 s without a verified check (RFC 7675 section 5.1)
};

enum class CommandStatus : uint32_t {
  kDone = 0,
  kBadSlot = 1,     ///< index or worker out of range
  kBadConfig = 2,   ///< a field out of range
  kStaleFlow = 3,   ///< the slot holds another generation
  kPortTaken = 4,   ///< another flow owns that local port
  kKeyRefused = 5,  ///< unknown profile or wrong length
};

struct CommandDone {
  uint64_t sequence = 0;
  FlowRef flow;
  CommandStatus status = CommandStatus::kDone;
};
struct PathEvent {
  FlowRef flow;
  SocketAddress local;
  SocketAddress remote;
};
struct FlowEvent {
  FlowRef flow;
};
static_assert(sizeof(CommandDone) == 24 && sizeof(PathEvent) == 52 && sizeof(FlowEvent) == 12);

}  // namespace linegate::abi
