#include <gtest/gtest.h>

#include "tests/support/dataplane_calls.h"

/// Two workers whose queues receive each other's packets (design D4).
namespace linegate::test {
namespace {

using abi::Counter;
using abi::DropReason;

const std::vector<uint8_t> kVoice(160, 0x55);

TEST(TwoWorkers, HandPacketsToTheOwnerOfTheFlow) {
  crypto::NullTransform transform;
  DataplaneBench bench(2, &transform);
  GatewayCall call(bench, transform, Flow(0), Flow(1));
  call.Program();
  call.Connect(At("10.90.1.2:5000"));
  call.InstallKeys();
  // Everything arrives at queue 1; worker 0 owns the call.
  bench.Receive(0, call.address, call.browser.gateway(), call.browser.Protect(Rtp(0, 1, 1, 0xb0b, kVoice), 1),
                1);
  bench.Receive(1, call.phone, call.gateway_rtp, Rtp(0, 9, 160, 0xfe, kVoice), 1);
  bench.Run();
  EXPECT_EQ(bench.Sent(1).size(), 1u);
  EXPECT_EQ(bench.Sent(0).size(), 1u);
  EXPECT_EQ(bench.counter(Counter::kHandedOverPkts, 1), 2u);
  EXPECT_EQ(bench.counter(Counter::kForwardedPkts, 0), 2u);
  EXPECT_EQ(bench.all_drops(0) + bench.all_drops(1), 0u);
}

TEST(TwoWorkers, CarryTheTwoDirectionsOfOneCall) {
  crypto::NullTransform transform;
  DataplaneBench bench(2, &transform);
  // Worker 1's share of the RTP ports begins in the middle of the range.
  GatewayCall call(bench, transform, Flow(0, 1, 0), Flow(5, 1, 1), 40100);
  call.Program();
  call.Connect(At("10.90.1.2:5000"));
  call.InstallKeys();
  call.FromBrowser(call.browser.Protect(Rtp(0, 1, 1, 0xb0b, kVoice), 1));
  call.FromPhone(Rtp(0, 9, 160, 0xfe, kVoice));
  bench.Run();
  EXPECT_EQ(bench.Sent(1).size(), 1u);
  const auto sent = bench.Sent(0);
  ASSERT_EQ(sent.size(), 1u) << "worker 1 learned the path by message";
  EXPECT_EQ(sent[0].destination, call.address);
  // A flow that is made again asks for the path and need not wait for the next check.
  ASSERT_EQ(bench.Remove(call.back), abi::CommandStatus::kDone);
  call.back.generation = 2;
  call.out_config.reverse = call.back;
  ASSERT_EQ(bench.Program(call.out, call.out_config), abi::CommandStatus::kDone);
  ASSERT_EQ(bench.Program(call.back, call.back_config), abi::CommandStatus::kDone);
  ASSERT_EQ(bench.Install(call.back, abi::KeyUse::kSend, call.browser.from_gateway()),
            abi::CommandStatus::kDone);
  call.FromPhone(Rtp(0, 10, 320, 0xfe, kVoice));
  bench.Run();
  EXPECT_EQ(bench.Sent(0).size(), 1u);
}

TEST(TwoWorkers, LoopOwnAddressesAcrossTheHandOverRing) {
  crypto::NullTransform transform;
  DataplaneBench bench(2, &transform);
  GatewayCall first(bench, transform, Flow(0, 1, 0), Flow(1, 1, 0), 40000, At("10.90.2.1:40100"));
  GatewayCall second(bench, transform, Flow(0, 1, 1), Flow(1, 1, 1), 40100, At("10.90.2.1:40000"));
  first.Program();
  second.Program();
  first.Connect(At("10.90.1.2:5000"));
  second.Connect(At("10.90.1.3:5000"));
  first.InstallKeys();
  second.InstallKeys();
  first.FromBrowser(first.browser.Protect(Rtp(0, 1, 1, 0xb0b, kVoice), 1));
  bench.Run();
  const auto sent = bench.Sent(0);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].destination, second.address);
  EXPECT_EQ(second.browser.Unprotect(sent[0].payload, 1), Rtp(0, 1, 1, 0xb0b, kVoice));
  EXPECT_EQ(bench.counter(Counter::kLoopedPkts, 0), 1u);
  EXPECT_EQ(bench.counter(Counter::kHandedOverPkts, 0), 1u);
}

TEST(TwoWorkers, StopALoopAfterThreeHops) {
  // Two RTP flows that send into each other's ports: a signalling loop.
  DataplaneBench bench(2);
  abi::FlowConfig config = BaseConfig();
  config.ingress = RtpIngress(40000, At("10.90.2.1:40100"));
  config.egress = RtpEgress(40000, At("10.90.2.1:40100"));
  config.ingress.latch = 1;
  ASSERT_EQ(bench.Program(Flow(0, 1, 0), config), abi::CommandStatus::kDone);
  config.ingress = RtpIngress(40100, At("10.90.2.1:40000"));
  config.egress = RtpEgress(40100, At("10.90.2.1:40000"));
  config.ingress.latch = 1;
  ASSERT_EQ(bench.Program(Flow(0, 1, 1), config), abi::CommandStatus::kDone);
  // The stranger's first packet is latched by worker 0; what comes back from worker 1 is another source.
  bench.Receive(1, At("10.90.2.2:6000"), At("10.90.2.1:40000"), Rtp(0, 1, 1, 1, kVoice));
  bench.Run();
  EXPECT_TRUE(bench.Sent(1).empty());
  EXPECT_EQ(bench.drops(DropReason::kWrongSource, 0), 1u);
}

TEST(TwoWorkers, StopAFlowThatSendsToItself) {
  DataplaneBench bench(1);
  abi::FlowConfig config = BaseConfig();
  config.ingress = RtpIngress(40000, At("10.90.2.1:40000"));
  config.egress = RtpEgress(40000, At("10.90.2.1:40000"));
  ASSERT_EQ(bench.Program(Flow(0), config), abi::CommandStatus::kDone);
  config.ingress = RtpIngress(40010, At("10.90.2.2:6000"));
  config.egress = RtpEgress(40000, At("10.90.2.1:40000"));
  ASSERT_EQ(bench.Program(Flow(1), config), abi::CommandStatus::kDone);
  bench.Receive(1, At("10.90.2.2:6000"), At("10.90.2.1:40010"), Rtp(0, 1, 1, 1, kVoice));
  bench.Run();
  EXPECT_TRUE(bench.Sent(1).empty());
  EXPECT_EQ(bench.counter(Counter::kLoopedPkts), 3u);
  EXPECT_EQ(bench.drops(DropReason::kHairpinLoop), 1u);
}

TEST(TwoWorkers, CountWhatTheHandOverRingCannotTake) {
  DataplaneBench bench(2);
  // A worker that does not run is a full ring in the end; here it is simply asked for more than fits in one
  // turn.
  for (size_t i = 0; i < 400; ++i) {
    bench.Receive(1, At("10.90.2.2:6000"), At("10.90.2.1:40000"), Rtp(0, uint16_t(i), 1, 1, kVoice), 1);
  }
  bench.Run();
  EXPECT_EQ(bench.counter(Counter::kHandedOverPkts, 1), 400u);
  EXPECT_EQ(bench.drops(DropReason::kNoFlow, 0), 400u);
}

}  // namespace
}  // namespace linegate::test
