#include "controlplane/ops/logging.h"

#include <gtest/gtest.h>

namespace linegate::ops {
namespace {

TEST(LogLine, IsKeysAndValues) {
  EXPECT_EQ(
      FormatLogLine("call_started", {{"call", 17}, {"codec", "PCMU"}, {"reason", ""}}, ShowRedacted::kMasked),
      "event=call_started call=17 codec=PCMU reason=\"\"");
}

TEST(LogLine, CannotBeForgedByItsValues) {
  EXPECT_EQ(FormatLogLine("bad", {{"text", "a\r\nevent=x \"q\" \\ \x1b[0m"}}, ShowRedacted::kMasked),
            "event=bad text=\"a\\x0d\\x0aevent=x \\\"q\\\" \\\\ \\x1b[0m\"");
}

TEST(LogLine, ShowsAddressesOnlyWhenAsked) {
  const Endpoint v4 = *Endpoint::Parse("192.0.2.77:40000"), v6 = *Endpoint::Parse("[2001:db8::7]:443");
  EXPECT_EQ(FormatLogLine("e", {{"a", Redacted(v4)}, {"b", Redacted(v6)}}, ShowRedacted::kMasked),
            "event=e a=192.0.*.*:40000 b=[2001:db8:*]:443");
  EXPECT_EQ(FormatLogLine("e", {{"a", Redacted(v4)}, {"b", Redacted(v6)}}, ShowRedacted::kPlain),
            "event=e a=192.0.2.77:40000 b=[2001:db8::7]:443");
}

TEST(Redacted, HidesNames) {
  EXPECT_EQ(Masked("sip:alice@lab.example"), "si***");
  EXPECT_EQ(Masked("1001"), "***");
  EXPECT_EQ(Masked(IpAddress()), "none");
}

}  // namespace
}  // namespace linegate::ops
