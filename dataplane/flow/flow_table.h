#pragma once
#include <cstdint>
#include <span>

#include "dataplane/abi/flow_slot.h"
#include "dataplane/base/huge_pages.h"
#include "dataplane/base/prf_stream.h"
#include "dataplane/flow/hash_index.h"
#include "dataplane/flow/local_ports.h"

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
/// a restart.
///   ports  local endpoint             -> flows with RTP ingress: an array with a place for each RTP port there is
///   paths  (local endpoint, remote)   -> flows with WebRTC ingress; only addresses that passed a connectivity check,
///                                        and each address belongs to at most one leg
/// The paths are hashed, their keys stand in the slots. The hash is keyed per process; only addresses that an ICE
/// password or a command vouched for are ever inserted, so a cheap keyed mix is enough.
class FlowTable {
 public:
  FlowTable(std::span<abi::FlowSlot> slots, const LocalPorts& local_ports, PrfStream& random);

  PortMatch FindPort(const Endpoint& local) const;
  PathMatch FindPath(const Endpoint& local, const Endpoint& remote) const {
    return FindPath(local, remote, HashOf(local, remote));
  }

  // The same in steps, for bursts: hash and prefetch all, fetch all candidates, then look up all.
  uint32_t HashOf(const Endpoint& local, const Endpoint& remote) const;
  void PrefetchPort(uint32_t rtp_index) const { __builtin_prefetch(&ports_[rtp_index]); }
  void PrefetchPath(uint32_t hash) const { paths_.Prefetch(hash); }
  /// The flow that the look-up will probably find, or kNoFlow.
  uint32_t PathCandidate(uint32_t hash) const;
  /// `rtp_index` = LocalPort's.
  PortMatch FindPort(uint32_t rtp_index) const {
    const uint32_t value = ports_[rtp_index];
    return value == kNoPort ? PortMatch{} : PortMatch{value / 2, uint8_t(value % 2)};
  }
  PathMatch FindPath(const Endpoint& local, const Endpoint& remote, uint32_t hash) const;

  /// Both ports of the flow's RTP ingress. Pre: configuration stands in the slot; none of them is in the
  /// table.
  void AddPorts(uint32_t flow);
  void RemovePorts(uint32_t flow);
  /// Pre: the path stands in the slot and the pair is not in the table.
  void AddPath(uint32_t flow, uint8_t path);
  void RemovePath(uint32_t flow, uint8_t path);

 private:
  static constexpr uint32_t kNoPort = UINT32_MAX;
  uint32_t PathHash(uint32_t flow, uint8_t path) const;
  /// Its place in `ports_`; kNoPort: no RTP port.
  uint32_t PlaceOf(const Endpoint& local) const;
  std::span<abi::FlowSlot> slots_;
  const LocalPorts& local_ports_;
  uint64_t key_[3];
  HugePageVector<uint32_t> ports_;  ///< flow * 2 + component, or kNoPort
  HashIndex paths_;
};

}  // namespace linegate::flow
