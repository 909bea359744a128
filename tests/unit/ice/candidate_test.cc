#include "controlplane/ice/candidate.h"

#include <gmock/gmock.h>

namespace linegate::ice {
namespace {

using ::testing::ElementsAre;

TEST(HostCandidates, AreOnePerAddressInTheOperatorsOrder) {
  EXPECT_THAT(HostCandidates({IpAddress::V4(10, 90, 1, 1), *IpAddress::Parse("fd90:1::1")}, 20000),
              ElementsAre("1 1 udp 2130706431 10.90.1.1 20000 typ host",
                          "2 1 udp 2130706175 fd90:1::1 20000 typ host"));
}

TEST(HostCandidates, AreNoneWithoutAddress) { EXPECT_TRUE(HostCandidates({}, 20000).empty()); }

}  // namespace
}  // namespace linegate::ice
