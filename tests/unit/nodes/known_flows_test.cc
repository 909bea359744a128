// Packets of a flow are recognised by their 5-tuple; nothing that the long way would refuse comes through that way.
#include <gtest/gtest.h>

#include "tests/support/dataplane_calls.h"
#include "tests/support/packet_builder.h"

namespace linegate::test {
namespace {

using abi::Counter;
using abi::DropReason;

const std::vector<uint8_t> kVoice(160, 0x55);
const Endpoint kBrowser = At("10.90.1.2:5000");
const Endpoint kPhone = At("10.90.2.2:6000");

class KnownFlow : public testing::Test {
 protected:
  KnownFlow() : call_(bench_, transform_, Flow(0), Flow(1)) {
    call_.Program();
    call_.Connect(kBrowser);
    call_.InstallKeys();
  }
  std::vector<uint8_t> Secure(uint16_t sequence) {
    return call_.browser.Protect(Rtp(0, sequence, 0, 0xb0b, kVoice), sequence);
  }
  std::vector<uint8_t> Plain(uint16_t sequence) { return Rtp(0, sequence, 0, 0xfe, kVoice); }
  size_t ToPhone(ByteView packet) {
    call_.FromBrowser(packet);
    bench_.Run();
    return bench_.Sent(DataplaneBench::kPrivate).size();
  }
  size_t ToBrowser(ByteView packet, const Endpoint& from = kPhone) {
    bench_.Receive(DataplaneBench::kPrivate, from, call_.gateway_rtp, packet);
    bench_.Run();
    return bench_.Sent(DataplaneBench::kPublic).size();
  }
  uint64_t known() const { return bench_.counter(Counter::kKnownSourcePkts); }

