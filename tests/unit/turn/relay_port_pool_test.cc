#include "controlplane/turn/relay_port_pool.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/support/turn_bench.h"

namespace linegate::turn {
namespace {

using Parity = RelayPortPool::Parity;

std::vector<RelayRealm> Realms(uint16_t first, uint16_t last) {
  RelayRealm realm;
  realm.bound = {IpAddress::V4(10, 0, 0, 1), *IpAddress::Parse("fd00::1")};
  realm.advertised = realm.bound;
  realm.shares = {{first, last}, {2, 1}};
  return {realm};
}
constexpr RelayPortPool::Place kIpv4{0, 0, IpFamily::kIpv4};
constexpr RelayPortPool::Place kIpv6{0, 0, IpFamily::kIpv6};

TEST(RelayPortPool, HandsOutEveryPortOnce) {
  test::CountingRng rng;
  RelayPortPool pool(Realms(50000, 50199), rng);
  std::set<uint16_t> seen;
  for (int i = 0; i < 200; ++i) {
    const auto port = pool.Acquire(kIpv4, Parity::kAny);
    ASSERT_TRUE(port);
    EXPECT_TRUE(*port >= 50000 && *port <= 50199);
    EXPECT_TRUE(seen.insert(*port).second);
  }
  EXPECT_FALSE(pool.Acquire(kIpv4, Parity::kAny));
  EXPECT_TRUE(pool.Acquire(kIpv6, Parity::kAny));  // another address, other ports
  EXPECT_EQ(pool.in_use(), 201u);
}

TEST(RelayPortPool, DoesNotHandThemOutInOrder) {
  test::CountingRng rng;
  RelayPortPool pool(Realms(50000, 59999), rng);
  int steps_of_one = 0;
  uint16_t last = *pool.Acquire(kIpv4, Parity::kAny);
  for (int i = 0; i < 100; ++i) {
    const uint16_t port = *pool.Acquire(kIpv4, Parity::kAny);
    if (port == last + 1) ++steps_of_one;
    last = port;
  }
  EXPECT_LT(steps_of_one, 5);
}

TEST(RelayPortPool, KnowsEvenPortsAndPairs) {
  test::CountingRng rng;
  RelayPortPool pool(Realms(50000, 50009), rng);
  std::set<uint16_t> taken;
  for (int i = 0; i < 2; ++i) {
    const auto even = pool.Acquire(kIpv4, Parity::kEven);
    ASSERT_TRUE(even);
    EXPECT_EQ(*even % 2, 0);
    taken.insert(*even);
  }
  for (int i = 0; i < 3; ++i) {
    const auto pair = pool.AcquirePair(kIpv4);
    ASSERT_TRUE(pair);
    EXPECT_EQ(*pair % 2, 0);
    taken.insert({*pair, uint16_t(*pair + 1)});
  }
  EXPECT_EQ(taken.size(), 8u);
  EXPECT_FALSE(pool.AcquirePair(kIpv4));  // two odd ports are left
  EXPECT_FALSE(pool.Acquire(kIpv4, Parity::kEven));
  EXPECT_TRUE(pool.Acquire(kIpv4, Parity::kAny));
  EXPECT_TRUE(pool.Acquire(kIpv4, Parity::kAny));
  EXPECT_EQ(pool.in_use(), 10u);
}

TEST(RelayPortPool, LetsReleasedPortsRestWhileOthersAreFree) {
  test::CountingRng rng;
  RelayPortPool pool(Realms(50000, 50099), rng);
  const uint16_t port = *pool.Acquire(kIpv4, Parity::kAny);
  pool.Release(kIpv4, port);
  for (int i = 0; i < 49; ++i) {
    const uint16_t other = *pool.Acquire(kIpv4, Parity::kAny);
    EXPECT_NE(other, port);
    pool.Release(kIpv4, other);
  }
  EXPECT_EQ(pool.in_use(), 0u);
}

TEST(RelayPortPool, RestIsNoReasonToRefuse) {
  test::CountingRng rng;
  RelayPortPool pool(Realms(50000, 50003), rng);
  for (int i = 0; i < 1000; ++i) {
    const auto pair = pool.AcquirePair(kIpv4);
    ASSERT_TRUE(pair) << i;
    pool.Release(kIpv4, *pair);
    pool.Release(kIpv4, uint16_t(*pair + 1));
  }
  EXPECT_EQ(pool.in_use(), 0u);
}

TEST(RelayPortPool, HasNothingWhereNothingIsConfigured) {
  test::CountingRng rng;
  RelayPortPool pool(Realms(50000, 50003), rng);
  EXPECT_FALSE(pool.Acquire({0, 1, IpFamily::kIpv4}, Parity::kAny));
  EXPECT_FALSE(pool.Acquire({0, 2, IpFamily::kIpv4}, Parity::kAny));
  EXPECT_FALSE(pool.Acquire({1, 0, IpFamily::kIpv4}, Parity::kAny));
}

}  // namespace
}  // namespace linegate::turn
