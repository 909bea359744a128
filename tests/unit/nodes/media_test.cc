#include <gtest/gtest.h>

#include <set>

#include "tests/support/dataplane_calls.h"

namespace linegate::test {
namespace {

using abi::Counter;
using abi::DropReason;

const std::vector<uint8_t> kVoice(160, 0x55);
constexpr uint32_t kSsrc = 0xb0b;

class Media : public testing::Test {
 protected:
  Media() : call_(bench_, transform_, Flow(0), Flow(1)) {
    call_.Program();
    call_.Connect(At("10.90.1.2:5000"));
    call_.InstallKeys();
  }
  std::vector<uint8_t> Secure(uint16_t sequence, uint64_t index, uint32_t ssrc = kSsrc) {
    return call_.browser.Protect(Rtp(0, sequence, sequence * 160u, ssrc, kVoice), index);
  }
  /// How many frames reach the phone.
  size_t ToPhone(ByteView packet) {
    call_.FromBrowser(packet);
    bench_.Run();
    return bench_.Sent(DataplaneBench::kPrivate).size();
  }
  /// What reaches the browser.
  std::vector<SentDatagram> ToBrowser(ByteView packet) {
    call_.FromPhone(packet);
    bench_.Run();
    return bench_.Sent(DataplaneBench::kPublic);
  }
  size_t ToBrowser(uint16_t sequence, uint32_t ssrc = 0xfe) {
    return ToBrowser(Rtp(0, sequence, sequence * 160u, ssrc, kVoice)).size();
  }

