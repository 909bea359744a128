#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <set>

#include "tests/support/dataplane_calls.h"

/// Workers write nothing that others write (design D4): a line of memory that two cores take from each other costs more than a
/// packet.
namespace linegate::test {
namespace {

using abi::Counter;
using abi::DropReason;

constexpr size_t kLineBytes = 128;  // adjacent lines are fetched in pairs
const std::vector<uint8_t> kVoice(160, 0x55);
const std::vector<uint8_t> kHello = {22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0,
                                     0,  0,    0,    4, 1, 0, 0, 0};  // a DTLS record

template <typename T>
std::vector<uint8_t> BytesOf(const T& object) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(&object);
  return {bytes, bytes + sizeof object};
}

/// The lines of `object` that `change` writes another value to.
template <typename T, typename Change>
std::set<size_t> LinesWritten(const T& object, Change&& change) {
  const std::vector<uint8_t> before = BytesOf(object);
  change();
  const std::vector<uint8_t> after = BytesOf(object);
  std::set<size_t> lines;
  for (size_t i = 0; i < before.size(); ++i) {
    if (before[i] != after[i]) lines.insert(i / kLineBytes);
  }
  return lines;
}

TEST(Isolation, TheEndsOfAHandOverRingWriteLinesOfTheirOwn) {
  worker::HandoverMesh mesh(2);
  worker::HandoverMesh::Lane& lane = mesh.lane(0, 1);
  ASSERT_EQ(reinterpret_cast<uintptr_t>(&lane) % kLineBytes, 0u);
  std::set<size_t> producer, consumer;
  // Twice round, from empty to full and back, so that each side also looks at the other's cursor.
  for (uint32_t n = 0; n < 2 * worker::HandoverMesh::kPackets; n += 512) {
    producer.merge(LinesWritten(lane, [&] {
      io::Packet packet;
      for (uint32_t i = 0; i < 512; ++i) {
        packet.length = uint16_t(n + i + 1);
        ASSERT_TRUE(lane.packets.TryPush(worker::HandedPacket(packet, uint8_t(n / 512))));
      }
      ASSERT_TRUE(lane.messages.TryPush({}));
    }));
    consumer.merge(LinesWritten(lane, [&] {
      worker::HandedPacket handed;
      while (lane.packets.TryPop(handed)) continue;
      nodes::FlowMessage message;
      while (lane.messages.TryPop(message)) continue;
    }));
  }
  EXPECT_GT(producer.size(), 1024 * sizeof(worker::HandedPacket) / kLineBytes / 2);
  EXPECT_GE(consumer.size(), 2u);
  for (size_t line : consumer) EXPECT_FALSE(producer.contains(line)) << "line " << line;
}

/// The link region during a turn of one worker: what belongs to nobody or to another may be read only.
class Fence {
 public:
  Fence(DataplaneBench& bench, uint16_t running) : layout_(bench.link().layout()) {
    base_ = reinterpret_cast<uint8_t*>(bench.link().command_ring(0)) - layout_.command_ring(0);
    for (uint32_t worker = 0; worker < layout_.workers(); ++worker) {
      if (worker != running) Protect(layout_.command_ring(worker), End(worker), PROT_READ);
    }
    // The heartbeat is worker 0's.
    if (running != 0) Protect(0, layout_.command_ring(0), PROT_READ);
  }
  ~Fence() { Protect(0, layout_.total_bytes(), PROT_READ | PROT_WRITE); }
  Fence(const Fence&) = delete;
  Fence& operator=(const Fence&) = delete;

