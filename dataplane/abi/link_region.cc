#include "dataplane/abi/link_region.h"

#include <cstring>
#include <new>

namespace linegate::abi {
namespace {
constexpr uint64_t AlignPage(uint64_t bytes) { return (bytes + 4095) & ~uint64_t{4095}; }
}  // namespace

LinkLayout::LinkLayout(uint32_t workers, uint32_t flows_per_worker, uint32_t relays_per_worker)
    : workers_(workers),
      flows_per_worker_(flows_per_worker),
      relays_per_worker_(relays_per_worker),
      stride_(AlignPage(RingBytes(kCommandRingBytes) + RingBytes(kEventRingBytes) +
                        RingBytes(kPuntRingBytes) + RingBytes(kInjectRingBytes) + sizeof(WorkerCounters) +
                        uint64_t(flows_per_worker) * sizeof(FlowStats) +
                        uint64_t(relays_per_worker) * sizeof(RelayStats))),
      total_bytes_(kFirstWorkerOffset + workers * stride_) {
  static_assert(sizeof(RegionHeader) <= kLinkHeaderOffset);
  static_assert(kLinkHeaderOffset + sizeof(LinkHeader) <= kFirstWorkerOffset);
}

void LinkRegion::Initialise() const {
  new (&header()) LinkHeader();
  for (uint32_t w = 0; w < layout_.workers(); ++w) {
    new (command_ring(w)) RingHeader();
    command_ring(w)->capacity_bytes = kCommandRingBytes;
    new (event_ring(w)) RingHeader();
    event_ring(w)->capacity_bytes = kEventRingBytes;
    new (punt_ring(w)) RingHeader();
    punt_ring(w)->capacity_bytes = kPuntRingBytes;
    new (inject_ring(w)) RingHeader();
    inject_ring(w)->capacity_bytes = kInjectRingBytes;
  }
}

void ReadCounters(const WorkerCounters& shared, WorkerCounters& out) {
  const std::atomic_ref<uint64_t> epoch(const_cast<uint64_t&>(shared.epoch));
  for (int attempt = 0; attempt < 64; ++attempt) {
    const uint64_t before = epoch.load(std::memory_order_acquire);
    std::memcpy(static_cast<void*>(&out), &shared, sizeof out);
    std::atomic_thread_fence(std::memory_order_acquire);
    if ((before & 1) == 0 && epoch.load(std::memory_order_relaxed) == before) return;
  }
}

std::string LinkPath(const std::string& runtime_directory) { return runtime_directory + "/link"; }
std::string VaultPath(const std::string& runtime_directory) { return runtime_directory + "/vault"; }

}  // namespace linegate::abi
