#pragma once
#include <cstddef>
#include <limits>
#include <new>
#include <vector>

namespace linegate {

inline constexpr size_t kHugePageBytes = size_t{2} << 20;

/// Zeroed memory on a 2 MB boundary that the kernel is asked to put on huge pages (madvise(2), MADV_HUGEPAGE): a worker
/// with many flows touches it at random, and an entry of the TLB then covers 2 MB of it instead of 4 KB. Where the kernel
/// has none to give, ordinary pages serve. Throws std::bad_alloc. `bytes` is rounded up to whole huge pages.
void* MapHugePages(size_t bytes);
void UnmapHugePages(void* memory, size_t bytes) noexcept;

/// Of what is much smaller than a huge page ordinary memory is taken.
template <typename T>
struct HugePageAllocator {
  using value_type = T;

  HugePageAllocator() = default;
  template <typename U>
  explicit(false) HugePageAllocator(const HugePageAllocator<U>&) {}

  T* allocate(size_t count) {
    if (count > std::numeric_limits<size_t>::max() / sizeof(T)) throw std::bad_array_new_length();
    if (IsLarge(count)) return static_cast<T*>(MapHugePages(count * sizeof(T)));
    return static_cast<T*>(::operator new (count * sizeof(T), std::align_val_t{alignof(T)}));
  }
  void deallocate(T* memory, size_t count) noexcept {
    if (IsLarge(count)) return UnmapHugePages(memory, count * sizeof(T));
    ::operator delete (memory, std::align_val_t{alignof(T)});
  }
  friend bool operator==(const HugePageAllocator&, const HugePageAllocator&) { return true; }

 private:
  static bool IsLarge(size_t count) { return count * sizeof(T) >= kHugePageBytes / 2; }
};

template <typename T>
using HugePageVector = std::vector<T, HugePageAllocator<T>>;

}  // namespace linegate
