#include <gtest/gtest.h>

#include "drivers/crypto/libsrtp_transform.h"
#include "tests/support/dataplane_calls.h"

/// Whole calls through a worker on memory ports: ICE, keys, media both ways, end.
namespace linegate::test {
namespace {

using abi::Counter;
using abi::DropReason;
using abi::EventType;

const std::vector<uint8_t> kVoice(160, 0x55);

template <typename Transform>
class Call : public testing::Test {
 protected:
  Transform transform_;
  DataplaneBench bench_{1, &transform_};
};
using Engines = testing::Types<crypto::NullTransform, crypto::LibsrtpTransform>;
TYPED_TEST_SUITE(Call, Engines);

TYPED_TEST(Call, RelaysBothWaysAndEndsClean) {
  DataplaneBench& bench = this->bench_;
  GatewayCall call(bench, this->transform_, Flow(3), Flow(4));
  call.Program();
  call.Connect(At("10.90.1.2:5000"));
  const auto events = bench.Events();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].type, EventType::kPathValidated);
  EXPECT_EQ(events[1].type, EventType::kPathSelected);
  const auto path = events[1].As<abi::PathEvent>();
  EXPECT_EQ(path.flow, call.out);
  EXPECT_EQ(path.remote.ToEndpoint(), call.address);
  EXPECT_EQ(path.local.ToEndpoint(), call.browser.gateway());
  call.InstallKeys();

  // Browser to phone: decrypted, payload type of the other leg, from our pair to the phone.
  call.FromBrowser(call.browser.Protect(Rtp(126, 700, 1600, 0xb0b, kVoice), 700));
  bench.Run();
  auto sent = bench.Sent(DataplaneBench::kPrivate);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].source, call.gateway_rtp);
  EXPECT_EQ(sent[0].destination, call.phone);
  EXPECT_EQ(sent[0].traffic_class >> 2, 46);
  EXPECT_EQ(sent[0].payload, Rtp(101, 700, 1600, 0xb0b, kVoice));

  // Phone to browser: encrypted, back along the path of the check.
  call.FromPhone(Rtp(0, 9, 160, 0xfe, kVoice));
  bench.Run();
  sent = bench.Sent(DataplaneBench::kPublic);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].source, call.browser.gateway());
  EXPECT_EQ(sent[0].destination, call.address);
  EXPECT_EQ(sent[0].destination_mac, (MacAddress{{2, 0, 0, 9, 0, 0}}));
  EXPECT_EQ(call.browser.Unprotect(sent[0].payload, 9), Rtp(0, 9, 160, 0xfe, kVoice));

  // RTCP: multiplexed at the browser, port + 1 at the phone.
  const auto report = ReceiverReport(0xb0b, 0xfe, 9);
  call.FromBrowser(call.browser.ProtectRtcp(report, 1));
  bench.Run();
  sent = bench.Sent(DataplaneBench::kPrivate);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].source, call.gateway_rtcp);
  EXPECT_EQ(sent[0].destination.port, call.phone.port + 1);
  EXPECT_EQ(sent[0].payload, report);
  bench.Receive(DataplaneBench::kPrivate, At("10.90.2.2:6001"), call.gateway_rtcp,
                ReceiverReport(0xfe, 0xb0b, 700));
  bench.Run();
  sent = bench.Sent(DataplaneBench::kPublic);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(call.browser.UnprotectRtcp(sent[0].payload), ReceiverReport(0xfe, 0xb0b, 700));

  EXPECT_EQ(bench.counter(Counter::kForwardedPkts), 2u);
  EXPECT_EQ(bench.counter(Counter::kRtcpForwardedPkts), 2u);
  EXPECT_EQ(bench.counter(Counter::kActiveFlows), 2u);
  EXPECT_EQ(bench.stats(call.out).received_pkts, 1u);
  EXPECT_EQ(bench.stats(call.out).sent_pkts, 1u);
  EXPECT_EQ(bench.all_drops(), 0u);

  EXPECT_EQ(bench.Remove(call.out), abi::CommandStatus::kDone);
  EXPECT_EQ(bench.Remove(call.back), abi::CommandStatus::kDone);
  EXPECT_EQ(bench.counter(Counter::kActiveFlows), 0u);
  call.FromBrowser(call.browser.Protect(Rtp(126, 701, 1760, 0xb0b, kVoice), 701));
  call.FromPhone(Rtp(0, 10, 320, 0xfe, kVoice));
  bench.Run();
  EXPECT_TRUE(bench.Sent(DataplaneBench::kPrivate).empty());
  EXPECT_TRUE(bench.Sent(DataplaneBench::kPublic).empty());
  EXPECT_EQ(bench.drops(DropReason::kUnvalidatedSource), 1u);
  EXPECT_EQ(bench.drops(DropReason::kNoFlow), 1u);
}

