#include "drivers/crypto/context_pool.h"

#include <sys/mman.h>

#include <algorithm>

#include "dataplane/base/check.h"
#include "dataplane/base/huge_pages.h"

namespace linegate::crypto {
namespace {

struct FreeObject {
  FreeObject* next = nullptr;
};

}  // namespace

struct alignas(ContextPool::kAlignment) ContextPool::Slab {
  ContextPool* pool = nullptr;  ///< nullptr: gone
  size_t object_bytes = 0;
  size_t in_use = 0;
  size_t never_used = 0;  ///< objects at the end, which were not handed out yet
  FreeObject* free = nullptr;

  static Slab* Of(void* object) {
    return reinterpret_cast<Slab*>(reinterpret_cast<uintptr_t>(object) & ~uintptr_t{kHugePageBytes - 1});
  }
  bool full() const { return free == nullptr && never_used == 0; }
  void* Take() {
    ++in_use;
    if (free != nullptr) {
      void* const object = free;
      free = free->next;
      return object;
    }
    return reinterpret_cast<uint8_t*>(this) + kHugePageBytes - object_bytes * never_used--;
  }
};

ContextPool::~ContextPool() {
  for (Slab* slab : slabs_) {
    slab->pool = nullptr;
    if (slab->in_use == 0) Release(slab);
  }
}

void ContextPool::Release(Slab* slab) noexcept { UnmapHugePages(slab, kHugePageBytes); }

void* ContextPool::Allocate(size_t bytes) {
  LG_ASSERT(bytes <= kHugePageBytes / 64);
  const size_t object_bytes = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  const auto with_room = std::ranges::find_if(
      slabs_, [=](const Slab* slab) { return slab->object_bytes == object_bytes && !slab->full(); });
  if (with_room != slabs_.end()) return (*with_room)->Take();
  slabs_.reserve(slabs_.size() + 1);
  void* const memory = MapHugePages(kHugePageBytes);
  madvise(memory, kHugePageBytes, MADV_DONTDUMP);  // keys
  auto* const slab = new (memory) Slab{.pool = this,
                                       .object_bytes = object_bytes,
                                       .never_used = (kHugePageBytes - sizeof(Slab)) / object_bytes};
  slabs_.push_back(slab);
  return slab->Take();
}

void ContextPool::Free(void* object) noexcept {
  Slab* const slab = Slab::Of(object);
  slab->free = new (object) FreeObject{slab->free};
  if (--slab->in_use == 0 && slab->pool == nullptr) Release(slab);
}

}  // namespace linegate::crypto
