#include "controlplane/net/wss_admission.h"

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

TEST(Subprotocol, SipMustBeOneOfTheList) {
  EXPECT_TRUE(OffersSipSubprotocol("sip"));
  EXPECT_TRUE(OffersSipSubprotocol("msrp, sip"));
  EXPECT_TRUE(OffersSipSubprotocol("sip,chat"));
  EXPECT_FALSE(OffersSipSubprotocol(""));
  EXPECT_FALSE(OffersSipSubprotocol("sips"));
  EXPECT_FALSE(OffersSipSubprotocol("xsip, chat"));
  EXPECT_FALSE(OffersSipSubprotocol(",,"));
}

TEST(Origin, EmptyListAllowsEveryPage) {
  EXPECT_TRUE(OriginAllowed({}, "https://anything.example"));
  EXPECT_TRUE(OriginAllowed({}, ""));
}

TEST(Origin, ListAllowsItsMembersOnly) {
  const std::vector<std::string> allowed{"https://Phone.example", "https://b.example:8443"};
  EXPECT_TRUE(OriginAllowed(allowed, "https://phone.example"));
  EXPECT_TRUE(OriginAllowed(allowed, "https://b.example:8443"));
  EXPECT_FALSE(OriginAllowed(allowed, "https://b.example"));
  EXPECT_FALSE(OriginAllowed(allowed, "https://phone.example.evil.example"));
  EXPECT_FALSE(OriginAllowed(allowed, "null"));
  EXPECT_FALSE(OriginAllowed(allowed, ""));
}

}  // namespace
}  // namespace linegate::net
