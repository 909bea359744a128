#include <gtest/gtest.h>

#include "tests/support/dataplane_calls.h"

namespace linegate::test {
namespace {

using abi::Counter;
using abi::DropReason;
using abi::EventType;
using wire::StunClass;
using wire::StunMessageView;

constexpr uint16_t kOutside = DataplaneBench::kPublic;
const std::vector<uint8_t> kVoice(160, 0x55);

/// One leg of an echo call: what is selected is where the echo goes.
class IceLeg : public testing::Test {
 protected:
  IceLeg() : browser_(bench_, flow_, transform_) {
    config_ = BaseConfig();
    config_.service = abi::FlowService::kEcho;
    config_.own_ssrc = 5;
    config_.reverse = flow_;
    config_.ingress = browser_.MakeIngress();
    config_.egress.kind = abi::SideKind::kWebRtc;
    EXPECT_EQ(bench_.Program(flow_, config_), abi::CommandStatus::kDone);
    EXPECT_EQ(bench_.Install(flow_, abi::KeyUse::kReceive, browser_.to_gateway()), abi::CommandStatus::kDone);
    EXPECT_EQ(bench_.Install(flow_, abi::KeyUse::kSend, browser_.from_gateway()), abi::CommandStatus::kDone);
  }
  std::vector<SentDatagram> Send(const Endpoint& from, ByteView payload) {
    bench_.Receive(kOutside, from, browser_.gateway(from.address.family()), payload);
    bench_.Run();
    return bench_.Sent(kOutside);
  }
  /// Sends a check and expects it answered; true if the leg now uses that address.
  bool CheckSelects(const Endpoint& from, const CheckOptions& options = {}) {
    const auto sent = Send(from, browser_.Check(options));
    EXPECT_GE(sent.size(), 1u);
    return Selected() == from;
  }
  std::optional<Endpoint> Selected() {
    const abi::IceState& ice = bench_.slot(flow_).ice;
    if (ice.selected == abi::kNoPath) return std::nullopt;
    return ice.paths[ice.selected].remote.ToEndpoint();
  }
  std::vector<EventType> EventTypes() {
    std::vector<EventType> types;
    for (const BenchEvent& event : bench_.Events()) types.push_back(event.type);
    return types;
  }
  /// SRTP from there; where the echo goes.
  std::optional<Endpoint> MediaFrom(const Endpoint& from) {
    ++sequence_;
    const auto sent =
        Send(from, browser_.Protect(Rtp(0, sequence_, sequence_ * 160u, 0xa, kVoice), sequence_));
    if (sent.empty()) return std::nullopt;
    return sent.back().destination;
  }

  crypto::NullTransform transform_;
  DataplaneBench bench_{1, &transform_};
  abi::FlowRef flow_ = Flow(9, 77);
  WebRtcPeer browser_;
  abi::FlowConfig config_;
  uint16_t sequence_ = 0;
  const Endpoint wifi_ = At("10.90.1.2:5000");
  const Endpoint wifi_other_port_ = At("10.90.1.2:5001");
  const Endpoint mobile_ = At("10.90.1.77:6000");
};

TEST_F(IceLeg, AnswersAVerifiedCheckSigned) {
  const auto sent = Send(wifi_, browser_.Check());
  ASSERT_EQ(sent.size(), 1u);
  const auto response = StunMessageView::Parse(sent[0].payload);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->message_class(), StunClass::kSuccess);
  EXPECT_EQ(response->xor_mapped_address(), wifi_);
  EXPECT_TRUE(response->has_fingerprint());
  crypto::OpensslHmacSha1 hmac;
  EXPECT_TRUE(response->VerifyIntegrity(hmac, AsBytes(browser_.local_pwd())));
  EXPECT_EQ(bench_.counter(Counter::kStunChecksAnswered), 1u);
  EXPECT_EQ(EventTypes(), (std::vector{EventType::kPathValidated, EventType::kPathSelected}));
}

TEST_F(IceLeg, RefusesWithTheErrorOfTheRule) {
  struct Row {
    const char* description;
    CheckOptions options;
    uint16_t code;
    bool is_signed;
  };
  const Row rows[] = {
      {"no integrity", {.integrity = false}, 400, false},
      {"wrong password", {.password = "abcdefghijklmnopqrstuvwx"}, 401, false},
      {"ufrag that decodes to nothing", {.username = "short:x"}, 401, false},
      {"right slot, wrong rest of the ufrag",
       {.username = browser_.local_ufrag().substr(0, 13) + "!:x"},
       401,
       false},
      {"unknown comprehension-required attribute", {.unknown_attribute = true}, 420, true},
      {"peer claims to be controlled", {.controlled = true}, 487, true},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.description);
    bench_.Advance(std::chrono::seconds(2));
    const auto sent = Send(wifi_, browser_.Check(row.options));
    ASSERT_EQ(sent.size(), 1u);
    const auto response = StunMessageView::Parse(sent[0].payload);
    ASSERT_TRUE(response);
    EXPECT_EQ(response->message_class(), StunClass::kError);
    ASSERT_TRUE(response->error_code());
    EXPECT_EQ(response->error_code()->code, row.code);
    crypto::OpensslHmacSha1 hmac;
    EXPECT_EQ(response->VerifyIntegrity(hmac, AsBytes(browser_.local_pwd())), row.is_signed);
    EXPECT_EQ(Selected(), std::nullopt) << "nothing is learned";
  }
}

