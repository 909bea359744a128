#include <gtest/gtest.h>

#include "dataplane/wire/frame_view.h"
#include "tests/support/dataplane_calls.h"
#include "tests/support/packet_builder.h"

/// The public side on VLAN 100 of a trunk, the private one without a tag.
namespace linegate::test {
namespace {

using abi::Counter;
using abi::DropReason;

constexpr uint16_t kVlan = 100;
const std::vector<uint8_t> kVoice(160, 0x55);
const std::vector<uint8_t> kBindingRequest = FromHex("000100002112a442000102030405060708090a0b");

/// The VLAN of each frame sent since the last call; 0: untagged.
std::vector<int> VlansSent(DataplaneBench& bench, uint16_t port) {
  std::vector<int> vlans;
  for (const auto& frame : bench.port(port).TakeSent()) {
    wire::FrameView view;
    EXPECT_EQ(wire::ParseFrame(frame, view), wire::FrameError::kNone);
    vlans.push_back(view.tagged ? view.vlan_tci : 0);
  }
  return vlans;
}

TEST(Vlan, ACallCrossesFromATaggedSideToAnUntaggedOne) {
  crypto::NullTransform transform;
  DataplaneBench bench(1, &transform, kVlan);
  GatewayCall call(bench, transform, Flow(0), Flow(1));
  call.Program();
  call.Connect(At("10.90.1.2:5000"));
  call.InstallKeys();
  call.FromBrowser(call.browser.Protect(Rtp(0, 1, 1, 0xb0b, kVoice), 1));
  call.FromPhone(Rtp(0, 9, 160, 0xfe, kVoice));
  bench.Run();
  EXPECT_EQ(VlansSent(bench, DataplaneBench::kPrivate), std::vector<int>{0});
  EXPECT_EQ(VlansSent(bench, DataplaneBench::kPublic), std::vector<int>{kVlan});
  EXPECT_EQ(bench.all_drops(), 0u);
}

TEST(Vlan, WhatIsNotOfItsVlanIsDroppedAndCountedAcrossARestart) {
  DataplaneBench bench(1, nullptr, kVlan);
  const auto ask = [&](uint16_t tci) {
    PacketBuilder builder;
    builder.Ethernet().From(At("10.90.1.2:5000")).To(At("10.90.1.1:3478")).Payload(kBindingRequest);
    if (tci != 0) builder.Vlan(tci);
    bench.ReceiveFrame(DataplaneBench::kPublic, builder.Build());
    bench.Run();
    return VlansSent(bench, DataplaneBench::kPublic);
  };
  EXPECT_EQ(ask(kVlan), std::vector<int>{kVlan});
  EXPECT_TRUE(ask(0).empty());
  EXPECT_TRUE(ask(kVlan + 1).empty());
  EXPECT_TRUE(ask(0xa000).empty()) << "a priority tag names no VLAN";
  bench.Advance(std::chrono::milliseconds(10));
  EXPECT_EQ(bench.drops(DropReason::kWrongVlan), 3u);
  EXPECT_EQ(bench.counter(Counter::kReceivedPkts), 1u);
  EXPECT_EQ(bench.counter(Counter::kStunBindingsAnswered), 1u);
  bench.Restart();
  bench.Advance(std::chrono::milliseconds(10));
  const uint64_t after_restart = bench.drops(DropReason::kWrongVlan);
  EXPECT_GE(after_restart, 3u);
  EXPECT_TRUE(ask(7).empty());
  bench.Advance(std::chrono::milliseconds(10));
  EXPECT_EQ(bench.drops(DropReason::kWrongVlan), after_restart + 1);
}

}  // namespace
}  // namespace linegate::test
