#include "dataplane/nodes/reflect.h"

#include <gtest/gtest.h>

#include "tests/support/dataplane_calls.h"

namespace linegate::nodes {
namespace {

TEST(FillTone, IsFourHundredHertzInBothLaws) {
  // 8000 sin(2 pi i / 20) encoded by an independent G.711 coder.
  const std::vector<uint8_t> pcmu = {0xff, 0xbb, 0xad, 0xa6, 0xa1, 0xa0, 0xa1, 0xa6, 0xad, 0xbb,
                                     0xff, 0x3b, 0x2d, 0x26, 0x21, 0x20, 0x21, 0x26, 0x2d, 0x3b};
  const std::vector<uint8_t> pcma = {0xd5, 0x96, 0x87, 0x8c, 0x88, 0x8a, 0x88, 0x8c, 0x87, 0x96,
                                     0xd5, 0x16, 0x07, 0x0c, 0x08, 0x0a, 0x08, 0x0c, 0x07, 0x16};
  std::vector<uint8_t> payload(20);
  FillTone(payload, 0, 160);
  EXPECT_EQ(payload, pcmu);
  FillTone(payload, 8, 160);
  EXPECT_EQ(payload, pcma);
  payload.resize(5);
  FillTone(payload, 0, 165);
  EXPECT_EQ(payload, (std::vector<uint8_t>{0xa0, 0xa1, 0xa6, 0xad, 0xbb}))
      << "the phase follows the timestamp";
}

TEST(Reflect, KeepsDistancesAndStartsLow) {
  test::CountingRng rng;
  PrfStream random(rng);
  abi::ReflectState state;
  auto first = test::Rtp(0, 65535, 100, 7, {});
  auto late = test::Rtp(0, 65534, 4294967236, 7, {});
  auto second = test::Rtp(0, 0, 260, 7, {});
  Reflect(first, 42, state, random);
  Reflect(second, 42, state, random);
  Reflect(late, 42, state, random);
  const uint16_t start = LoadBe16(first.data() + 2);
  EXPECT_LT(start, 0x8000);
  EXPECT_EQ(LoadBe16(second.data() + 2), uint16_t(start + 1));
  EXPECT_EQ(LoadBe16(late.data() + 2), uint16_t(start - 1));
  EXPECT_EQ(LoadBe32(second.data() + 4) - LoadBe32(first.data() + 4), 160u);
  EXPECT_EQ(LoadBe32(first.data() + 8), 42u);
}

}  // namespace
}  // namespace linegate::nodes