  crypto::NullTransform transform_;
  DataplaneBench bench_{1, &transform_};
  GatewayCall call_;
};

TEST_F(Media, AWrongTagChangesNothing) {
  auto packet = Secure(1000, 1000);
  const auto before = bench_.slot(call_.out);
  for (size_t i = 12; i < packet.size(); ++i) {
    auto damaged = packet;
    damaged[i] ^= 0x80;
    EXPECT_EQ(ToPhone(damaged), 0u);
  }
  EXPECT_EQ(ToPhone(Secure(60000, 60000 + 0x10000)), 0u) << "another rollover counter";
  EXPECT_EQ(bench_.drops(DropReason::kBadTag), packet.size() - 12 + 1);
  EXPECT_EQ(std::memcmp(&before, &bench_.slot(call_.out), sizeof before), 0);
  EXPECT_EQ(ToPhone(packet), 1u);
}

TEST_F(Media, DropsReplayedAndTooOldPackets) {
  EXPECT_EQ(ToPhone(Secure(1000, 1000)), 1u);
  EXPECT_EQ(ToPhone(Secure(1000, 1000)), 0u);
  EXPECT_EQ(bench_.drops(DropReason::kReplayed), 1u);
  EXPECT_EQ(ToPhone(Secure(1127, 1127)), 1u);
  EXPECT_EQ(ToPhone(Secure(999, 999)), 0u);
  EXPECT_EQ(bench_.drops(DropReason::kTooOld), 1u);
  EXPECT_EQ(ToPhone(Secure(1001, 1001)), 1u) << "late, but within the window";
  // Copies within one burst: the first wins.
  call_.FromBrowser(Secure(1128, 1128));
  call_.FromBrowser(Secure(1128, 1128));
  bench_.Run();
  EXPECT_EQ(bench_.Sent(DataplaneBench::kPrivate).size(), 1u);
  EXPECT_EQ(bench_.drops(DropReason::kReplayed), 2u);
  // SRTCP has a window of its own.
  const auto report = ReceiverReport(kSsrc, 1, 1);
  EXPECT_EQ(ToPhone(call_.browser.ProtectRtcp(report, 7)), 1u);
  EXPECT_EQ(ToPhone(call_.browser.ProtectRtcp(report, 7)), 0u);
  EXPECT_EQ(bench_.drops(DropReason::kReplayed), 3u);
}

TEST_F(Media, FollowsTheRolloverOfReceivedPackets) {
  for (uint64_t index = 65000; index < 66200; index += 100)
    EXPECT_EQ(ToPhone(Secure(uint16_t(index), index)), 1u);
  EXPECT_EQ(bench_.stats(call_.out).lost_pkts, 1101u - 12u);
}

TEST_F(Media, NamesEachKindOfBadPacket) {
  EXPECT_EQ(ToPhone(std::vector<uint8_t>{0x80}), 0u);
  EXPECT_EQ(bench_.drops(DropReason::kUnknownProtocol), 1u);
  EXPECT_EQ(ToPhone(std::vector<uint8_t>{0x80, 0, 0, 0, 0}), 0u);
  EXPECT_EQ(bench_.drops(DropReason::kBadRtp), 1u);
  EXPECT_EQ(ToPhone(Rtp(0, 1, 1, kSsrc, {})), 0u);
  EXPECT_EQ(bench_.drops(DropReason::kPlainRtpOnSrtpLeg), 1u);
  EXPECT_EQ(ToPhone(Rtp(0, 1, 1, kSsrc, kVoice)), 0u);
  EXPECT_EQ(bench_.drops(DropReason::kBadTag), 1u);
  EXPECT_EQ(ToPhone(call_.browser.Protect(Rtp(77, 1, 1, kSsrc, kVoice), 1)), 0u);
  EXPECT_EQ(bench_.drops(DropReason::kPayloadTypeUnknown), 1u);
  EXPECT_EQ(ToPhone(call_.browser.ProtectRtcp(std::vector<uint8_t>{0x80, 201, 0, 9, 1, 2, 3, 4}, 1)), 0u);
  EXPECT_EQ(bench_.drops(DropReason::kBadRtcp), 1u);
  auto padded = Rtp(0, 2, 1, kSsrc, kVoice);
  padded[0] |= 0x20;
  padded.back() = 255;
  EXPECT_EQ(ToPhone(call_.browser.Protect(padded, 2)), 0u);
  EXPECT_EQ(bench_.drops(DropReason::kBadRtp), 2u);
  EXPECT_EQ(bench_.stats(call_.out).dropped_pkts, 6u);
  EXPECT_EQ(bench_.stats(call_.out).last_drop_reason, uint32_t(DropReason::kBadRtp));
}

TEST_F(Media, LimitsTheSourcesOfALeg) {
  for (uint32_t ssrc = 1; ssrc <= abi::kReceiveSources; ++ssrc) EXPECT_EQ(ToPhone(Secure(1, 1, ssrc)), 1u);
  EXPECT_EQ(ToPhone(Secure(1, 1, 99)), 0u);
  EXPECT_EQ(bench_.drops(DropReason::kTooManySsrcs), 1u);
}

TEST_F(Media, ANinthSourceReplacesTheQuietestAndThatNeverComesBack) {
  constexpr uint32_t kAll = abi::kTransmitSources + abi::kRetiredSources;
  for (uint32_t ssrc = 1; ssrc <= abi::kTransmitSources; ++ssrc) EXPECT_EQ(ToBrowser(1, ssrc), 1u);
  EXPECT_EQ(ToBrowser(2, 1), 1u);  // 1 speaks again: 2 is the quietest now
  EXPECT_EQ(ToBrowser(1, 9), 1u);
  EXPECT_EQ(ToBrowser(3, 1), 1u);
  EXPECT_EQ(ToBrowser(2, 2), 0u) << "its indices are forgotten, so its SSRC is burnt";
  EXPECT_EQ(bench_.drops(DropReason::kTooManySsrcs), 1u);
  for (uint32_t ssrc = 10; ssrc <= kAll; ++ssrc) EXPECT_EQ(ToBrowser(1, ssrc), 1u);
  EXPECT_EQ(ToBrowser(1, kAll + 1), 0u) << "more than can be remembered";
  bench_.Restart();
  EXPECT_EQ(ToBrowser(2, 2), 0u);
  EXPECT_EQ(ToBrowser(2, kAll), 1u);
}

TEST_F(Media, WaitsForKeys) {
  DataplaneBench bench(1, &transform_);
  GatewayCall call(bench, transform_, Flow(0), Flow(1));
  call.Program();
  call.FromPhone(Rtp(0, 1, 1, 1, kVoice));
  bench.Run();
  EXPECT_EQ(bench.drops(DropReason::kNoRemote), 1u);
  call.Connect(At("10.90.1.2:5000"));
  call.FromPhone(Rtp(0, 1, 1, 1, kVoice));
  call.FromBrowser(Secure(1, 1));
  bench.Run();
  EXPECT_EQ(bench.drops(DropReason::kNoSendKey), 1u);
  EXPECT_EQ(bench.drops(DropReason::kNoReceiveKey), 1u);
}

TEST_F(Media, TakesRtpFromTheAddressOfTheSdpAlone) {
  bench_.Receive(DataplaneBench::kPrivate, At("10.90.2.3:6000"), call_.gateway_rtp, Rtp(0, 1, 1, 1, kVoice));
  bench_.Receive(DataplaneBench::kPrivate, At("10.90.2.2:6000"), call_.gateway_rtcp, ReceiverReport(1, 2, 3));
  bench_.Run();
  EXPECT_TRUE(bench_.Sent(DataplaneBench::kPublic).empty());
  EXPECT_EQ(bench_.drops(DropReason::kWrongSource), 2u);
}

TEST_F(Media, LatchesToTheFirstValidPacketWhereAsked) {
  call_.back_config.ingress.latch = 1;
  call_.back_config.ingress.expected[0] = {};
  call_.back_config.ingress.expected[1] = {};
  call_.Program();
  const auto from = [&](const Endpoint& source, ByteView payload) {
    bench_.Receive(DataplaneBench::kPrivate, source, call_.gateway_rtp, payload);
    bench_.Run();
    return bench_.Sent(DataplaneBench::kPublic).size();
  };
  EXPECT_EQ(from(At("10.90.2.9:9"), std::vector<uint8_t>{1, 2, 3}), 0u) << "not valid: teaches nothing";
  EXPECT_EQ(from(At("10.90.2.3:7000"), Rtp(0, 1, 1, 1, kVoice)), 1u);
  EXPECT_EQ(from(At("10.90.2.4:7000"), Rtp(0, 2, 2, 1, kVoice)), 0u);
  EXPECT_EQ(bench_.drops(DropReason::kWrongSource), 1u);
  bench_.Restart();
  EXPECT_EQ(from(At("10.90.2.4:7000"), Rtp(0, 3, 3, 1, kVoice)), 0u)
      << "what was learned outlives the process";
  EXPECT_EQ(from(At("10.90.2.3:7000"), Rtp(0, 3, 3, 1, kVoice)), 1u);
}

TEST_F(Media, NeverUsesAnIndexTwice) {
  // Duplicates, a restart, a rewind and two sources that fight over one SSRC; every packet that leaves is
  // noted.
  std::set<uint64_t> used;
  uint64_t highest = 0;
  const auto send = [&](uint16_t sequence) {
    for (const SentDatagram& datagram : ToBrowser(Rtp(0, sequence, 1, 0xfe, kVoice))) {
      const uint64_t index = srtp::EstimatePacketIndex(highest, LoadBe16(datagram.payload.data() + 2));
      EXPECT_FALSE(call_.browser.Unprotect(datagram.payload, index).empty()) << "the receiver follows";
      EXPECT_TRUE(used.insert(index).second) << "index " << index << " twice";
      highest = std::max(highest, index);
    }
  };
  for (uint16_t n = 100; n < 200; ++n) send(n), send(n);
  for (uint16_t n = 50; n < 150; ++n) send(n);                                  // the phone restarted
  for (uint16_t n = 30000; n < 30100; ++n) send(n), send(uint16_t(n - 29000));  // two of them
  bench_.Restart();
  for (uint16_t n = 30100; n < 30200; ++n) send(n);
  EXPECT_GT(used.size(), 390u) << "and the streams get through";
  EXPECT_GT(bench_.counter(Counter::kTransmitRenumbered), 0u);
}

TEST_F(Media, NumberingGoesOnWhenAnotherFlowIsJoinedWithTheLeg) {
  EXPECT_EQ(ToBrowser(1), 1u);
  EXPECT_EQ(ToBrowser(2), 1u);
  ASSERT_EQ(bench_.Remove(call_.back), abi::CommandStatus::kDone);
  call_.back = Flow(1, 2);
  call_.out_config.reverse = call_.back;
  call_.Program();
  call_.InstallKeys();
  EXPECT_EQ(ToBrowser(2), 0u) << "index 2 of this key and SSRC was used by the flow before";
  const auto sent = ToBrowser(Rtp(0, 3, 480, 0xfe, kVoice));
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_FALSE(call_.browser.Unprotect(sent[0].payload, 3).empty());
}

TEST_F(Media, ANewKeyStartsNumberingAnew) {
  EXPECT_EQ(ToBrowser(5), 1u);
  WebRtcPeer again(bench_, call_.out, transform_);
  ASSERT_EQ(bench_.Install(call_.back, abi::KeyUse::kSend, again.from_gateway()), abi::CommandStatus::kDone);
  const auto sent = ToBrowser(Rtp(0, 5, 1, 0xfe, kVoice));
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_FALSE(again.Unprotect(sent[0].payload, 5).empty());
}

TEST_F(Media, TranslatesReportsAboutARenumberedStream) {
  for (uint16_t n : {5000, 5001, 100, 101, 102}) ToBrowser(n);  // 101 confirms the restart and leaves as 5002
  const uint16_t offset = bench_.slot(call_.out).transmit.sources[0].index.offset;
  ASSERT_EQ(offset, uint16_t(5002 - 101));
  call_.FromBrowser(call_.browser.ProtectRtcp(ReceiverReport(kSsrc, 0xfe, 0x10000 + 5003), 1));
  bench_.Run();
  const auto sent = bench_.Sent(DataplaneBench::kPrivate);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].payload, ReceiverReport(kSsrc, 0xfe, 0x10000 + 102));
}

