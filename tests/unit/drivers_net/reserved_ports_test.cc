#include "drivers/net/xdp/reserved_ports.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

namespace linegate::drivers {
namespace {

PortSet Parsed(std::string_view text) { return *PortSet::Parse(text); }

TEST(PortSet, PrintsWhatTheKernelPrints) {
  EXPECT_EQ(Parsed("").ToString(), "");
  EXPECT_EQ(Parsed("\n").ToString(), "");
  EXPECT_EQ(Parsed("8080\n").ToString(), "8080");
  EXPECT_EQ(Parsed("3478,20000,40000-43999\n").ToString(), "3478,20000,40000-43999");
  EXPECT_EQ(Parsed("1-65535").ToString(), "1-65535");
}

TEST(PortSet, MergesNeighboursAndOverlaps) { EXPECT_EQ(Parsed("10,12,11,11-14").ToString(), "10-14"); }

TEST(PortSet, RefusesWhatIsNoPort) {
  for (const char* text : {"x", "1-", "-1", "5-4", "65536", "1,,2", "1 2", "1-2-3"}) {
    EXPECT_FALSE(PortSet::Parse(text)) << text;
  }
}

TEST(PortSet, UnionAndDifference) {
  const PortSet a = Parsed("1-10"), b = Parsed("5-20"), none;
  EXPECT_EQ(a.Union(b), Parsed("1-20"));
  EXPECT_EQ(a.Minus(b), Parsed("1-4"));
  EXPECT_EQ(a.Minus(a), none);
  EXPECT_EQ(none.Union(b), b);
  EXPECT_EQ(none.Minus(b), none);
  EXPECT_EQ(a.Minus(none), a);
}

/// A sysctl and a record file in the test's own directory.
class ReservedPortsTest : public ::testing::Test {
 protected:
  ReservedPortsTest() : base_(::testing::TempDir() + "reserved_" + std::to_string(getpid())) { Kernel("\n"); }
  ~ReservedPortsTest() override { unlink(sysctl_.c_str()), unlink(record_.c_str()); }
  void Kernel(const std::string& text) { std::ofstream(sysctl_) << text; }
  std::string Kernel() const {
    std::ifstream file(sysctl_);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }
  /// Each call is a process of its own.
  Status Reserve(std::string_view ours) { return ReservedPorts(record_, sysctl_).Reserve(Parsed(ours)); }
  Status Release() { return ReservedPorts(record_, sysctl_).Release(); }

  const std::string base_;
  const std::string sysctl_ = base_ + ".sysctl";
  const std::string record_ = base_ + ".record";
};

TEST_F(ReservedPortsTest, EntriesOfOthersStay) {
  Kernel("8080,40001\n");
  ASSERT_TRUE(Reserve("40000-40003"));
  EXPECT_EQ(Kernel(), "8080,40000-40003\n");
  ASSERT_TRUE(Release());
  EXPECT_EQ(Kernel(), "8080,40001\n");
  EXPECT_NE(access(record_.c_str(), F_OK), 0);
}

TEST_F(ReservedPortsTest, ReservationOfAKilledProcessIsStillOurs) {
  ASSERT_TRUE(Reserve("40000-40003"));
  ASSERT_TRUE(Reserve("40000-40003"));
  ASSERT_TRUE(Release());
  EXPECT_EQ(Kernel(), "\n");
}

TEST_F(ReservedPortsTest, ChangedRangeReplacesTheOldOne) {
  ASSERT_TRUE(Reserve("40000-40003"));
  ASSERT_TRUE(Reserve("40002-40005"));
  EXPECT_EQ(Kernel(), "40002-40005\n");
}

TEST_F(ReservedPortsTest, ReleaseWithoutReservationChangesNothing) {
  Kernel("8080\n");
  ASSERT_TRUE(Release());
  EXPECT_EQ(Kernel(), "8080\n");
}

TEST_F(ReservedPortsTest, UnreadableSysctlIsNamed) {
  const Status status = ReservedPorts(record_, "/nonexistent/sysctl").Reserve(Parsed("1"));
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message(), ::testing::HasSubstr("/nonexistent/sysctl"));
}

}  // namespace
}  // namespace linegate::drivers
