#include "dataplane/base/result.h"

#include <gtest/gtest.h>

#include <memory>

namespace linegate {
namespace {

enum class Reason { kSmall, kLarge };

Result<int, Reason> Checked(int value) {
  if (value < 0) return MakeUnexpected(Reason::kSmall);
  return value;
}

TEST(Result, HoldsValueOrError) {
  EXPECT_TRUE(Checked(3));
  EXPECT_EQ(*Checked(3), 3);
  const auto bad = Checked(-1);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error(), Reason::kSmall);
}

TEST(Result, AllowsSameTypeForValueAndError) {
  const Result<int, int> value(1);
  const Result<int, int> error = MakeUnexpected(1);
  EXPECT_TRUE(value);
  EXPECT_FALSE(error);
}

TEST(Result, MovesValuesThatCannotBeCopied) {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(7));
  const std::unique_ptr<int> owned = *std::move(result);
  EXPECT_EQ(*owned, 7);
}

TEST(Result, PrependsContextToErrors) {
  Result<int> result = Fail("already in use");
  EXPECT_EQ(std::move(result).error().WithContext("port 5060").message(), "port 5060: already in use");
}

TEST(Status, IsGoodByDefaultAndCarriesAnError) {
  EXPECT_TRUE(Status());
  const Status bad = Fail("no");
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().message(), "no");
}

}  // namespace
}  // namespace linegate
