// Runs one kind of packet through a worker a fixed number of times; perf/instructions.py has callgrind count what
// MeasuredTurns executes. Prints how many packets that were. A second argument: turns of an empty loop to add to each packet.
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "perf/bench/dataplane/worker/worker_gateway.h"

namespace linegate::bench {
namespace {

constexpr size_t kCalls = 64;
constexpr uint64_t kBursts = 200;

/// The frames of a scenario, where they arrive, and where each burst's answer leaves.
struct Scenario {
  LoopPort Gateway::*in;
  LoopPort Gateway::*out;
  std::vector<std::vector<uint8_t>> frames;
  bool numbered;  ///< RTP: each round has its own sequence number
};

std::vector<std::vector<uint8_t>> Bindings() {
  std::vector<std::vector<uint8_t>> frames;
  for (uint16_t n = 0; n < kCalls; ++n) {
    uint8_t buffer[64];
    const uint8_t transaction[12] = {uint8_t(n)};
    wire::StunMessageWriter writer(buffer, wire::StunClass::kRequest, wire::StunMethod::kBinding,
                                   transaction);
    const Endpoint from{IpAddress::V4(10, 0, 2, uint8_t(n + 1)), 5000};
    const Endpoint to{IpAddress::V4(10, 0, 0, 1), 3478};
    frames.push_back(test::PacketBuilder().Ethernet().From(from).To(to).Payload(writer.Finish()).Build());
  }
  return frames;
}

/// What callgrind counts, with everything below it. Loading the next burst is not the worker's work.
[[gnu::noinline]] void MeasuredTurns(Gateway& gateway, uint64_t handicap) {
  gateway.Turn();
  for (uint64_t n = 0; n < handicap * io::kMaxBurst; ++n) asm volatile("nop");
}

int Run(std::string_view name, uint64_t handicap) {
  Site site(1);
  Gateway gateway(site, 0, kCalls);
  Scenario scenario;
  if (name == "rtp_to_srtp") {
    scenario = {&Gateway::inside, &Gateway::outside, gateway.from_phones, true};
  } else if (name == "srtp_to_rtp") {
    scenario = {&Gateway::outside, &Gateway::inside, gateway.from_browsers, true};
  } else if (name == "stun_binding") {
    scenario = {&Gateway::outside, &Gateway::outside, Bindings(), false};
  } else {
    std::fprintf(stderr, "worker_instructions: rtp_to_srtp, srtp_to_rtp or stun_binding\n");
    return 2;
  }
  const uint64_t before = (gateway.*scenario.out).sent();
  for (uint64_t burst = 0; burst < kBursts; ++burst) {
    const uint64_t packet = burst * io::kMaxBurst;
    (gateway.*scenario.in)
        .Load(scenario.frames, packet % kCalls,
              scenario.numbered ? std::optional(uint16_t(packet / kCalls + 1)) : std::nullopt);
    MeasuredTurns(gateway, handicap);
  }
  const uint64_t sent = (gateway.*scenario.out).sent() - before;
  if (sent != kBursts * io::kMaxBurst) {
    std::fprintf(stderr, "worker_instructions: %llu packets were sent\n",
                 static_cast<unsigned long long>(sent));
    return 1;
  }
  std::printf("%llu\n", static_cast<unsigned long long>(sent));
  return 0;
}

}  // namespace
}  // namespace linegate::bench

int main(int argc, char** argv) {
  return linegate::bench::Run(argc > 1 ? argv[1] : "", argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 0);
}