TYPED_TEST(Call, RunsOverIpv6OutsideAndIpv4Inside) {
  DataplaneBench& bench = this->bench_;
  GatewayCall call(bench, this->transform_, Flow(0), Flow(1));
  call.Program();
  call.Connect(At("[fd90:1::2]:5000"));
  call.InstallKeys();
  call.FromBrowser(call.browser.Protect(Rtp(0, 1, 1, 0xb0b, kVoice), 1));
  call.FromPhone(Rtp(0, 9, 160, 0xfe, kVoice));
  bench.Run();
  EXPECT_EQ(bench.Sent(DataplaneBench::kPrivate).size(), 1u);
  const auto sent = bench.Sent(DataplaneBench::kPublic);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].destination, call.address);
  EXPECT_EQ(call.browser.Unprotect(sent[0].payload, 9), Rtp(0, 9, 160, 0xfe, kVoice));
}

TYPED_TEST(Call, EchoSendsTheCallerBackToItself) {
  DataplaneBench& bench = this->bench_;
  const abi::FlowRef flow = Flow(7);
  WebRtcPeer browser(bench, flow, this->transform_);
  abi::FlowConfig config = BaseConfig();
  config.payload[1] = {111, 111};
  config.service = abi::FlowService::kEcho;
  config.own_ssrc = 0x0e0c0e0c;
  config.reverse = flow;
  config.ingress = browser.MakeIngress();
  config.egress.kind = abi::SideKind::kWebRtc;
  ASSERT_EQ(bench.Program(flow, config), abi::CommandStatus::kDone);
  ASSERT_EQ(bench.Install(flow, abi::KeyUse::kReceive, browser.to_gateway()), abi::CommandStatus::kDone);
  ASSERT_EQ(bench.Install(flow, abi::KeyUse::kSend, browser.from_gateway()), abi::CommandStatus::kDone);
  const Endpoint address = At("10.90.1.2:5000");
  bench.Receive(0, address, browser.gateway(), browser.Check({.use_candidate = true}));
  bench.Run();
  bench.Sent(0);

  // 100 and 101, then the caller's source changes: our own stream goes on.
  bench.Receive(0, address, browser.gateway(), browser.Protect(Rtp(111, 100, 5000, 0xa, kVoice), 100));
  bench.Receive(0, address, browser.gateway(), browser.Protect(Rtp(111, 101, 5960, 0xa, kVoice), 101));
  bench.Receive(0, address, browser.gateway(), browser.Protect(Rtp(111, 9000, 77, 0xb, kVoice), 9000));
  bench.Receive(0, address, browser.gateway(), browser.ProtectRtcp(ReceiverReport(0xa, 1, 1), 1));
  bench.Run();
  const auto sent = bench.Sent(0);
  ASSERT_EQ(sent.size(), 3u) << "RTCP is not reflected";
  const uint16_t first = LoadBe16(sent[0].payload.data() + 2);
  const uint32_t timestamp = LoadBe32(sent[0].payload.data() + 4);
  const uint32_t steps[] = {0, 960, 1920};
  for (uint16_t i = 0; i < 3; ++i) {
    EXPECT_EQ(sent[i].destination, address);
    EXPECT_EQ(browser.Unprotect(sent[i].payload, uint16_t(first + i)),
              Rtp(111, uint16_t(first + i), timestamp + steps[i], 0x0e0c0e0c, kVoice));
  }
  EXPECT_EQ(bench.all_drops(), 0u);
}

