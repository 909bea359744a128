#pragma once
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "dataplane/abi/types.h"

namespace linegate::session {

/// Flow slots and relay slots are numbered apart; the top bit of the generation tells their references apart, so that
/// the answer to a command about one is never taken for an answer about the other.
enum class SlotKind : uint8_t { kFlow, kRelay };
inline constexpr uint32_t kRelayGenerationBit = 0x80000000;
inline bool IsRelay(const abi::FlowRef& ref) { return (ref.generation & kRelayGenerationBit) != 0; }

/// Which flow slots of each worker are free, and the generation of the next use. Theory of operation: the
/// control plane is the only allocator of slots; the worker only follows. Generations come from one counter
/// per worker that starts at random, so that a slot's former life, also one before our own restart, is not
/// mistaken for its present one. The low 20 bits are never zero, because a ufrag carries just those
/// (dataplane/base/ice_ufrag.h). A slot comes back into the pool once its removal was confirmed, and is used
/// again last.
class FlowSlotPool {
 public:
  FlowSlotPool() = default;
  FlowSlotPool(uint16_t workers, uint32_t slots_per_worker, uint32_t first_generation,
               SlotKind kind = SlotKind::kFlow);

  std::optional<abi::FlowRef> Acquire(uint16_t worker);
  /// Pre: `flow` came from Acquire.
  void Release(const abi::FlowRef& flow);
  size_t in_use() const;
  size_t in_use(uint16_t worker) const { return workers_[worker].in_use; }
  /// The worker with the fewest slots in use.
  uint16_t LeastLoaded() const;

 private:
  struct WorkerSlots {
    uint32_t next_fresh = 0;  ///< slots from here on were never used
    std::deque<uint32_t> released;
    uint32_t next_generation = 1;
    uint32_t in_use = 0;
  };
  std::vector<WorkerSlots> workers_;
  uint32_t slots_per_worker_ = 0;
  SlotKind kind_ = SlotKind::kFlow;
};

}  // namespace linegate::session
