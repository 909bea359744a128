// The DPDK port on capture files: real mempool, real ethdev, no network and no privileges.
#include "drivers/net/dpdk_port.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "dataplane/app/eal_setup.h"
#include "drivers/net/vlan_port.h"
#include "tests/support/packet_builder.h"

namespace linegate::drivers {
namespace {

using ::testing::ElementsAreArray;
using Frame = std::vector<uint8_t>;

/// libpcap's file format, native byte order: magic, version 2.4, snap length, link type 1 (Ethernet).
void WriteCapture(const std::string& path, const std::vector<Frame>& frames) {
  std::ofstream file(path, std::ios::binary);
  const auto put = [&](const void* data, size_t bytes) {
    file.write(static_cast<const char*>(data), long(bytes));
  };
  const uint32_t header[] = {0xa1b2c3d4, 4u << 16 | 2, 0, 0, 65535, 1};
  put(header, sizeof header);
  for (const Frame& frame : frames) {
    const uint32_t record[] = {0, 0, uint32_t(frame.size()), uint32_t(frame.size())};
    put(record, sizeof record);
    put(frame.data(), frame.size());
  }
}

std::vector<Frame> ReadCapture(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  std::vector<Frame> frames;
  for (size_t at = 24; at + 16 <= text.size();) {
    uint32_t length = 0;
    std::memcpy(&length, text.data() + at + 8, 4);
    at += 16;
    frames.emplace_back(text.begin() + long(at), text.begin() + long(at + length));
    at += length;
  }
  return frames;
}

class DpdkPortTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    ASSERT_TRUE(app::StartEal(settings::HugepageMode::kOff, DpdkPool::MegabytesFor(1)));
    ASSERT_TRUE(app::RegisterWorkerThread());
    auto pool = DpdkPool::Create(kBuffers);
    ASSERT_TRUE(pool) << pool.error().message();
    pool_ = std::make_unique<DpdkPool>(std::move(*pool));
  }
  static void TearDownTestSuite() {
    pool_.reset();
    app::StopEal();
  }
  std::string Path(const char* name) const {
    return ::testing::TempDir() + "dpdk_port_" + std::to_string(getpid()) + "_" + name + ".pcap";
  }
  std::unique_ptr<DpdkPort> Open(const PcapDevice& device) {
    auto port = DpdkPort::Open(*pool_, 7, device);
    EXPECT_TRUE(port) << port.error().message();
    return std::move(*port);
  }
  void TearDown() override {
    unlink(Path("in").c_str()), unlink(Path("out").c_str());
    EXPECT_EQ(pool_->free_count(), kBuffers) << "buffers leaked";
  }
  static constexpr size_t kBuffers = 1023;
  static std::unique_ptr<DpdkPool> pool_;
  std::array<io::Packet, io::kMaxBurst> burst_;
};
std::unique_ptr<DpdkPool> DpdkPortTest::pool_;

TEST_F(DpdkPortTest, ReplaysACaptureInOrder) {
  std::vector<Frame> frames;
  for (size_t i = 0; i < 100; ++i) frames.push_back(Frame(60 + i, uint8_t(i)));
  WriteCapture(Path("in"), frames);
  auto port = Open({"replay", Path("in"), ""});
  std::vector<Frame> received;
  while (const size_t count = port->Receive(burst_)) {
    for (const io::Packet& packet : std::span(burst_).first(count)) {
      received.emplace_back(packet.bytes().begin(), packet.bytes().end());
      EXPECT_EQ(packet.port_id, 7);
      EXPECT_EQ(packet.rx_checksum, io::RxChecksum::kUnknown);
      EXPECT_GE(packet.headroom, 64);
    }
    port->Free(std::span(burst_).first(count));
  }
  EXPECT_THAT(received, ElementsAreArray(frames));
  EXPECT_EQ(port->stats().received_pkts, 100u);
}