TEST_F(Media, NeedsRoomForTheTag) {
  // A frame that fills its buffer to the last byte.
  const std::vector<uint8_t> large(drivers::MemoryPool::kRoom - 14 - 20 - 8 - 12 - 2, 1);
  EXPECT_EQ(ToBrowser(Rtp(0, 1, 1, 0xfe, large)).size(), 0u);
  EXPECT_EQ(bench_.drops(DropReason::kNoRoom), 1u);
}

TEST_F(Media, SurvivesEveryTruncation) {
  const auto rtp = Secure(1, 1);
  const auto rtcp = call_.browser.ProtectRtcp(ReceiverReport(kSsrc, 1, 1), 1);
  for (const auto& packet : {rtp, rtcp, Rtp(0, 1, 1, 1, kVoice), ReceiverReport(1, 2, 3)}) {
    for (size_t length = 0; length < packet.size(); ++length) {
      const ByteView part = ByteView(packet).first(length);
      call_.FromBrowser(part);
      call_.FromPhone(part);
      bench_.Receive(DataplaneBench::kPrivate, At("10.90.2.2:6001"), call_.gateway_rtcp, part);
      bench_.Run();
    }
  }
  EXPECT_TRUE(bench_.Sent(DataplaneBench::kPrivate).empty());
  EXPECT_EQ(ToPhone(rtp), 1u);
  EXPECT_EQ(ToPhone(rtcp), 1u);
}