TYPED_TEST(Call, ToneIsPacedByTheCaller) {
  DataplaneBench& bench = this->bench_;
  const abi::FlowRef flow = Flow(7);
  WebRtcPeer browser(bench, flow, this->transform_);
  abi::FlowConfig config = BaseConfig();
  config.service = abi::FlowService::kTone;
  config.own_ssrc = 0x70e;
  config.tone_payload = 0;
  config.reverse = flow;
  config.ingress = browser.MakeIngress();
  config.egress.kind = abi::SideKind::kWebRtc;
  ASSERT_EQ(bench.Program(flow, config), abi::CommandStatus::kDone);
  ASSERT_EQ(bench.Install(flow, abi::KeyUse::kReceive, browser.to_gateway()), abi::CommandStatus::kDone);
  ASSERT_EQ(bench.Install(flow, abi::KeyUse::kSend, browser.from_gateway()), abi::CommandStatus::kDone);
  bench.Receive(0, At("10.90.1.2:5000"), browser.gateway(), browser.Check({.use_candidate = true}));
  bench.Run();
  bench.Sent(0);
  bench.Receive(0, At("10.90.1.2:5000"), browser.gateway(), browser.Protect(Rtp(0, 1, 160, 0xa, kVoice), 1));
  bench.Receive(0, At("10.90.1.2:5000"), browser.gateway(), browser.Protect(Rtp(0, 2, 320, 0xa, kVoice), 2));
  bench.Receive(0, At("10.90.1.2:5000"), browser.gateway(), browser.Protect(Rtp(126, 3, 320, 0xa, {}), 3));
  bench.Run();
  const auto sent = bench.Sent(0);
  ASSERT_EQ(sent.size(), 2u) << "telephone-event carries no tone";
  const uint16_t first = LoadBe16(sent[0].payload.data() + 2);
  for (uint16_t i = 0; i < 2; ++i) {
    const auto clear = browser.Unprotect(sent[i].payload, uint16_t(first + i));
    ASSERT_EQ(clear.size(), 172u);
    EXPECT_EQ(clear[12], 0xff) << "a zero crossing: the phase goes on from packet to packet";
    EXPECT_EQ(clear[12 + 20], 0xff);
    EXPECT_EQ(clear[12 + 5], 0xa0) << "the crest, 8000 in 16-bit PCMU";
    EXPECT_EQ(clear[12 + 15], 0x20);
  }
}

TYPED_TEST(Call, HoldDecryptsAndCountsButSendsNothing) {
  DataplaneBench& bench = this->bench_;
  GatewayCall call(bench, this->transform_, Flow(0), Flow(1));
  call.Program();
  call.Connect(At("10.90.1.2:5000"));
  call.InstallKeys();
  call.out_config.send_rtp = 0;
  call.Program();
  call.FromBrowser(call.browser.Protect(Rtp(0, 1, 1, 0xb0b, kVoice), 1));
  call.FromBrowser(call.browser.ProtectRtcp(ReceiverReport(0xb0b, 1, 1), 1));
  bench.Run();
  EXPECT_EQ(bench.Sent(DataplaneBench::kPrivate).size(), 1u) << "RTCP goes on";
  EXPECT_EQ(bench.drops(DropReason::kMediaDisabled), 1u);
  EXPECT_EQ(bench.stats(call.out).received_pkts, 1u);
  call.out_config.send_rtp = 1;
  call.Program();
  call.FromBrowser(call.browser.Protect(Rtp(0, 2, 161, 0xb0b, kVoice), 2));
  bench.Run();
  EXPECT_EQ(bench.Sent(DataplaneBench::kPrivate).size(), 1u) << "keys, path and windows outlived the hold";
}