TEST_F(IceLeg, LimitsErrorResponsesButStillServesTheBrowser) {
  for (int i = 0; i < 50; ++i) {
    bench_.Receive(kOutside, wifi_, browser_.gateway(),
                   browser_.Check({.password = "abcdefghijklmnopqrstuvwx"}));
    bench_.Run();
  }
  EXPECT_EQ(bench_.Sent(kOutside).size(), 5u);
  EXPECT_EQ(bench_.drops(DropReason::kStunBadIntegrity), 45u);
  EXPECT_TRUE(CheckSelects(wifi_));
}

TEST_F(IceLeg, FollowsTheNewestCheckUntilNomination) {
  EXPECT_TRUE(CheckSelects(wifi_));
  EXPECT_TRUE(CheckSelects(mobile_));
  EXPECT_TRUE(CheckSelects(wifi_));
  EXPECT_EQ(MediaFrom(mobile_), wifi_) << "media from any validated address, echoed to the selected one";
  EXPECT_TRUE(CheckSelects(wifi_, {.use_candidate = true}));
  EXPECT_FALSE(CheckSelects(mobile_)) << "nominated: a plain check moves nothing";
  EXPECT_EQ(MediaFrom(mobile_), wifi_);
}

TEST_F(IceLeg, MovesAtOnceWithinTheSameAddress) {
  EXPECT_TRUE(CheckSelects(wifi_, {.use_candidate = true}));
  bench_.Advance(std::chrono::seconds(1));
  EXPECT_TRUE(CheckSelects(wifi_other_port_, {.use_candidate = true}));
  EXPECT_EQ(bench_.counter(Counter::kPathChanges), 1u);
}

TEST_F(IceLeg, MovesToAnotherAddressOnceOurOwnCheckIsAnswered) {
  EXPECT_TRUE(CheckSelects(wifi_, {.use_candidate = true}));
  bench_.Advance(std::chrono::seconds(1));
  auto sent = Send(mobile_, browser_.Check({.use_candidate = true}));
  ASSERT_EQ(sent.size(), 2u) << "the answer, and a Binding request of our own";
  EXPECT_EQ(Selected(), wifi_);
  const SentDatagram* request = nullptr;
  for (const auto& datagram : sent) {
    EXPECT_EQ(datagram.destination, mobile_);
    if (StunMessageView::Parse(datagram.payload)->message_class() == StunClass::kRequest) request = &datagram;
  }
  ASSERT_NE(request, nullptr);
  const auto answer = browser_.Answer(request->payload);
  Send(wifi_, answer);
  EXPECT_EQ(Selected(), wifi_) << "from another address it proves nothing";
  EXPECT_EQ(bench_.drops(DropReason::kStunUnsolicited), 1u);
  auto forged = answer;
  forged.back() ^= 1;
  Send(mobile_, forged);
  EXPECT_EQ(Selected(), wifi_);
  Send(mobile_, answer);
  EXPECT_EQ(Selected(), mobile_);
  Send(mobile_, answer);
  EXPECT_EQ(bench_.drops(DropReason::kStunUnsolicited), 2u) << "nobody waits any more";
}

