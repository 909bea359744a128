#pragma once
#include <cstdint>
#include <span>

#include "dataplane/abi/flow_slot.h"
#include "dataplane/base/prf_stream.h"
#include "dataplane/flow/hash_index.h"

namespace linegate::flow {

inline constexpr uint32_t kNoFlow = UINT32_MAX;

/// An RTP or RTCP port of a flow.
struct PortMatch {
  uint32_t flow = kNoFlow;
  uint8_t component = 0;  ///< 0 RTP, 1 RTCP
};
/// A validated address of a WebRTC leg.
struct PathMatch {
  uint32_t flow = kNoFlow;
  uint8_t path = 0;  ///< into IceState::paths
};

/// Finds the slot of a packet. Theory of operation: two private indices over the worker's slots, rebuilt from them after
/// a restart; keys stand in the slots alone.
///   ports  local endpoint             -> flows with RTP ingress
///   paths  (local endpoint, remote)   -> flows with WebRTC ingress; only addresses that passed a connectivity check,
///                                        and each address belongs to at most one leg
/// The hash is keyed per process; only addresses that an ICE password or a command vouched for are ever inserted, so a
/// cheap keyed mix is enough.
class FlowTable {
 public:
  FlowTable(std::span<abi::FlowSlot> slots, PrfStream& random);

  PortMatch FindPort(const Endpoint& local) const { return FindPort(local, HashOf(local)); }
  PathMatch FindPath(const Endpoint& local, const Endpoint& remote) const {
    return FindPath(local, remote, HashOf(local, remote));
  }

  // The same in steps, for bursts: hash and prefetch all, fetch all candidates, then look up all.
  uint32_t HashOf(const Endpoint& local) const;
  uint32_t HashOf(const Endpoint& local, const Endpoint& remote) const;
  void PrefetchPort(uint32_t hash) const { ports_.Prefetch(hash); }
  void PrefetchPath(uint32_t hash) const { paths_.Prefetch(hash); }
  /// The flow that the look-up will probably find, or kNoFlow.
  uint32_t PortCandidate(uint32_t hash) const;
  uint32_t PathCandidate(uint32_t hash) const;
  PortMatch FindPort(const Endpoint& local, uint32_t hash) const;
  PathMatch FindPath(const Endpoint& local, const Endpoint& remote, uint32_t hash) const;

  /// Both ports of the flow's RTP ingress. Pre: configuration stands in the slot; none of them is in the
  /// table.
  void AddPorts(uint32_t flow);
  void RemovePorts(uint32_t flow);
  /// Pre: the path stands in the slot and the pair is not in the table.
  void AddPath(uint32_t flow, uint8_t path);
  void RemovePath(uint32_t flow, uint8_t path);

 private:
  uint32_t PathHash(uint32_t flow, uint8_t path) const;
  std::span<abi::FlowSlot> slots_;
  uint64_t key_[3];
  HashIndex ports_;
  HashIndex paths_;
};

}  // namespace linegate::flow
