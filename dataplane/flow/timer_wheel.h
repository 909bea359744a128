#pragma once
#include <cstdint>
#include <vector>

#include "dataplane/base/check.h"
#include "dataplane/base/time.h"

namespace linegate::flow {

/// One timer per flow slot, for deadlines of 10 ms to a minute. Theory of operation: kSlots lists of slot
/// indices, one per tick of kTick; a timer sits in the list of its tick, doubly linked through two arrays, so
/// that arming, disarming and firing cost O(1) and no memory. A deadline beyond the horizon waits in the
/// farthest list and is armed again when that fires: whoever is called compares with its own deadline and
/// arms again if it came early.
class TimerWheel {
 public:
  static constexpr uint32_t kSlots = 4096;
  static constexpr Duration kTick = std::chrono::milliseconds(10);

  explicit TimerWheel(uint32_t timers) : head_(kSlots, kNone), nodes_(timers) {}

  /// (Re)arms `timer`; fires in the first Advance at or after `deadline`, rounded up to the tick.
  void Arm(uint32_t timer, TimePoint deadline) {
    Disarm(timer);
    uint64_t tick = TickOf(deadline) + 1;
    if (tick <= now_tick_) tick = now_tick_ + 1;
    if (tick >= now_tick_ + kSlots) tick = now_tick_ + kSlots - 1;
    const uint32_t list = uint32_t(tick % kSlots);
    Node& node = nodes_[timer];
    node = {kNone, head_[list], list};
    if (head_[list] != kNone) nodes_[head_[list]].previous = timer;
    head_[list] = timer;
  }
  void Disarm(uint32_t timer) {
    LG_ASSERT(timer < nodes_.size());
    Node& node = nodes_[timer];
    if (node.list == kNone) return;
    if (node.next != kNone) nodes_[node.next].previous = node.previous;
    if (node.previous != kNone) {
      nodes_[node.previous].next = node.next;
    } else {
      head_[node.list] = node.next;
    }
    node = {};
  }
  /// Calls `fire(timer)` for each timer that is due; it may arm again. At most `limit` per call; the rest
  /// follows with the next call. Returns how many fired.
  template <typename Fire>
  uint32_t Advance(TimePoint now, uint32_t limit, Fire&& fire) {
    const uint64_t target = TickOf(now);
    if (!started_ || target > now_tick_ + kSlots) {
      // First call, or the machine slept longer than the horizon: everything is looked at once, in order of
      // lists.
      started_ = true;
      now_tick_ = target >= kSlots ? target - kSlots : 0;
    }
    uint32_t fired = 0;
    while (now_tick_ < target) {
      // Counted first, so that a timer armed by `fire` never lands in the list that is being emptied.
      ++now_tick_;
      const uint32_t list = uint32_t(now_tick_ % kSlots);
      while (head_[list] != kNone) {
        if (fired == limit) {
          --now_tick_;
          return fired;
        }
        const uint32_t timer = head_[list];
        Disarm(timer);
        ++fired;
        fire(timer);
      }
    }
    return fired;
  }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  struct Node {
    uint32_t previous = kNone;
    uint32_t next = kNone;
    uint32_t list = kNone;
  };
  static uint64_t TickOf(TimePoint t) { return ToNanoseconds(t) / uint64_t(kTick.count()); }
  std::vector<uint32_t> head_;
  std::vector<Node> nodes_;
  uint64_t now_tick_ = 0;
  bool started_ = false;
};

}  // namespace linegate::flow
