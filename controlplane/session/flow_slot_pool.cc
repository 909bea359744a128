#include "controlplane/session/flow_slot_pool.h"

#include "dataplane/base/check.h"
#include "dataplane/base/ice_ufrag.h"

namespace linegate::session {
namespace {

/// `generation`, or the next one whose low 20 bits are not zero, with the bit that names the kind.
uint32_t Valid(uint32_t generation, SlotKind kind) {
  if ((generation & kIceUfragGenerationMask) == 0) ++generation;
  return kind == SlotKind::kRelay ? generation | kRelayGenerationBit : generation & ~kRelayGenerationBit;
}

}  // namespace

FlowSlotPool::FlowSlotPool(uint16_t workers, uint32_t slots_per_worker, uint32_t first_generation,
                           SlotKind kind)
    : workers_(workers), slots_per_worker_(slots_per_worker), kind_(kind) {
  for (WorkerSlots& worker : workers_) worker.next_generation = Valid(first_generation, kind_);
}

std::optional<abi::FlowRef> FlowSlotPool::Acquire(uint16_t worker) {
  WorkerSlots& slots = workers_[worker];
  abi::FlowRef flow;
  if (slots.next_fresh < slots_per_worker_) {
    flow.index = slots.next_fresh++;
  } else if (!slots.released.empty()) {
    flow.index = slots.released.front();
    slots.released.pop_front();
  } else {
    return std::nullopt;
  }
  flow.worker = worker;
  flow.generation = slots.next_generation;
  slots.next_generation = Valid(slots.next_generation + 1, kind_);
  ++slots.in_use;
  return flow;
}

void FlowSlotPool::Release(const abi::FlowRef& flow) {
  WorkerSlots& slots = workers_[flow.worker];
  LG_ASSERT(slots.in_use > 0);
  slots.released.push_back(flow.index);
  --slots.in_use;
}

size_t FlowSlotPool::in_use() const {
  size_t total = 0;
  for (const WorkerSlots& worker : workers_) total += worker.in_use;
  return total;
}

uint16_t FlowSlotPool::LeastLoaded() const {
  uint16_t best = 0;
  for (uint16_t worker = 1; worker < workers_.size(); ++worker) {
    if (workers_[worker].in_use < workers_[best].in_use) best = worker;
  }
  return best;
}

}  // namespace linegate::session