TYPED_TEST(Call, HairpinDecryptsOnceAndEncryptsOnce) {
  // Browser to browser through the SIP Server: our two RTP pairs face each other.
  DataplaneBench& bench = this->bench_;
  GatewayCall first(bench, this->transform_, Flow(0), Flow(1), 40000, At("10.90.2.1:40010"));
  GatewayCall second(bench, this->transform_, Flow(2), Flow(3), 40010, At("10.90.2.1:40000"));
  for (GatewayCall* call : {&first, &second}) {
    call->out_config.egress.next_hop = {};  // nobody has to resolve our own address
    call->out_config.payload[1] = {126, 126};
    call->back_config.payload[1] = {126, 126};
    call->Program();
  }
  first.Connect(At("10.90.1.2:5000"));
  second.Connect(At("10.90.1.3:5000"));
  first.InstallKeys();
  second.InstallKeys();
  first.FromBrowser(first.browser.Protect(Rtp(0, 1, 1, 0xb0b, kVoice), 1));
  second.FromBrowser(second.browser.ProtectRtcp(ReceiverReport(0xcab, 0xb0b, 1), 1));
  bench.Run();
  EXPECT_TRUE(bench.Sent(DataplaneBench::kPrivate).empty()) << "nothing of it touches the wire inside";
  const auto sent = bench.Sent(DataplaneBench::kPublic);
  ASSERT_EQ(sent.size(), 2u);
  for (const SentDatagram& datagram : sent) {
    if (datagram.destination == second.address) {
      EXPECT_EQ(second.browser.Unprotect(datagram.payload, 1), Rtp(0, 1, 1, 0xb0b, kVoice));
    } else {
      EXPECT_EQ(datagram.destination, first.address);
      EXPECT_EQ(first.browser.UnprotectRtcp(datagram.payload), ReceiverReport(0xcab, 0xb0b, 1));
    }
  }
  EXPECT_EQ(bench.counter(Counter::kUnprotectedPkts), 2u);
  EXPECT_EQ(bench.counter(Counter::kProtectedPkts), 2u);
  EXPECT_EQ(bench.counter(Counter::kLoopedPkts), 2u);
  EXPECT_EQ(bench.all_drops(), 0u);
}

TYPED_TEST(Call, BrowserToBrowserOnOneBox) {
  // The embedded registrar joins two WebRTC legs directly.
  DataplaneBench& bench = this->bench_;
  const abi::FlowRef flows[2] = {Flow(0), Flow(1)};
  WebRtcPeer browsers[2] = {{bench, flows[0], this->transform_}, {bench, flows[1], this->transform_}};
  const Endpoint addresses[2] = {At("10.90.1.2:5000"), At("[fd90:1::2]:5000")};
  abi::FlowConfig configs[2];
  for (int i = 0; i < 2; ++i) {
    configs[i] = BaseConfig();
    configs[i].payload[1] = {126, 126};
    configs[i].ingress = browsers[i].MakeIngress();
    ASSERT_EQ(bench.Program(flows[i], configs[i]), abi::CommandStatus::kDone) << "not joined yet";
    bench.Receive(0, addresses[i], browsers[i].gateway(addresses[i].address.family()),
                  browsers[i].Check({.use_candidate = true}));
  }
  bench.Run();
  bench.Sent(0);
  for (int i = 0; i < 2; ++i) {
    configs[i].egress.kind = abi::SideKind::kWebRtc;
    configs[i].reverse = flows[1 - i];
    ASSERT_EQ(bench.Program(flows[i], configs[i]), abi::CommandStatus::kDone);
  }
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(bench.Install(flows[i], abi::KeyUse::kReceive, browsers[i].to_gateway()),
              abi::CommandStatus::kDone);
    ASSERT_EQ(bench.Install(flows[1 - i], abi::KeyUse::kSend, browsers[i].from_gateway()),
              abi::CommandStatus::kDone);
  }
  for (int i = 0; i < 2; ++i) {
    bench.Receive(0, addresses[i], browsers[i].gateway(addresses[i].address.family()),
                  browsers[i].Protect(Rtp(126, 5, 800, 0xa0u + uint32_t(i), kVoice), 5));
    bench.Run();
    const auto sent = bench.Sent(0);
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].destination, addresses[1 - i]);
    EXPECT_EQ(browsers[1 - i].Unprotect(sent[0].payload, 5), Rtp(126, 5, 800, 0xa0u + uint32_t(i), kVoice));
  }
  EXPECT_EQ(bench.all_drops(), 0u);
}

