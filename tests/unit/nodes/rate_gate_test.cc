#include "dataplane/nodes/rate_gate.h"

#include <gtest/gtest.h>

#include "dataplane/nodes/source_limiter.h"
#include "tests/support/dataplane_bench.h"

namespace linegate::nodes {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

TEST(RateLimit, LetsABurstThroughAndThenTheRate) {
  const RateLimit limit = RateLimit::PerSecond(10, 20);
  uint64_t gate = 0;
  uint64_t now = 77 * kSecond;
  uint32_t passed = 0;
  for (int i = 0; i < 100; ++i) passed += limit.Take(gate, now) ? 1 : 0;
  EXPECT_EQ(passed, 20u);
  passed = 0;
  for (int i = 0; i < 1000; ++i, now += kSecond / 100) passed += limit.Take(gate, now) ? 1 : 0;
  EXPECT_NEAR(passed, 100, 1);
  now += 3600 * kSecond;  // what was not used is not saved beyond the burst
  passed = 0;
  for (int i = 0; i < 100; ++i) passed += limit.Take(gate, now) ? 1 : 0;
  EXPECT_EQ(passed, 20u);
}

TEST(RateLimit, OfZeroIsNone) {
  const RateLimit limit = RateLimit::PerSecond(0, 0);
  uint64_t gate = 0;
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(limit.Take(gate, 5));
}

TEST(ByteRate, HoldsOverAnyRateAndSize) {
  for (const uint32_t rate : {1u, 1000u, 125'000u, 4'000'000'000u}) {
    ByteRate gate(rate);
    uint64_t now = kSecond, bytes = 0;
    const uint64_t packet = rate < 1000 ? 1 : rate / 100 > 60'000 ? 60'000 : rate / 100;
    const uint64_t step = kSecond * packet / rate / 4;
    for (int i = 0; i < 4000; ++i, now += step) {
      if (gate.Take(packet, now)) bytes += packet;
    }
    const double seconds = double(now - kSecond) / 1e9;
    EXPECT_NEAR(double(bytes), rate * seconds, rate * 0.26 + double(packet) + rate * seconds * 0.01) << rate;
  }
  ByteRate unlimited;
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(unlimited.Take(65507, 1));
}

TEST(ByteRate, LetsALargePacketThroughInTheEnd) {
  ByteRate gate(1);
  EXPECT_TRUE(gate.Take(65507, kSecond));
  EXPECT_FALSE(gate.Take(1, 2 * kSecond));
  EXPECT_TRUE(gate.Take(65507, 65509 * kSecond));
}

TEST(SourceLimiter, KeepsSourcesApart) {
  test::CountingRng rng;
  PrfStream random(rng);
  SourceLimiter limiter(5, random);
  const auto passed = [&](const IpAddress& source) {
    uint32_t count = 0;
    for (int i = 0; i < 100; ++i) count += limiter.Take(source, kSecond) ? 1 : 0;
    return count;
  };
  EXPECT_EQ(passed(*IpAddress::Parse("192.0.2.1")), 10u);
  EXPECT_EQ(passed(*IpAddress::Parse("192.0.2.2")), 10u);
  EXPECT_EQ(passed(*IpAddress::Parse("2001:db8:1:2::1")), 10u);
  EXPECT_EQ(passed(*IpAddress::Parse("2001:db8:1:2:ffff::9")), 0u) << "the same /64";
  EXPECT_EQ(passed(*IpAddress::Parse("2001:db8:1:3::1")), 10u);
}

}  // namespace
}  // namespace linegate::nodes
