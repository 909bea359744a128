#include "dataplane/base/strong_type.h"

#include <gtest/gtest.h>

#include <type_traits>
#include <unordered_set>

namespace linegate {
namespace {

using Apples = StrongType<struct ApplesTag, int>;
using Pears = StrongType<struct PearsTag, int>;

static_assert(!std::is_convertible_v<int, Apples>);
static_assert(!std::is_convertible_v<Apples, int>);
static_assert(!std::is_convertible_v<Apples, Pears>);
static_assert(std::is_trivially_copyable_v<Apples>);
static_assert(sizeof(Apples) == sizeof(int));

TEST(StrongType, ComparesAndOrdersLikeItsValue) {
  EXPECT_EQ(Apples(3), Apples(3));
  EXPECT_LT(Apples(2), Apples(3));
  EXPECT_EQ(Apples().value(), 0);
}

TEST(StrongType, HashesInContainers) {
  const std::unordered_set<Apples> set = {Apples(1), Apples(1), Apples(2)};
  EXPECT_EQ(set.size(), 2u);
}

}  // namespace
}  // namespace linegate