 private:
  uint64_t End(uint32_t worker) const {
    return worker + 1 < layout_.workers() ? layout_.command_ring(worker + 1) : layout_.total_bytes();
  }
  void Protect(uint64_t from, uint64_t to, int how) const {
    LG_FATAL(from % 4096 == 0 && to % 4096 == 0);
    LG_FATAL(mprotect(base_ + from, to - from, how) == 0);
  }
  abi::LinkLayout layout_;
  uint8_t* base_;
};

TEST(Isolation, TheFenceKills) {
  DataplaneBench bench(2);
  EXPECT_DEATH(
      {
        const Fence fence(bench, 0);
        bench.link().counters(1).counters[0] = 1;
      },
      "");
}

TEST(Isolation, AWorkerWritesNoPartOfTheLinkButItsOwn) {
  crypto::NullTransform transform;
  DataplaneBench bench(2, &transform);
  // The two directions of this call live on different workers.
  GatewayCall call(bench, transform, Flow(0, 1, 0), Flow(5, 1, 1), 40100);
  call.Program();
  call.Connect(At("10.90.1.2:5000"));
  call.InstallKeys();
  for (uint16_t n = 0; n < 50; ++n) {
    // Each packet at the wrong worker, STUN and DTLS among them, and one that nobody owns.
    bench.Receive(0, call.address, call.browser.gateway(),
                  call.browser.Protect(Rtp(0, n, 1, 0xb0b, kVoice), n), 1);
    bench.Receive(1, call.phone, call.gateway_rtp, Rtp(0, n, 160, 0xfe, kVoice), 0);
    bench.Receive(0, call.address, call.browser.gateway(), call.browser.Check({}), 1);
    bench.Receive(0, call.address, call.browser.gateway(), kHello, 1);
    bench.Receive(1, call.phone, At("10.90.2.1:40002"), Rtp(0, n, 160, 0xfe, kVoice), 1);
    for (int turn = 0; turn < 3; ++turn) {
      for (uint16_t worker : {uint16_t(0), uint16_t(1)}) {
        const std::vector<uint8_t> others =
            BytesOf(bench.slot(Flow(worker == 0 ? 5 : 0, 1, uint16_t(1 - worker))));
        {
          const Fence fence(bench, worker);
          bench.Turn(worker);
        }
        EXPECT_EQ(others, BytesOf(bench.slot(Flow(worker == 0 ? 5 : 0, 1, uint16_t(1 - worker)))));
      }
    }
  }
  EXPECT_EQ(bench.counter(Counter::kForwardedPkts, 0), 50u);
  EXPECT_EQ(bench.counter(Counter::kForwardedPkts, 1), 50u);
  EXPECT_GE(bench.counter(Counter::kHandedOverPkts, 0) + bench.counter(Counter::kHandedOverPkts, 1), 200u);
  EXPECT_EQ(bench.Punts(0).size(), 50u);
}

/// `queue_of(i, owner)`: where packet i, whose port `owner` owns, arrives.
template <typename QueueOf>
double HandOverShare(uint16_t workers, QueueOf&& queue_of) {
  DataplaneBench bench(workers);
  const flow::LocalPorts ports(bench.settings());
  constexpr uint32_t kPackets = 960;
  uint32_t expected = 0;
  for (uint32_t i = 0; i < kPackets; ++i) {
    const Endpoint to = {*IpAddress::Parse("10.90.2.1"), uint16_t(40000 + i * 7 % 192)};
    flow::LocalPort local;
    EXPECT_TRUE(ports.Find(to, local));
    const auto queue = uint16_t(queue_of(i, local.owner));
    expected += queue != local.owner ? 1 : 0;
    bench.Receive(1, At("10.90.2.2:6000"), to, Rtp(0, uint16_t(i), 1, 1, kVoice), queue);
    if (i % 64 == 63) bench.Run();
  }
  bench.Run();
  uint64_t handed = 0, arrived = 0;
  for (uint16_t worker = 0; worker < workers; ++worker) {
    handed += bench.counter(Counter::kHandedOverPkts, worker);
    arrived += bench.drops(DropReason::kNoFlow, worker);
    EXPECT_EQ(bench.drops(DropReason::kHandoverRingFull, worker), 0u);
  }
  EXPECT_EQ(handed, expected);
  EXPECT_EQ(arrived, kPackets) << "each reached its owner, once";
  return double(handed) / kPackets;
}

TEST(Isolation, HandOverShareFollowsTheQueues) {
  for (uint16_t workers : {uint16_t(1), uint16_t(2), uint16_t(4), uint16_t(8)}) {
    const auto any = [&](uint32_t i, uint16_t) { return i * 2654435761u >> 16 & (workers - 1u); };
    EXPECT_NEAR(HandOverShare(workers, any), double(workers - 1) / workers, 0.06) << workers;
    EXPECT_EQ(HandOverShare(workers, [](uint32_t, uint16_t owner) { return owner; }), 0.0) << workers;
  }
}

}  // namespace
}  // namespace linegate::test
