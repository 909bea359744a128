#pragma once
#include <atomic>
#include <cstdint>
#include <string>

#include "dataplane/abi/counters.h"
#include "dataplane/abi/region.h"
#include "dataplane/abi/spsc_ring.h"
#include "dataplane/base/result.h"

namespace linegate::abi {

inline constexpr uint32_t kCommandRingBytes = 1u << 18;
inline constexpr uint32_t kEventRingBytes = 1u << 18;
inline constexpr uint32_t kPuntRingBytes = 1u << 20;
inline constexpr uint32_t kInjectRingBytes = 1u << 20;

/// Follows RegionHeader in the link region.
struct LinkHeader {
  alignas(128) std::atomic<uint64_t> dataplane_heartbeat_ns{0};  ///< CLOCK_MONOTONIC, every 10 ms
  alignas(128) std::atomic<uint64_t> controlplane_heartbeat_ns{0};
  alignas(128) std::atomic<uint64_t> dataplane_epoch{
      0};  ///< rises by one each time a dataplane takes the region
  uint64_t dataplane_pid = 0;
  alignas(128) std::atomic<uint64_t> last_command_sequence{0};  ///< the control plane continues above it
  uint8_t ice_key[16] =
      {};  ///< per-boot key of the ufrag permutation (base/ice_ufrag.h); dataplane writes, both read
  /// What the XDP programs of all interfaces dropped before any worker saw it; copied once a second.
  std::atomic<uint64_t> xdp_no_socket_pkts{0}, xdp_fragment_pkts{0};
  uint64_t reserved[11] = {};
};
static_assert(sizeof(LinkHeader) == 512);

/// Offsets of everything in the link region; both sides compute the same from (workers, flows per worker, relays
/// per worker).
///
///   RegionHeader (pad to 4 KiB incl. LinkHeader) | worker 0 | worker 1 | ...
///   worker = command ring | event ring | punt ring | inject ring | WorkerCounters | FlowStats[flows_per_worker]
///            | RelayStats[relays_per_worker]
class LinkLayout {
 public:
  LinkLayout(uint32_t workers, uint32_t flows_per_worker, uint32_t relays_per_worker);
  uint64_t total_bytes() const { return total_bytes_; }
  uint64_t link_header() const { return kLinkHeaderOffset; }
  uint64_t command_ring(uint32_t worker) const { return WorkerBase(worker); }
  uint64_t event_ring(uint32_t worker) const { return command_ring(worker) + RingBytes(kCommandRingBytes); }
  uint64_t punt_ring(uint32_t worker) const { return event_ring(worker) + RingBytes(kEventRingBytes); }
  uint64_t inject_ring(uint32_t worker) const { return punt_ring(worker) + RingBytes(kPuntRingBytes); }
  uint64_t counters(uint32_t worker) const { return inject_ring(worker) + RingBytes(kInjectRingBytes); }
  uint64_t flow_stats(uint32_t worker) const { return counters(worker) + sizeof(WorkerCounters); }
  uint64_t relay_stats(uint32_t worker) const {
    return flow_stats(worker) + uint64_t(flows_per_worker_) * sizeof(FlowStats);
  }
  uint32_t workers() const { return workers_; }
  uint32_t flows_per_worker() const { return flows_per_worker_; }
  uint32_t relays_per_worker() const { return relays_per_worker_; }

 private:
  static constexpr uint64_t kLinkHeaderOffset = 512;
  static constexpr uint64_t kFirstWorkerOffset = 4096;
  uint64_t WorkerBase(uint32_t worker) const { return kFirstWorkerOffset + uint64_t(worker) * stride_; }
  uint32_t workers_;
  uint32_t flows_per_worker_;
  uint32_t relays_per_worker_;
  uint64_t stride_;
  uint64_t total_bytes_;
};

/// Typed access to a mapped link region. A view: the Region stays with its owner.
class LinkRegion {
 public:
  LinkRegion(uint8_t* base, const LinkLayout& layout) : base_(base), layout_(layout) {}
  LinkHeader& header() const { return *At<LinkHeader>(layout_.link_header()); }
  RingHeader* command_ring(uint32_t w) const { return At<RingHeader>(layout_.command_ring(w)); }
  RingHeader* event_ring(uint32_t w) const { return At<RingHeader>(layout_.event_ring(w)); }
  RingHeader* punt_ring(uint32_t w) const { return At<RingHeader>(layout_.punt_ring(w)); }
  RingHeader* inject_ring(uint32_t w) const { return At<RingHeader>(layout_.inject_ring(w)); }
  WorkerCounters& counters(uint32_t w) const { return *At<WorkerCounters>(layout_.counters(w)); }
  FlowStats* flow_stats(uint32_t w) const { return At<FlowStats>(layout_.flow_stats(w)); }
  RelayStats* relay_stats(uint32_t w) const { return At<RelayStats>(layout_.relay_stats(w)); }
  const LinkLayout& layout() const { return layout_; }
  /// Owner, fresh region: writes ring capacities. Rings of an adopted region keep their cursors.
  void Initialise() const;

 private:
  template <typename T>
  T* At(uint64_t offset) const {
    return reinterpret_cast<T*>(base_ + offset);
  }
  uint8_t* base_;
  LinkLayout layout_;
};

/// Copies one worker's counters consistently (retries while the worker is publishing, at most 64 times).
void ReadCounters(const WorkerCounters& shared, WorkerCounters& out);

/// File names under the runtime directory (or the hugetlbfs mounted below it).
std::string LinkPath(const std::string& runtime_directory);
std::string VaultPath(const std::string& runtime_directory);

}  // namespace linegate::abi
