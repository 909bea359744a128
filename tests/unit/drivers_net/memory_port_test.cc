#include "drivers/net/memory_port.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

namespace linegate::drivers {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Frame = std::vector<uint8_t>;

class MemoryPortTest : public ::testing::Test {
 protected:
  MemoryPool pool_{4};
  MemoryPort first_{pool_, 0, MacAddress{{2, 0, 0, 0, 0, 1}}};
  MemoryPort second_{pool_, 1, MacAddress{{2, 0, 0, 0, 0, 2}}};
  std::array<io::Packet, io::kMaxBurst> burst_;
};

TEST_F(MemoryPortTest, ReceivesInjectedFramesInOrderWithTheirChecksumState) {
  first_.Inject(Frame{1, 2, 3}, io::RxChecksum::kUnfinished);
  first_.Inject(Frame{4}, io::RxChecksum::kGood);
  ASSERT_EQ(first_.Receive(burst_), 2u);
  EXPECT_THAT(burst_[0].bytes(), ElementsAre(1, 2, 3));
  EXPECT_EQ(burst_[0].rx_checksum, io::RxChecksum::kUnfinished);
  EXPECT_EQ(burst_[0].port_id, 0);
  EXPECT_EQ(burst_[0].headroom, MemoryPool::kHeadroom);
  EXPECT_EQ(burst_[0].tailroom, MemoryPool::kRoom - 3);
  EXPECT_THAT(burst_[1].bytes(), ElementsAre(4));
  EXPECT_EQ(burst_[1].rx_checksum, io::RxChecksum::kGood);
  first_.Free(std::span(burst_).first(2));
  EXPECT_EQ(pool_.free_count(), pool_.capacity());
}

TEST_F(MemoryPortTest, FrameReceivedOnOnePortIsSentGrownByAnother) {
  first_.Inject(Frame{7, 8});
  ASSERT_EQ(first_.Receive(burst_), 1u);
  io::Packet& packet = burst_[0];
  packet.data -= 1, packet.headroom -= 1, packet.length += 2, packet.tailroom -= 1;
  packet.data[0] = 6, packet.data[3] = 9;
  EXPECT_EQ(second_.Send(std::span(&packet, 1)), 1u);
  EXPECT_THAT(second_.TakeSent(), ElementsAre(ElementsAre(6, 7, 8, 9)));
  EXPECT_THAT(second_.TakeSent(), IsEmpty());
  EXPECT_EQ(pool_.free_count(), pool_.capacity());
}

TEST_F(MemoryPortTest, WhatTheWireDoesNotTakeIsFreedAndCounted) {
  second_.LimitSend(1);
  for (uint8_t i = 0; i < 3; ++i) first_.Inject(Frame{i});
  ASSERT_EQ(first_.Receive(burst_), 3u);
  EXPECT_EQ(second_.Send(std::span(burst_).first(3)), 1u);
  EXPECT_THAT(second_.TakeSent(), ElementsAre(ElementsAre(0)));
  EXPECT_EQ(second_.stats().sent_pkts, 1u);
  EXPECT_EQ(second_.stats().send_failed_pkts, 2u);
  EXPECT_EQ(pool_.free_count(), pool_.capacity());
}

TEST_F(MemoryPortTest, AllocateFailsWhenThePoolIsEmptyAndFramesWait) {
  pool_.Exhaust();
  first_.Inject(Frame{1});
  EXPECT_FALSE(first_.Allocate(burst_[0]));
  EXPECT_EQ(first_.Receive(burst_), 0u);
  pool_.Refill();
  EXPECT_EQ(first_.Receive(burst_), 1u);
  for (int i = 1; i < 4; ++i) ASSERT_TRUE(second_.Allocate(burst_[i]));
  EXPECT_FALSE(second_.Allocate(burst_[4]));
  first_.Free(std::span(burst_).first(4));
}

TEST_F(MemoryPortTest, AllocatedBufferIsEmptyWithRoomOnBothSides) {
  io::Packet packet;
  ASSERT_TRUE(second_.Allocate(packet));
  EXPECT_EQ(packet.length, 0);
  EXPECT_EQ(packet.port_id, 1);
  EXPECT_GE(packet.headroom, 64);
  EXPECT_GE(packet.tailroom, 1600);
  second_.Free(std::span(&packet, 1));
}

TEST_F(MemoryPortTest, FreeingTwiceAborts) {
  io::Packet packet;
  ASSERT_TRUE(first_.Allocate(packet));
  first_.Free(std::span(&packet, 1));
  EXPECT_DEATH(first_.Free(std::span(&packet, 1)), "invariant broken");
}

}  // namespace
}  // namespace linegate::drivers
