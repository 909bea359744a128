#pragma once
#include <bit>
#include <cstdint>

#include "dataplane/base/check.h"
#include "dataplane/base/huge_pages.h"

namespace linegate::flow {

/// Open addressing with linear probing and backward-shift deletion (no tombstones, so lookups never degrade).
/// Holds values of 32 bits that name where the key stands; the caller hashes and compares keys. All memory is
/// taken in the constructor; Insert of more than `capacity` values fails.
class HashIndex {
 public:
  static constexpr uint32_t kNotFound = UINT32_MAX;

  explicit HashIndex(uint32_t capacity)
      : capacity_(capacity),
        mask_(std::bit_ceil(capacity < 4 ? 8u : capacity * 2u) - 1),
        entries_(mask_ + 1u) {}

  /// `matches(value)` compares the key behind a value whose hash is equal.
  template <typename Matches>
  uint32_t Find(uint32_t hash, Matches&& matches) const {
    for (uint32_t at = hash & mask_; entries_[at].value != kNotFound; at = (at + 1) & mask_) {
      if (entries_[at].hash == hash && matches(entries_[at].value)) return entries_[at].value;
    }
    return kNotFound;
  }
  /// Brings what Find looks at first into the cache.
  void Prefetch(uint32_t hash) const { __builtin_prefetch(&entries_[hash & mask_]); }
  /// What Find would look at first, so that the caller can fetch its key; kNotFound: nothing, or a neighbour's.
  uint32_t Candidate(uint32_t hash) const {
    const Entry& entry = entries_[hash & mask_];
    return entry.hash == hash ? entry.value : kNotFound;
  }
  /// Pre: the key is not there, `value != kNotFound`. False: full.
  bool Insert(uint32_t hash, uint32_t value) {
    LG_ASSERT(value != kNotFound);
    if (size_ == capacity_) return false;
    uint32_t at = hash & mask_;
    while (entries_[at].value != kNotFound) at = (at + 1) & mask_;
    entries_[at] = {hash, value};
    ++size_;
    return true;
  }
  /// False: not there.
  bool Erase(uint32_t hash, uint32_t value) {
    uint32_t at = hash & mask_;
    while (entries_[at].value != kNotFound && (entries_[at].hash != hash || entries_[at].value != value)) {
      at = (at + 1) & mask_;
    }
    if (entries_[at].value == kNotFound) return false;
    uint32_t hole = at;
    for (uint32_t next = (at + 1) & mask_; entries_[next].value != kNotFound; next = (next + 1) & mask_) {
      // An entry may move into the hole unless its home lies behind the hole.
      if (((next - (entries_[next].hash & mask_)) & mask_) >= ((next - hole) & mask_)) {
        entries_[hole] = entries_[next];
        hole = next;
      }
    }
    entries_[hole] = {};
    --size_;
    return true;
  }
  uint32_t size() const { return size_; }

 private:
  struct Entry {
    uint32_t hash = 0;
    uint32_t value = kNotFound;
  };
  uint32_t capacity_;
  uint32_t mask_;
  uint32_t size_ = 0;
  HugePageVector<Entry> entries_;
};

}  // namespace linegate::flow
