#include "controlplane/net/source_limiter.h"

#include <gtest/gtest.h>

namespace linegate::net {
namespace {

using Admission = SourceLimiter::Admission;
IpAddress Ip(std::string_view text) { return *IpAddress::Parse(text); }

TEST(SourceLimiter, LimitsOneSourceAndAll) {
  SourceLimiter limiter({.total = 3, .per_source = 2});
  EXPECT_EQ(limiter.Admit(Ip("192.0.2.1")), Admission::kAdmitted);
  EXPECT_EQ(limiter.Admit(Ip("192.0.2.1")), Admission::kAdmitted);
  EXPECT_EQ(limiter.Admit(Ip("192.0.2.1")), Admission::kSourceReached);
  EXPECT_EQ(limiter.Admit(Ip("192.0.2.2")), Admission::kAdmitted);
  EXPECT_EQ(limiter.Admit(Ip("192.0.2.3")), Admission::kTotalReached);
  limiter.Release(Ip("192.0.2.1"));
  EXPECT_EQ(limiter.Admit(Ip("192.0.2.3")), Admission::kAdmitted);
}

TEST(SourceLimiter, CountsAnIpv6SubnetAsOneSource) {
  SourceLimiter limiter({.total = 10, .per_source = 1});
  EXPECT_EQ(limiter.Admit(Ip("2001:db8:0:1::1")), Admission::kAdmitted);
  EXPECT_EQ(limiter.Admit(Ip("2001:db8:0:1:ffff::2")), Admission::kSourceReached);
  EXPECT_EQ(limiter.Admit(Ip("2001:db8:0:2::1")), Admission::kAdmitted);
  limiter.Release(Ip("2001:db8:0:1::9"));
  EXPECT_EQ(limiter.Admit(Ip("2001:db8:0:1::3")), Admission::kAdmitted);
  EXPECT_EQ(limiter.total(), 2u);
}

}  // namespace
}  // namespace linegate::net
