#include "dataplane/base/huge_pages.h"

#include <sys/mman.h>

#include <cstdint>

namespace linegate {
namespace {

size_t WholePages(size_t bytes) { return (bytes + kHugePageBytes - 1) / kHugePageBytes * kHugePageBytes; }

}  // namespace

void* MapHugePages(size_t bytes) {
  if (bytes > SIZE_MAX - 2 * kHugePageBytes) throw std::bad_alloc();
  const size_t wanted = WholePages(bytes);
  // The kernel promises no more than 4 KB of alignment: one huge page more, and what is too much goes back.
  const size_t mapped = wanted + kHugePageBytes;
  void* const whole = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (whole == MAP_FAILED) throw std::bad_alloc();
  auto* const begin = static_cast<uint8_t*>(whole);
  const size_t before =
      (kHugePageBytes - reinterpret_cast<uintptr_t>(begin) % kHugePageBytes) % kHugePageBytes;
  if (before != 0) munmap(begin, before);
  munmap(begin + before + wanted, mapped - before - wanted);
  (void)madvise(begin + before, wanted, MADV_HUGEPAGE);  // a wish
  return begin + before;
}

void UnmapHugePages(void* memory, size_t bytes) noexcept { munmap(memory, WholePages(bytes)); }

}  // namespace linegate
