#pragma once
#include "dataplane/abi/types.h"

/// Datagrams that leave the fast path (punt) and datagrams the control plane wants sent (inject).
namespace linegate::abi {

enum class PuntKind : uint32_t {
  kDtls = 0x01,  ///< from an address of `flow` that passed a connectivity check
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

enum class InjectKind : uint32_t {
  kToLeg =
      0x01,  ///< to `remote` from `local` of the WebRTC leg whose ingress is `flow`; refused unless that address passed a check
};

struct InjectRecord {
  FlowRef flow;
  SocketAddress local;
  SocketAddress remote;
  uint32_t payload_bytes = 0;
};
static_assert(sizeof(InjectRecord) == 56);

}  // namespace linegate::abi
