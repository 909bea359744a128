#include "dataplane/base/huge_pages.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <limits>
#include <string>

namespace linegate {
namespace {

uintptr_t AddressOf(const void* memory) { return reinterpret_cast<uintptr_t>(memory); }

/// What the kernel says of the mapping that holds `memory`: its VmFlags (proc(5)); empty when there is none.
std::string FlagsOf(const void* memory) {
  std::ifstream maps("/proc/self/smaps");
  bool inside = false;
  for (std::string line; std::getline(maps, line);) {
    uintptr_t begin = 0, end = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx ", &begin, &end) == 2)
      inside = begin <= AddressOf(memory) && AddressOf(memory) < end;
    else if (inside && line.starts_with("VmFlags:"))
      return line + " ";
  }
  return "";
}

TEST(HugePages, AlignedZeroedAndAdvised) {
  void* const memory = MapHugePages(kHugePageBytes + 1);
  EXPECT_EQ(AddressOf(memory) % kHugePageBytes, 0u);
  auto* const bytes = static_cast<uint8_t*>(memory);
  for (size_t at = 0; at < 2 * kHugePageBytes; at += 4096) {  // rounded up: the whole second page is there
    ASSERT_EQ(bytes[at], 0);
    bytes[at] = 1;
  }
  EXPECT_NE(FlagsOf(memory).find(" hg "), std::string::npos) << FlagsOf(memory);
  UnmapHugePages(memory, kHugePageBytes + 1);
  EXPECT_EQ(FlagsOf(memory), "");
  EXPECT_EQ(FlagsOf(bytes + kHugePageBytes), "");
}

TEST(HugePages, NeighboursStay) {
  void* const first = MapHugePages(kHugePageBytes);
  void* const second = MapHugePages(kHugePageBytes);
  UnmapHugePages(first, kHugePageBytes);
  static_cast<uint8_t*>(second)[kHugePageBytes - 1] = 1;
  UnmapHugePages(second, kHugePageBytes);
}

TEST(HugePages, MoreThanThereIsThrows) {
  EXPECT_THROW(MapHugePages(size_t{1} << 62), std::bad_alloc);
  EXPECT_THROW(MapHugePages(std::numeric_limits<size_t>::max()), std::bad_alloc);
  EXPECT_THROW(HugePageAllocator<uint64_t>().allocate(std::numeric_limits<size_t>::max() / 4),
               std::bad_alloc);
}

TEST(HugePages, VectorsOfBothSizes) {
  struct alignas(64) Line {
    uint64_t value = 7;
  };
  HugePageVector<Line> small(3), large(kHugePageBytes / sizeof(Line));
  EXPECT_EQ(AddressOf(small.data()) % alignof(Line), 0u);
  EXPECT_EQ(AddressOf(large.data()) % kHugePageBytes, 0u);
  EXPECT_EQ(small[2].value, 7u);
  EXPECT_EQ(large.back().value, 7u);
  const HugePageVector<Line> copy = large;
  large = {};
  EXPECT_EQ(copy.back().value, 7u);
}

}  // namespace
}  // namespace linegate
