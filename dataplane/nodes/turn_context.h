#pragma once
#include <cstdint>
#include <span>

#include "dataplane/abi/counters.h"
#include "dataplane/flow/relay_slots.h"
#include "dataplane/flow/relay_table.h"
#include "dataplane/nodes/relay_runtime.h"
#include "dataplane/nodes/source_limiter.h"

namespace linegate::nodes {

/// Which worker owns the allocation of a client's 5-tuple. Asked only by a worker that does not own it itself.
class RelayDirectory {
 public:
  virtual ~RelayDirectory() = default;
  /// The owner; the asking worker itself if nobody is known to be.
  virtual uint16_t OwnerOf(const abi::SocketAddress& local, const abi::SocketAddress& remote) const = 0;
  virtual void Add(const abi::SocketAddress& local, const abi::SocketAddress& remote) = 0;
  virtual void Remove(const abi::SocketAddress& local, const abi::SocketAddress& remote) = 0;
};

/// What the TURN nodes of one worker share.
struct TurnContext {
  flow::RelaySlots& slots;
  flow::RelayTable& table;
  std::span<RelayRuntime> runtime;
  std::span<RelayTargets> targets;
  std::span<abi::RelayStats> stats;
  RelayDirectory& directory;
  SourceLimiter& sources;     ///< strangers, one by one
  RateLimit strangers_limit;  ///< TURN requests of strangers that are passed on, all together
  uint64_t strangers_paid_until_ns = 0;
  uint16_t identification = 0;  ///< of IPv4 datagrams that may be fragmented on their way (RFC 6864)
};

}  // namespace linegate::nodes
