#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace linegate::crypto {

/// Memory for cipher contexts: equal ones side by side on huge pages, kept out of core dumps.
///
/// Theory of operation. A slab is one huge page of objects of one size; its head stands at its beginning, so that an object
/// finds it by its own address and Free needs no size and no pool. A slab that the pool leaves behind with objects in use
/// goes away with the last of them. One thread at a time, as of the contexts themselves.
class ContextPool {
 public:
  static constexpr size_t kAlignment = 64;

  ContextPool() = default;
  ContextPool(const ContextPool&) = delete;
  ContextPool& operator=(const ContextPool&) = delete;
  ~ContextPool();

  /// Aligned to kAlignment, not zeroed. Throws std::bad_alloc. Pre: `bytes` is at most a 64th of a huge page.
  void* Allocate(size_t bytes);
  static void Free(void* object) noexcept;

 private:
  struct Slab;
  static void Release(Slab* slab) noexcept;
  std::vector<Slab*> slabs_;
};

}  // namespace linegate::crypto