TEST_F(IceLeg, RepeatsItsOwnCheckWithDoublingPauses) {
  EXPECT_TRUE(CheckSelects(wifi_, {.use_candidate = true}));
  bench_.Advance(std::chrono::seconds(1));
  EXPECT_EQ(Send(mobile_, browser_.Check({.use_candidate = true})).size(), 2u);
  const auto requests_within = [&](std::chrono::milliseconds duration) {
    bench_.Advance(duration);
    return bench_.Sent(kOutside).size();
  };
  EXPECT_EQ(requests_within(std::chrono::milliseconds(490)), 0u);
  EXPECT_EQ(requests_within(std::chrono::milliseconds(30)), 1u);
  EXPECT_EQ(requests_within(std::chrono::milliseconds(960)), 0u);
  EXPECT_EQ(requests_within(std::chrono::milliseconds(40)), 1u);
  EXPECT_EQ(requests_within(std::chrono::milliseconds(2050)), 1u);
  EXPECT_EQ(requests_within(std::chrono::milliseconds(10'000)), 0u) << "four in all";
}

TEST_F(IceLeg, MovesToAnotherAddressByMediaWhenTheOldOneIsSilent) {
  EXPECT_TRUE(CheckSelects(wifi_, {.use_candidate = true}));
  bench_.Advance(std::chrono::milliseconds(500));
  EXPECT_EQ(MediaFrom(wifi_), wifi_);
  Send(mobile_, browser_.Check({.use_candidate = true}));
  bench_.Advance(std::chrono::milliseconds(900));
  EXPECT_EQ(MediaFrom(mobile_), wifi_) << "the old path was heard 0.9 s ago";
  bench_.Advance(std::chrono::milliseconds(200));
  EXPECT_EQ(MediaFrom(mobile_), mobile_);
}

TEST_F(IceLeg, MediaAloneMovesNothing) {
  EXPECT_TRUE(CheckSelects(wifi_, {.use_candidate = true}));
  EXPECT_FALSE(CheckSelects(mobile_));
  bench_.Advance(std::chrono::seconds(5));
  EXPECT_EQ(MediaFrom(mobile_), wifi_) << "never nominated";
}

TEST_F(IceLeg, MovesAtMostOnceASecondAndTheHigherPriorityWins) {
  EXPECT_TRUE(CheckSelects(wifi_, {.use_candidate = true, .priority = 500}));
  EXPECT_FALSE(CheckSelects(wifi_other_port_, {.use_candidate = true, .priority = 400}))
      << "lower, within the second";
  bench_.Advance(std::chrono::milliseconds(1100));
  EXPECT_EQ(Selected(), wifi_) << "it does not wait, either";
  EXPECT_TRUE(CheckSelects(wifi_other_port_, {.use_candidate = true, .priority = 400}));
  EXPECT_FALSE(CheckSelects(wifi_, {.use_candidate = true, .priority = 500}))
      << "higher, but within the second";
  bench_.Advance(std::chrono::milliseconds(900));
  EXPECT_EQ(Selected(), wifi_other_port_);
  bench_.Advance(std::chrono::milliseconds(150));
  EXPECT_EQ(Selected(), wifi_) << "it waited for the end of the second";
}

TEST_F(IceLeg, NeverTakesOverAnAddressOfALiveLeg) {
  const abi::FlowRef other = Flow(10, 3);
  WebRtcPeer stranger(bench_, other, transform_);
  abi::FlowConfig config = config_;
  config.reverse = other;
  config.ingress = stranger.MakeIngress();
  ASSERT_EQ(bench_.Program(other, config), abi::CommandStatus::kDone);
  EXPECT_TRUE(CheckSelects(wifi_, {.use_candidate = true}));
  EXPECT_TRUE(Send(wifi_, stranger.Check({.use_candidate = true})).empty());
  EXPECT_EQ(bench_.drops(DropReason::kAddressInUse), 1u);
  EXPECT_EQ(MediaFrom(wifi_), wifi_);
  // Its leg loses consent: the address is free again.
  bench_.Advance(std::chrono::milliseconds(30'100));
  EXPECT_EQ(Send(wifi_, stranger.Check({.use_candidate = true})).size(), 1u);
  EXPECT_EQ(bench_.slot(other).ice.selected, 0);
}

TEST_F(IceLeg, ForgetsTheQuietestOfFiveAddresses) {
  for (uint16_t port = 5000; port < 5005; ++port) {
    bench_.Advance(std::chrono::milliseconds(10));
    EXPECT_TRUE(CheckSelects(At("10.90.1.2:" + std::to_string(port))));
  }
  EXPECT_EQ(MediaFrom(At("10.90.1.2:5000")), std::nullopt);
  EXPECT_EQ(bench_.drops(DropReason::kUnvalidatedSource), 1u);
  EXPECT_EQ(MediaFrom(At("10.90.1.2:5001")), At("10.90.1.2:5004"));
}

TEST_F(IceLeg, KeepsBothCredentialSetsDuringARestart) {
  EXPECT_TRUE(CheckSelects(wifi_, {.use_candidate = true}));
  const auto old_check = browser_.Check({.use_candidate = true});
  config_.ingress = browser_.RestartIce();
  ASSERT_EQ(bench_.Program(flow_, config_), abi::CommandStatus::kDone);
  EXPECT_EQ(MediaFrom(wifi_), wifi_) << "media goes on while ICE restarts";
  EXPECT_EQ(Send(wifi_, old_check).size(), 1u) << "a check under way is answered";
  EXPECT_TRUE(CheckSelects(mobile_)) << "nomination begins anew";
  EXPECT_EQ(Send(wifi_, old_check).size(), 1u);
  EXPECT_EQ(Selected(), mobile_) << "the old credentials choose nothing";
  EXPECT_TRUE(CheckSelects(mobile_, {.use_candidate = true}));
}

TEST_F(IceLeg, PuntsDtlsFromValidatedAddressesOnly) {
  std::vector<uint8_t> hello = {22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0};
  Send(wifi_, hello);
  EXPECT_TRUE(bench_.Punts().empty());
  EXPECT_EQ(bench_.drops(DropReason::kUnvalidatedSource), 1u);
  CheckSelects(wifi_);
  Send(wifi_, hello);
  auto punts = bench_.Punts();
  ASSERT_EQ(punts.size(), 1u);
  EXPECT_EQ(punts[0].record.flow, flow_);
  EXPECT_EQ(punts[0].record.remote.ToEndpoint(), wifi_);
  EXPECT_EQ(punts[0].record.local.ToEndpoint(), browser_.gateway());
  EXPECT_EQ(punts[0].payload, hello);
  for (size_t length = 1; length < hello.size(); ++length) Send(wifi_, ByteView(hello).first(length));
  EXPECT_TRUE(bench_.Punts().empty()) << "no record is whole";
  for (int i = 0; i < 300; ++i) Send(wifi_, hello);
  EXPECT_LE(bench_.Punts().size(), 200u);
  EXPECT_GE(bench_.drops(DropReason::kRateLimited), 100u);
}

TEST_F(IceLeg, InjectsToValidatedAddressesOnly) {
  const std::vector<uint8_t> answer(90, 22);
  bench_.Inject(flow_, browser_.gateway(), wifi_, answer);
  bench_.Run();
  EXPECT_TRUE(bench_.Sent(kOutside).empty());
  EXPECT_EQ(bench_.drops(DropReason::kInjectRefused), 1u);
  CheckSelects(wifi_);
  bench_.Inject(flow_, browser_.gateway(), wifi_, answer);
  bench_.Inject(Flow(9, 76), browser_.gateway(), wifi_, answer);
  bench_.Run();
  const auto sent = bench_.Sent(kOutside);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].payload, answer);
  EXPECT_EQ(sent[0].source, browser_.gateway());
  EXPECT_EQ(bench_.drops(DropReason::kInjectRefused), 2u) << "another generation";
  bench_.pool().Exhaust();
  bench_.Inject(flow_, browser_.gateway(), wifi_, answer);
  bench_.Run();
  bench_.pool().Refill();
  EXPECT_EQ(bench_.drops(DropReason::kNoBuffer), 1u);
}

TEST_F(IceLeg, SurvivesEveryTruncationOfACheck) {
  const auto check = browser_.Check({.use_candidate = true});
  for (size_t length = 0; length < check.size(); ++length) Send(wifi_, ByteView(check).first(length));
  EXPECT_EQ(Selected(), std::nullopt);
  const size_t signed_bytes = check.size() - 8;  // behind it only FINGERPRINT, which may be missing
  for (size_t bit = 0; bit < signed_bytes * 8; ++bit) {
    auto damaged = check;
    damaged[bit / 8] ^= uint8_t(1 << (bit % 8));
    Send(wifi_, damaged);
  }
  EXPECT_EQ(Selected(), std::nullopt) << "FINGERPRINT or MESSAGE-INTEGRITY sees every changed bit";
}

}  // namespace
}  // namespace linegate::test