  crypto::NullTransform transform_;
  DataplaneBench bench_{1, &transform_};
  GatewayCall call_;
};

TEST_F(KnownFlow, IsRecognisedFromItsSecondPacketOn) {
  EXPECT_EQ(ToPhone(Secure(1)), 1u);
  EXPECT_EQ(ToBrowser(Plain(1)), 1u);
  EXPECT_EQ(known(), 0u);
  for (uint16_t n = 2; n < 10; ++n) {
    EXPECT_EQ(ToPhone(Secure(n)), 1u);
    EXPECT_EQ(ToBrowser(Plain(n)), 1u);
  }
  EXPECT_EQ(known(), 16u);
}

TEST_F(KnownFlow, IsForgottenWhenAnotherSourceIsConfigured) {
  EXPECT_EQ(ToBrowser(Plain(1)), 1u);
  EXPECT_EQ(ToBrowser(Plain(2)), 1u);
  const Endpoint other = At("10.90.2.9:7000");
  call_.back_config.ingress = RtpIngress(call_.gateway_rtp.port, other);
  ASSERT_EQ(bench_.Program(call_.back, call_.back_config), abi::CommandStatus::kDone);
  EXPECT_EQ(ToBrowser(Plain(3)), 0u);
  EXPECT_EQ(bench_.drops(DropReason::kWrongSource), 1u);
  EXPECT_EQ(ToBrowser(Plain(4), other), 1u);
  EXPECT_EQ(ToBrowser(Plain(5), other), 1u);
  EXPECT_EQ(ToBrowser(Plain(6)), 0u);
}

TEST_F(KnownFlow, IsForgottenWithTheFlow) {
  EXPECT_EQ(ToPhone(Secure(1)), 1u);
  EXPECT_EQ(ToPhone(Secure(2)), 1u);
  EXPECT_EQ(ToBrowser(Plain(1)), 1u);
  ASSERT_EQ(bench_.Remove(call_.out), abi::CommandStatus::kDone);
  ASSERT_EQ(bench_.Remove(call_.back), abi::CommandStatus::kDone);
  EXPECT_EQ(ToPhone(Secure(3)), 0u);
  EXPECT_EQ(bench_.drops(DropReason::kUnvalidatedSource), 1u);
  EXPECT_EQ(ToBrowser(Plain(2)), 0u);
  EXPECT_EQ(bench_.drops(DropReason::kNoFlow), 1u);
}

TEST_F(KnownFlow, IsForgottenWithThePathAndLearnedAgain) {
  EXPECT_EQ(ToPhone(Secure(1)), 1u);
  EXPECT_EQ(ToPhone(Secure(2)), 1u);
  // The leg's address is taken away with all its paths.
  call_.out_config.ingress.local[1] = {};
  ASSERT_EQ(bench_.Program(call_.out, call_.out_config), abi::CommandStatus::kDone);
  const size_t before = bench_.drops(DropReason::kUnvalidatedSource);
  EXPECT_EQ(ToPhone(Secure(3)), 0u);
  EXPECT_EQ(bench_.drops(DropReason::kUnvalidatedSource), before + 1);
  call_.Connect(kBrowser);
  EXPECT_EQ(ToBrowser(Plain(1)), 1u) << "nothing is selected, so the nomination need not wait";
  EXPECT_EQ(ToPhone(Secure(4)), 1u);
  const uint64_t known_before = known();
  EXPECT_EQ(ToPhone(Secure(5)), 1u);
  EXPECT_EQ(known(), known_before + 1);
}

TEST_F(KnownFlow, StillHasItsChecksumVerifiedAndItsSide) {
  EXPECT_EQ(ToBrowser(Plain(1)), 1u);
  bench_.ReceiveFrame(DataplaneBench::kPrivate, PacketBuilder()
                                                    .Ethernet()
                                                    .From(kPhone)
                                                    .To(call_.gateway_rtp)
                                                    .Payload(Plain(2))
                                                    .UdpChecksum(0x1234)
                                                    .Build());
  bench_.ReceiveFrame(
      DataplaneBench::kPublic,
      PacketBuilder().Ethernet().From(kPhone).To(call_.gateway_rtp).Payload(Plain(3)).Build());
  bench_.Run();
  EXPECT_TRUE(bench_.Sent(DataplaneBench::kPublic).empty());
  EXPECT_EQ(bench_.drops(DropReason::kBadChecksum), 1u);
  EXPECT_EQ(bench_.drops(DropReason::kBadSource), 1u);
  EXPECT_EQ(known(), 0u);
  // No checksum at all is legal over IPv4 (RFC 768).
  bench_.ReceiveFrame(
      DataplaneBench::kPrivate,
      PacketBuilder().Ethernet().From(kPhone).To(call_.gateway_rtp).Payload(Plain(4)).UdpChecksum(0).Build());
  bench_.Run();
  EXPECT_EQ(bench_.Sent(DataplaneBench::kPublic).size(), 1u);
}

TEST_F(KnownFlow, TellsRtcpStunAndDtlsOfTheSameTupleApart) {
  EXPECT_EQ(ToPhone(Secure(1)), 1u);
  EXPECT_EQ(ToPhone(call_.browser.ProtectRtcp(ReceiverReport(0xb0b, 1, 1), 1)), 1u);
  EXPECT_EQ(known(), 1u);
  call_.Connect(kBrowser);  // a check from the known address
  call_.FromBrowser(std::vector<uint8_t>{22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0});
  bench_.Run();
  EXPECT_EQ(bench_.Punts().size(), 1u);
  call_.FromBrowser(std::vector<uint8_t>{250, 1, 2, 3});
  bench_.Run();
  EXPECT_EQ(bench_.drops(DropReason::kUnknownProtocol), 1u);
  EXPECT_EQ(known(), 1u);
}

TEST_F(KnownFlow, IsLearnedAfterTheSourceWas) {
  call_.back_config.ingress.latch = 1;
  call_.back_config.ingress.expected[0] = call_.back_config.ingress.expected[1] = {};
  ASSERT_EQ(bench_.Program(call_.back, call_.back_config), abi::CommandStatus::kDone);
  const Endpoint first = At("10.90.2.7:6100");
  EXPECT_EQ(ToBrowser(Plain(1), first), 1u);
  EXPECT_EQ(ToBrowser(Plain(2), kPhone), 0u);
  EXPECT_EQ(ToBrowser(Plain(3), first), 1u);
  EXPECT_EQ(known(), 1u);
}

TEST_F(KnownFlow, ARestartKnowsNobodyAndServesEverybody) {
  EXPECT_EQ(ToBrowser(Plain(1)), 1u);
  EXPECT_EQ(ToBrowser(Plain(2)), 1u);
  bench_.Restart();
  const uint64_t before = known();
  EXPECT_EQ(ToBrowser(Plain(3)), 1u);
  EXPECT_EQ(known(), before);
  EXPECT_EQ(ToBrowser(Plain(4)), 1u);
  EXPECT_EQ(known(), before + 1);
}

}  // namespace
}  // namespace linegate::test