TYPED_TEST(Call, LossOfConsentEndsTheLeg) {
  DataplaneBench& bench = this->bench_;
  GatewayCall call(bench, this->transform_, Flow(0), Flow(1));
  call.Program();
  call.Connect(At("10.90.1.2:5000"));
  call.InstallKeys();
  bench.Events();
  bench.Advance(std::chrono::milliseconds(29'900));
  call.FromBrowser(call.browser.Protect(Rtp(0, 1, 1, 0xb0b, kVoice), 1));  // SRTP is no consent
  EXPECT_TRUE(bench.Events().empty());
  bench.Advance(std::chrono::milliseconds(200));
  const auto events = bench.Events();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].type, EventType::kConsentLost);
  EXPECT_EQ(events[0].As<abi::FlowEvent>().flow, call.out);
  call.FromPhone(Rtp(0, 9, 160, 0xfe, kVoice));
  bench.Run();
  EXPECT_EQ(bench.drops(DropReason::kNoRemote), 1u);
  // The browser comes back: so does its media.
  call.Connect(At("10.90.1.2:5000"));
  call.FromPhone(Rtp(0, 10, 320, 0xfe, kVoice));
  bench.Run();
  EXPECT_EQ(bench.Sent(DataplaneBench::kPublic).size(), 1u);
  EXPECT_EQ(bench.Events().size(), 1u) << "selected again";
  bench.Advance(std::chrono::milliseconds(30'100));
  EXPECT_EQ(bench.Events().size(), 1u) << "and lost again";
}

TYPED_TEST(Call, ARestartedDataplaneCarriesOn) {
  DataplaneBench& bench = this->bench_;
  GatewayCall call(bench, this->transform_, Flow(0), Flow(1));
  call.Program();
  call.Connect(At("10.90.1.2:5000"));
  call.InstallKeys();
  for (uint16_t n = 65530; n != 4; ++n) {  // over the rollover
    call.FromPhone(Rtp(0, n, n * 160u, 0xfe, kVoice));
    const uint64_t index = n >= 65530 ? n : 0x10000u + n;
    call.FromBrowser(call.browser.Protect(Rtp(0, n, n * 160u, 0xb0b, kVoice), index));
    bench.Run();
  }
  bench.Sent(DataplaneBench::kPublic);
  bench.Sent(DataplaneBench::kPrivate);
  bench.Restart();
  EXPECT_EQ(bench.counter(Counter::kActiveFlows), 2u);
  call.FromPhone(Rtp(0, 3, 3 * 160, 0xfe, kVoice));  // a copy from before
  call.FromPhone(Rtp(0, 4, 4 * 160, 0xfe, kVoice));
  call.FromBrowser(call.browser.Protect(Rtp(0, 3, 3 * 160, 0xb0b, kVoice), 0x10003));
  call.FromBrowser(call.browser.Protect(Rtp(0, 4, 4 * 160, 0xb0b, kVoice), 0x10004));
  bench.Run();
  const auto sent = bench.Sent(DataplaneBench::kPublic);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(call.browser.Unprotect(sent[0].payload, 0x10004), Rtp(0, 4, 4 * 160, 0xfe, kVoice));
  EXPECT_EQ(bench.Sent(DataplaneBench::kPrivate).size(), 1u);
  EXPECT_EQ(bench.drops(DropReason::kTransmitReplay), 1u);
  EXPECT_EQ(bench.drops(DropReason::kReplayed), 1u);
}

}  // namespace
}  // namespace linegate::test
