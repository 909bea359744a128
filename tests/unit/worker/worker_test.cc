#include "dataplane/worker/worker.h"

#include <gtest/gtest.h>

#include "tests/support/dataplane_calls.h"

namespace linegate::test {
namespace {

using abi::Counter;

TEST(Worker, PublishesCountersUnderAnEvenEpoch) {
  DataplaneBench bench;
  bench.Receive(0, At("10.90.1.2:5000"), At("10.90.1.1:9"), std::vector<uint8_t>(4));
  bench.Run();
  abi::WorkerCounters copy;
  abi::ReadCounters(bench.link().counters(0), copy);
  EXPECT_EQ(copy.epoch % 2, 0u);
  EXPECT_EQ(copy.counters[size_t(Counter::kReceivedPkts)], 1u);
  EXPECT_EQ(copy.drops[size_t(abi::DropReason::kNoFlow)], 1u);
}

TEST(Worker, CountersGoOnOverARestart) {
  DataplaneBench bench;
  bench.Receive(0, At("10.90.1.2:5000"), At("10.90.1.1:9"), std::vector<uint8_t>(4));
  bench.Run();
  bench.Restart();
  bench.Receive(0, At("10.90.1.2:5000"), At("10.90.1.1:9"), std::vector<uint8_t>(4));
  bench.Run();
  EXPECT_EQ(bench.counter(Counter::kReceivedPkts), 2u);
}

TEST(Worker, BeatsItsHeart) {
  DataplaneBench bench;
  bench.Run();
  const uint64_t before = bench.link().header().dataplane_heartbeat_ns.load();
  bench.Advance(std::chrono::milliseconds(50));
  EXPECT_GE(bench.link().header().dataplane_heartbeat_ns.load() - before, 40'000'000u);
}

TEST(Worker, CountsTurnsThatBeganLate) {
  DataplaneBench bench;
  bench.settings().idle = settings::IdleMode::kPoll;
  bench.Restart();
  bench.Run();
  const uint64_t turns = bench.counter(Counter::kLateTurns), late = bench.counter(Counter::kLateMicroseconds);
  bench.Advance(std::chrono::microseconds(99));
  bench.Advance(std::chrono::milliseconds(5));
  EXPECT_EQ(bench.counter(Counter::kLateTurns) - turns, 1u);
  EXPECT_EQ(bench.counter(Counter::kLateMicroseconds) - late, 5000u);
}

TEST(Worker, ANapIsNotLate) {
  DataplaneBench bench;
  bench.settings().idle = settings::IdleMode::kAdaptive;
  bench.Restart();
  bench.Run();
  const uint64_t turns = bench.counter(Counter::kLateTurns);
  bench.Advance(std::chrono::milliseconds(5));
  EXPECT_EQ(bench.counter(Counter::kLateTurns), turns);
  bench.Receive(0, At("10.90.1.2:5000"), At("10.90.1.1:9"), std::vector<uint8_t>(4));
  EXPECT_TRUE(bench.Turn(0));
  bench.Advance(std::chrono::milliseconds(5));
  EXPECT_EQ(bench.counter(Counter::kLateTurns), turns + 1) << "it had work and did not nap";
}

TEST(Worker, TakesMoreThanOneBurst) {
  DataplaneBench bench;
  for (int i = 0; i < 100; ++i)
    bench.Receive(0, At("10.90.1.2:5000"), At("10.90.1.1:9"), std::vector<uint8_t>(4));
  bench.Run();
  EXPECT_EQ(bench.counter(Counter::kReceivedPkts), 100u);
  EXPECT_EQ(bench.pool().free_count(), bench.pool().capacity());
}

TEST(Worker, CountsWhatAFullPortRefuses) {
  DataplaneBench bench;
  uint8_t buffer[32];
  const uint8_t transaction[12] = {};
  wire::StunMessageWriter writer(buffer, wire::StunClass::kRequest, wire::StunMethod::kBinding, transaction);
  const ByteView request = writer.Finish();
  bench.port(0).LimitSend(1);
  for (int i = 0; i < 3; ++i) bench.Receive(0, At("10.90.1.2:5000"), At("10.90.1.1:3478"), request);
  bench.Run();
  EXPECT_EQ(bench.counter(Counter::kSentPkts), 1u);
  EXPECT_EQ(bench.counter(Counter::kSendFailedPkts), 2u);
}

TEST(Worker, FreesASlotThatItCannotUnderstand) {
  crypto::NullTransform transform;
  DataplaneBench bench(1, &transform);
  GatewayCall call(bench, transform, Flow(0), Flow(1));
  call.Program();
  bench.slot(call.out).config.payload_count = 99;
  bench.slot(call.back).receive_key.installed = 1;
  bench.slot(call.back).receive_key.profile = 0x7777;
  bench.Restart();
  EXPECT_EQ(bench.counter(Counter::kActiveFlows), 0u);
  EXPECT_EQ(bench.Program(Flow(0, 2), call.out_config), abi::CommandStatus::kDone);
}

}  // namespace
}  // namespace linegate::test