TEST_F(Media, KeepsTheNextHopOfTheOtherSide) {
  call_.out_config.egress.next_hop.known = 0;
  call_.Program();
  EXPECT_EQ(ToPhone(Secure(1, 1)), 0u);
  EXPECT_EQ(bench_.drops(DropReason::kNoNextHop), 1u);
  call_.out_config.egress.next_hop = NextHopTo(DataplaneBench::kPrivate);
  call_.out_config.egress.next_hop.port_id = 7;
  call_.Program();
  EXPECT_EQ(ToPhone(Secure(2, 2)), 0u) << "a port that does not exist";
  EXPECT_EQ(bench_.drops(DropReason::kNoNextHop), 2u);
}

TEST_F(Media, RtcpMuxOnTheRtpSide) {
  call_.back_config.ingress.rtcp_mux = 1;
  call_.back_config.ingress.local[1] = call_.back_config.ingress.local[0];
  call_.back_config.ingress.expected[1] = call_.back_config.ingress.expected[0];
  call_.out_config.egress.rtcp_mux = 1;
  call_.out_config.egress.local[1] = call_.out_config.egress.local[0];
  call_.out_config.egress.remote[1] = call_.out_config.egress.remote[0];
  call_.Program();
  const auto sent = ToBrowser(ReceiverReport(1, kSsrc, 3));
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(call_.browser.UnprotectRtcp(sent[0].payload), ReceiverReport(1, kSsrc, 3));
  call_.FromBrowser(call_.browser.ProtectRtcp(ReceiverReport(kSsrc, 1, 1), 1));
  bench_.Run();
  const auto out = bench_.Sent(DataplaneBench::kPrivate);
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0].destination, call_.phone);
  EXPECT_EQ(out[0].source, call_.gateway_rtp);
}

TEST_F(Media, MeasuresLossAndJitter) {
  for (uint16_t n : {1, 2, 4, 5, 5, 7}) {
    bench_.Advance(std::chrono::milliseconds(20));
    call_.FromPhone(Rtp(0, n, n * 160u, 1, kVoice));
    bench_.Run();
  }
  EXPECT_EQ(bench_.stats(call_.back).received_pkts, 6u);
  EXPECT_EQ(bench_.stats(call_.back).lost_pkts, 1u)
      << "7 expected, 6 received (RFC 3550 A.3 counts a copy as received)";
  EXPECT_GT(bench_.stats(call_.back).jitter_rtp_ticks, 0u);
}

}  // namespace
}  // namespace linegate::test
