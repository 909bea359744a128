#include "drivers/net/vlan_port.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "drivers/net/memory_port.h"
#include "tests/support/packet_builder.h"

namespace linegate::drivers {
namespace {

using test::PacketBuilder;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;
using Frame = std::vector<uint8_t>;

PacketBuilder Datagram() {
  PacketBuilder builder;
  builder.Ethernet().Ipv4("10.0.0.1", "10.0.0.2").Udp(5000, 6000).Payload("hello");
  return builder;
}

class VlanPortTest : public ::testing::Test {
 protected:
  ~VlanPortTest() override { EXPECT_EQ(pool_.free_count(), pool_.capacity()); }
  MemoryPool pool_{80};
  MemoryPort trunk_{pool_, 3, MacAddress{{2, 0, 0, 0, 0, 1}}};
  VlanPort port_{trunk_, 100};
  std::array<io::Packet, io::kMaxBurst> burst_;
};

TEST_F(VlanPortTest, TakesTheTagOffWhateverThePriority) {
  trunk_.Inject(Datagram().Vlan(100).Build());
  trunk_.Inject(Datagram().Vlan(0xb064).Build(), io::RxChecksum::kGood);  // priority 5, DEI, VLAN 100
  ASSERT_EQ(port_.Receive(burst_), 2u);
  for (const io::Packet& packet : std::span(burst_).first(2)) {
    EXPECT_THAT(packet.bytes(), ElementsAreArray(Datagram().Build()));
    EXPECT_EQ(packet.port_id, 3);
    EXPECT_EQ(packet.headroom, MemoryPool::kHeadroom + 4);
  }
  EXPECT_EQ(burst_[1].rx_checksum, io::RxChecksum::kGood);
  port_.Free(std::span(burst_).first(2));
  EXPECT_EQ(port_.stats().received_pkts, 2u);
  EXPECT_EQ(port_.stats().wrong_vlan_pkts, 0u);
}

TEST_F(VlanPortTest, DropsAndCountsEverythingElse) {
  const struct {
    const char* what;
    Frame frame;
  } rows[] = {
      {"another VLAN", Datagram().Vlan(101).Build()},
      {"no tag", Datagram().Build()},
      {"priority-tagged", Datagram().Vlan(0xa000).Build()},
      {"service tag",
       [] {
         Frame frame = Datagram().Vlan(100).Build();
         frame[12] = 0x88, frame[13] = 0xa8;
         return frame;
       }()},
      {"cut within the tag",
       [] {
         Frame frame = Datagram().Vlan(100).Build();
         frame.resize(17);
         return frame;
       }()},
      {"nothing", {}},
  };
  for (const auto& row : rows) {
    const uint64_t before = port_.stats().wrong_vlan_pkts;
    trunk_.Inject(row.frame);
    EXPECT_EQ(port_.Receive(burst_), 0u) << row.what;
    EXPECT_EQ(port_.stats().wrong_vlan_pkts, before + 1) << row.what;
  }
  EXPECT_EQ(port_.stats().received_pkts, 0u);
}

TEST_F(VlanPortTest, KeepsTheOrderAroundWhatItDrops) {
  for (uint8_t n = 0; n < 20; ++n)
    trunk_.Inject(Datagram().Vlan(n % 3 == 0 ? 7 : 100).Payload(ByteView(&n, 1)).Build());
  const size_t kept = port_.Receive(burst_);
  std::vector<int> numbers;
  for (const io::Packet& packet : std::span(burst_).first(kept)) numbers.push_back(packet.bytes()[42]);
  port_.Free(std::span(burst_).first(kept));
  EXPECT_THAT(numbers, ElementsAre(1, 2, 4, 5, 7, 8, 10, 11, 13, 14, 16, 17, 19));
  EXPECT_EQ(port_.stats().wrong_vlan_pkts, 7u);
}

TEST_F(VlanPortTest, PutsTheTagOnWhatItSends) {
  trunk_.Inject(Datagram().Vlan(0xe064).Build());
  ASSERT_EQ(port_.Receive(burst_), 1u);
  EXPECT_EQ(port_.Send(std::span(burst_).first(1)), 1u);
  io::Packet made;
  ASSERT_TRUE(port_.Allocate(made));
  const Frame frame = Datagram().Payload("made here").Build();
  std::ranges::copy(frame, made.data);
  made.length = uint16_t(frame.size());
  EXPECT_EQ(port_.Send({&made, 1}), 1u);
  EXPECT_THAT(trunk_.TakeSent(),
              ElementsAre(Datagram().Vlan(100).Build(), Datagram().Payload("made here").Vlan(100).Build()));
  EXPECT_EQ(port_.stats().sent_pkts, 2u);
}

TEST_F(VlanPortTest, SendsMoreThanOneBurst) {
  std::vector<io::Packet> packets(2 * io::kMaxBurst + 3);
  for (io::Packet& packet : packets) {
    ASSERT_TRUE(port_.Allocate(packet));
    packet.length = 60;
    std::ranges::fill(packet.mutable_bytes(), uint8_t{7});
  }
  EXPECT_EQ(port_.Send(packets), packets.size());
  EXPECT_EQ(trunk_.TakeSent().size(), packets.size());
}

TEST_F(VlanPortTest, CountsWhatHasNoRoomForATag) {
  trunk_.Inject(Datagram().Vlan(100).Build());
  ASSERT_EQ(port_.Receive(burst_), 1u);
  burst_[0].headroom = 3;
  EXPECT_EQ(port_.Send(std::span(burst_).first(1)), 0u);
  EXPECT_EQ(port_.stats().send_failed_pkts, 1u);
  EXPECT_THAT(trunk_.TakeSent(), IsEmpty());
}

}  // namespace
}  // namespace linegate::drivers
