#include "dataplane/app/options.h"

#include <gtest/gtest.h>

#include <vector>

namespace linegate::app {
namespace {

std::optional<Options> Parse(std::vector<const char*> arguments, int& exit_status) {
  arguments.insert(arguments.begin(), "linegate-dataplane");
  return ParseOptions(int(arguments.size()), arguments.data(), exit_status);
}

TEST(Options, RunsWithTheInstalledConfigurationByDefault) {
  int exit_status = -1;
  auto options = Parse({}, exit_status);
  ASSERT_TRUE(options);
  EXPECT_EQ(options->config, "/etc/linegate/linegate.toml");
  EXPECT_EQ(options->action, Action::kRun);
}

TEST(Options, ChecksAndReleases) {
  int exit_status = -1;
  auto check = Parse({"--config", "a.toml", "--check-config"}, exit_status);
  ASSERT_TRUE(check);
  EXPECT_EQ(check->config, "a.toml");
  EXPECT_EQ(check->action, Action::kCheckConfig);
  EXPECT_EQ(Parse({"--release"}, exit_status)->action, Action::kRelease);
  EXPECT_FALSE(Parse({"--release", "--check-config"}, exit_status));
  EXPECT_NE(exit_status, 0);
}

TEST(Options, PrintsFlowRulesOfACardItKnows) {
  int exit_status = -1;
  auto options = Parse({"--print-flow-rules", "mlx5"}, exit_status);
  ASSERT_TRUE(options);
  EXPECT_EQ(options->action, Action::kPrintFlowRules);
  EXPECT_EQ(options->nic_family, drivers::NicFamily::kMlx5);
  EXPECT_EQ(Parse({"--print-flow-rules", "i40e"}, exit_status)->nic_family, drivers::NicFamily::kI40e);
  EXPECT_FALSE(Parse({"--print-flow-rules", "e1000"}, exit_status));
  EXPECT_NE(exit_status, 0);
}

TEST(Options, VersionEndsTheProgramWithSuccess) {
  int exit_status = -1;
  EXPECT_FALSE(Parse({"--version"}, exit_status));
  EXPECT_EQ(exit_status, 0);
}

TEST(Options, UnknownOptionIsAMistake) {
  int exit_status = 0;
  EXPECT_FALSE(Parse({"--frobnicate"}, exit_status));
  EXPECT_NE(exit_status, 0);
}

}  // namespace
}  // namespace linegate::app