TEST_F(DpdkPortTest, RecordsFramesMovedAndGrownInPlace) {
  WriteCapture(Path("in"), {Frame(60, 0x11), Frame(61, 0x22)});
  {
    auto port = Open({"rewrite", Path("in"), Path("out")});
    ASSERT_EQ(port->Receive(burst_), 2u);
    io::Packet& first = burst_[0];
    first.data -= 4, first.headroom -= 4, first.length += 6, first.tailroom -= 2;
    first.data[0] = 0xaa, first.data[65] = 0xbb;
    io::Packet& second = burst_[1];
    second.data += 1, second.length -= 11;
    EXPECT_EQ(port->Send(std::span(burst_).first(2)), 2u);
    EXPECT_EQ(port->stats().sent_pkts, 2u);
  }
  const auto sent = ReadCapture(Path("out"));
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(sent[0].size(), 66u);
  EXPECT_EQ(sent[0].front(), 0xaa);
  EXPECT_EQ(sent[0][10], 0x11);
  EXPECT_EQ(sent[0].back(), 0xbb);
  EXPECT_THAT(sent[1], ElementsAreArray(Frame(50, 0x22)));
}

TEST_F(DpdkPortTest, SpeaksOneVlanOfATrunk) {
  const auto frame = [](uint16_t tci, const char* text) {
    test::PacketBuilder builder;
    builder.Ethernet().Ipv4("10.0.0.1", "10.0.0.2").Udp(5000, 6000).Payload(text);
    if (tci != 0) builder.Vlan(tci);
    return builder.Build();
  };
  WriteCapture(Path("in"),
               {frame(100, "one"), frame(0, "untagged"), frame(101, "another"), frame(0xe064, "two")});
  {
    auto trunk = Open({"trunk", Path("in"), Path("out")});
    VlanPort port(*trunk, 100);
    ASSERT_EQ(port.Receive(burst_), 2u);
    EXPECT_THAT(burst_[0].bytes(), ElementsAreArray(frame(0, "one")));
    EXPECT_THAT(burst_[1].bytes(), ElementsAreArray(frame(0, "two")));
    EXPECT_EQ(port.stats().wrong_vlan_pkts, 2u);
    EXPECT_EQ(port.Send(std::span(burst_).first(2)), 2u);
    io::Packet made;
    ASSERT_TRUE(port.Allocate(made));
    const Frame text = frame(0, "made here");
    std::ranges::copy(text, made.data);
    made.length = uint16_t(text.size());
    EXPECT_EQ(port.Send({&made, 1}), 1u);
  }
  EXPECT_THAT(ReadCapture(Path("out")),
              ::testing::ElementsAre(frame(100, "one"), frame(100, "two"), frame(100, "made here")));
}

TEST_F(DpdkPortTest, SendsMoreThanOneBurst) {
  {
    auto port = Open({"many", "", Path("out")});
    std::vector<io::Packet> packets(100);
    for (io::Packet& packet : packets) {
      ASSERT_TRUE(port->Allocate(packet));
      packet.length = 60;
    }
    EXPECT_EQ(port->Send(packets), 100u);
  }
  EXPECT_EQ(ReadCapture(Path("out")).size(), 100u);
}

TEST_F(DpdkPortTest, FramesInSeveralBuffersAreDropped) {
  WriteCapture(Path("in"), {Frame(60, 1), Frame(4000, 2), Frame(60, 3)});
  auto port = Open({"jumbo", Path("in"), ""});
  std::vector<uint8_t> firsts;
  for (int turn = 0; turn < 3; ++turn) {
    const size_t count = port->Receive(burst_);
    for (size_t i = 0; i < count; ++i) firsts.push_back(burst_[i].data[0]);
    port->Free(std::span(burst_).first(count));
  }
  EXPECT_THAT(firsts, ::testing::ElementsAre(1, 3));
}

TEST_F(DpdkPortTest, AllocatedBuffersHaveRoomAndRunOut) {
  auto port = Open({"pool", "", Path("out")});
  std::vector<io::Packet> packets;
  io::Packet packet;
  while (port->Allocate(packet)) {
    EXPECT_EQ(packet.length, 0);
    EXPECT_GE(packet.headroom, 64);
    EXPECT_GE(packet.tailroom, 1600);
    packets.push_back(packet);
  }
  EXPECT_LE(packets.size(), kBuffers);
  EXPECT_GT(packets.size(), kBuffers / 2);
  port->Free(packets);
}

TEST_F(DpdkPortTest, MissingCaptureIsAnErrorThatNamesTheDevice) {
  auto port = DpdkPort::Open(*pool_, 0, PcapDevice{"missing", "/nonexistent.pcap", ""});
  ASSERT_FALSE(port);
  EXPECT_THAT(port.error().message(), ::testing::HasSubstr("net_pcap_missing"));
}

}  // namespace
}  // namespace linegate::drivers
