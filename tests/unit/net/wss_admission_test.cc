#include "controlplane/net/wss_admission.h"

#include <gtest/gtest.h>

namespace linegate::net {
namespace {

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
