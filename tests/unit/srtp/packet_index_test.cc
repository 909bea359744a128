#include "dataplane/srtp/packet_index.h"

#include <gtest/gtest.h>

namespace linegate::srtp {
namespace {

/// RFC 3711 appendix A, as printed there; v is taken modulo 2^32.
uint64_t AppendixA(uint64_t highest, uint16_t seq) {
  const auto roc = uint32_t(highest >> 16);
  const auto s_l = uint16_t(highest);
  uint32_t v = roc;
  if (s_l < 32768) {
    if (int(seq) - int(s_l) > 32768) v = roc - 1;
  } else {
    if (int(s_l) - 32768 > int(seq)) v = roc + 1;
  }
  return uint64_t{v} << 16 | seq;
}

TEST(PacketIndex, EstimatesLikeAppendixA) {
  for (uint32_t roc : {1u, 2u, 77u, 0xfffffffeu}) {
    for (uint32_t s_l = 0; s_l < 0x10000; s_l += 257) {
      for (uint32_t seq = 0; seq < 0x10000; seq += 119) {
        const uint64_t highest = MakePacketIndex(roc, uint16_t(s_l));
        ASSERT_EQ(EstimatePacketIndex(highest, uint16_t(seq)), AppendixA(highest, uint16_t(seq)))
            << s_l << " " << seq;
      }
    }
  }
}

TEST(PacketIndex, EstimatesTheBordersLikeAppendixA) {
  for (uint32_t s_l : {0u, 1u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu}) {
    for (uint32_t seq = 0; seq < 0x10000; ++seq) {
      const uint64_t highest = MakePacketIndex(5, uint16_t(s_l));
      ASSERT_EQ(EstimatePacketIndex(highest, uint16_t(seq)), AppendixA(highest, uint16_t(seq)))
          << s_l << " " << seq;
    }
  }
}

TEST(PacketIndex, RollsOver) {
  EXPECT_EQ(EstimatePacketIndex(0xffff, 0), 0x10000u);
  EXPECT_EQ(EstimatePacketIndex(0x10000, 0xffff), 0xffffu);
  EXPECT_EQ(EstimatePacketIndex(0x1ffff, 3), 0x20003u);
}

TEST(PacketIndex, NeverGoesBelowZero) {
  for (uint32_t s_l = 0; s_l < 0x8000; s_l += 13) {
    EXPECT_EQ(EstimatePacketIndex(s_l, 0xffff), 0xffffu) << "not 2^48 - 1";
  }
}

TEST(PacketIndex, NeverGoesBeyond48Bits) {
  EXPECT_EQ(EstimatePacketIndex(kMaxPacketIndex, 0), kMaxPacketIndex - 0xffff);
  EXPECT_EQ(EstimatePacketIndex(kMaxPacketIndex - 1, 0xffff), kMaxPacketIndex);
}

}  // namespace
}  // namespace linegate::srtp
