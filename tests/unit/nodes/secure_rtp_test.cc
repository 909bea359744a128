// SRTP on the RTP side of a call (SDES): other keys on each leg, MKI, and the change of keys.
#include <gtest/gtest.h>

#include <set>

#include "tests/support/dataplane_calls.h"
#include "tests/support/srtp_end.h"

namespace linegate::test {
namespace {

using abi::CommandStatus;
using abi::DropReason;
using abi::KeyUse;

const std::vector<uint8_t> kVoice(160, 0x55);
constexpr uint32_t kBrowserSsrc = 0xb0b, kPhoneSsrc = 0xfe;
const srtp::Mki kMki1{1, {1}}, kMki2{1, {2}};

class SecureRtp : public testing::Test {
 protected:
  SecureRtp() : call_(bench_, transform_, Flow(0), Flow(1)) {
    call_.out_config.egress.srtp = 1;
    call_.out_config.payload[1] = {126, 126};
    call_.back_config.ingress.srtp = 1;
    call_.back_config.payload[1] = {126, 126};
    call_.Program();
    call_.Connect(At("10.90.1.2:5000"));
    call_.InstallKeys();
    EXPECT_EQ(InstallPhoneKeys(phone_), CommandStatus::kDone);
  }
  CommandStatus InstallPhoneKeys(const SrtpEnd& phone) {
    const CommandStatus status = bench_.Install(call_.back, KeyUse::kReceive, phone.sends());
    return status != CommandStatus::kDone ? status : bench_.Install(call_.out, KeyUse::kSend, phone.hears());
  }
  static std::vector<uint8_t> Voice(uint16_t sequence, uint32_t ssrc) {
    return Rtp(0, sequence, sequence * 160u, ssrc, kVoice);
  }
  std::vector<SentDatagram> FromPhone(ByteView packet) {
    call_.FromPhone(packet);
    bench_.Run();
    return bench_.Sent(DataplaneBench::kPublic);
  }
  /// Whether the phone's packet reaches the browser as it was said.
  bool Heard(SrtpEnd& phone, uint64_t index, uint32_t ssrc = kPhoneSsrc) {
    const auto sequence = srtp::SequenceNumberOf(index);
    const auto sent = FromPhone(phone.Protect(Voice(sequence, ssrc), index));
    return sent.size() == 1 && LoadBe16(sent[0].payload.data() + 2) == sequence;
  }
  std::vector<SentDatagram> FromBrowser(ByteView packet) {
    call_.FromBrowser(packet);
    bench_.Run();
    return bench_.Sent(DataplaneBench::kPrivate);
  }
  /// What the phone makes of the browser's packet `index`.
  std::vector<uint8_t> AtPhone(SrtpEnd& phone, uint64_t index, uint64_t expected_index) {
    const auto sent =
        FromBrowser(call_.browser.Protect(Voice(srtp::SequenceNumberOf(index), kBrowserSsrc), index));
    return sent.size() == 1 ? phone.Unprotect(sent[0].payload, expected_index) : std::vector<uint8_t>();
  }

  crypto::NullTransform transform_;
  DataplaneBench bench_{1, &transform_};
  GatewayCall call_;
  SrtpEnd phone_{transform_, MasterKeyFrom(1), MasterKeyFrom(2)};
};

TEST_F(SecureRtp, EachLegHasItsOwnKeys) {
  EXPECT_EQ(AtPhone(phone_, 700, 700), Voice(700, kBrowserSsrc));
  const auto sent = FromPhone(phone_.Protect(Voice(9, kPhoneSsrc), 9));
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(call_.browser.Unprotect(sent[0].payload, 9), Voice(9, kPhoneSsrc));

  // RTCP has a port of its own here and is multiplexed there.
  const auto report = ReceiverReport(kBrowserSsrc, kPhoneSsrc, 9);
  const auto out = FromBrowser(call_.browser.ProtectRtcp(report, 1));
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0].destination.port, call_.phone.port + 1);
  EXPECT_EQ(phone_.UnprotectRtcp(out[0].payload), report);
  const auto answer = ReceiverReport(kPhoneSsrc, kBrowserSsrc, 700);
  bench_.Receive(DataplaneBench::kPrivate, At("10.90.2.2:6001"), call_.gateway_rtcp,
                 phone_.ProtectRtcp(answer, 1));
  bench_.Run();
  const auto back = bench_.Sent(DataplaneBench::kPublic);
  ASSERT_EQ(back.size(), 1u);
  EXPECT_EQ(call_.browser.UnprotectRtcp(back[0].payload), answer);
  EXPECT_EQ(bench_.all_drops(), 0u);
}

TEST_F(SecureRtp, NothingPassesInTheClear) {
  EXPECT_TRUE(FromPhone(Voice(1, kPhoneSsrc)).empty());
  EXPECT_EQ(bench_.drops(DropReason::kBadTag), 1u);
  EXPECT_TRUE(FromPhone(Rtp(0, 1, 1, kPhoneSsrc, {})).empty());
  EXPECT_EQ(bench_.drops(DropReason::kPlainRtpOnSrtpLeg), 1u);
  ASSERT_EQ(bench_.Remove(call_.back), CommandStatus::kDone);
  call_.back = Flow(1, 2);
  call_.out_config.reverse = call_.back;
  call_.Program();
  EXPECT_TRUE(FromPhone(phone_.Protect(Voice(1, kPhoneSsrc), 1)).empty());
  EXPECT_EQ(bench_.drops(DropReason::kNoReceiveKey), 1u);
  EXPECT_TRUE(FromBrowser(call_.browser.Protect(Voice(1, kBrowserSsrc), 1)).empty());
  EXPECT_EQ(bench_.drops(DropReason::kNoSendKey), 1u);
}

TEST_F(SecureRtp, KeysMayArriveBeforeTheConfigurationThatEncryptsTheLeg) {
  call_.out_config.egress.srtp = call_.back_config.ingress.srtp = 0;
  call_.Program();
  EXPECT_EQ(FromPhone(Voice(1, kPhoneSsrc)).size(), 1u) << "a plain leg now";
  EXPECT_EQ(InstallPhoneKeys(phone_), CommandStatus::kDone) << "a control plane that says everything again";
  SrtpEnd again(transform_, MasterKeyFrom(11), MasterKeyFrom(12));
  call_.out_config.egress.srtp = 1;
  ASSERT_EQ(bench_.Program(call_.out, call_.out_config), CommandStatus::kDone);
  ASSERT_EQ(bench_.Install(call_.out, KeyUse::kSend, again.hears()), CommandStatus::kDone);
  call_.back_config.ingress.srtp = 1;
  ASSERT_EQ(bench_.Program(call_.back, call_.back_config), CommandStatus::kDone);
  ASSERT_EQ(bench_.Install(call_.back, KeyUse::kReceive, again.sends()), CommandStatus::kDone);
  EXPECT_EQ(AtPhone(again, 5, 5), Voice(5, kBrowserSsrc));
  EXPECT_TRUE(Heard(again, 5));
}

TEST_F(SecureRtp, ARefusedFlagIsRefused) {
  call_.back_config.ingress.srtp = 2;
  EXPECT_EQ(bench_.Program(call_.back, call_.back_config), CommandStatus::kBadConfig);
  call_.out_config.egress.srtp = 2;
  EXPECT_EQ(bench_.Program(call_.out, call_.out_config), CommandStatus::kBadConfig);
}

TEST_F(SecureRtp, OnlyFromTheAddressOfTheSdpEvenWithTheRightKey) {
  const auto good = phone_.Protect(Voice(1, kPhoneSsrc), 1);
  bench_.Receive(DataplaneBench::kPrivate, At("10.90.2.3:6000"), call_.gateway_rtp, good);
  bench_.Run();
  EXPECT_TRUE(bench_.Sent(DataplaneBench::kPublic).empty());
  EXPECT_EQ(bench_.drops(DropReason::kWrongSource), 1u);
  EXPECT_EQ(FromPhone(good).size(), 1u);
}

TEST_F(SecureRtp, AnAddressIsLearnedFromAnAuthenticatedPacketAlone) {
  call_.back_config.ingress.latch = 1;
  call_.back_config.ingress.expected[0] = {};
  call_.Program();
  const auto from = [&](const Endpoint& source, ByteView packet) {
    bench_.Receive(DataplaneBench::kPrivate, source, call_.gateway_rtp, packet);
    bench_.Run();
    return bench_.Sent(DataplaneBench::kPublic).size();
  };
  auto forged = phone_.Protect(Voice(1, kPhoneSsrc), 1);
  forged.back() ^= 1;
  EXPECT_EQ(from(At("10.90.2.9:9"), forged), 0u);
  EXPECT_EQ(from(At("10.90.2.3:7000"), phone_.Protect(Voice(1, kPhoneSsrc), 1)), 1u);
  EXPECT_EQ(from(At("10.90.2.4:7000"), phone_.Protect(Voice(2, kPhoneSsrc), 2)), 0u);
  EXPECT_EQ(bench_.drops(DropReason::kWrongSource), 1u);
  EXPECT_EQ(from(At("10.90.2.3:7000"), phone_.Protect(Voice(2, kPhoneSsrc), 2)), 1u);
}

TEST_F(SecureRtp, TranslatesReportsAboutARenumberedStream) {
  // The browser begins again under another key: its 101 confirms that and leaves as 5002.
  for (uint16_t n : {5000, 5001}) EXPECT_EQ(AtPhone(phone_, n, n), Voice(n, kBrowserSsrc));
  WebRtcPeer again(bench_, call_.out, transform_);
  ASSERT_EQ(bench_.Install(call_.out, KeyUse::kReceive, again.to_gateway()), CommandStatus::kDone);
  ASSERT_EQ(bench_.Install(call_.back, KeyUse::kSend, again.from_gateway()), CommandStatus::kDone);
  for (uint16_t n : {100, 101, 102}) FromBrowser(again.Protect(Voice(n, kBrowserSsrc), n));
  bench_.Receive(DataplaneBench::kPrivate, At("10.90.2.2:6001"), call_.gateway_rtcp,
                 phone_.ProtectRtcp(ReceiverReport(kPhoneSsrc, kBrowserSsrc, 0x10000 + 5003), 1));
  bench_.Run();
  const auto sent = bench_.Sent(DataplaneBench::kPublic);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(again.UnprotectRtcp(sent[0].payload), ReceiverReport(kPhoneSsrc, kBrowserSsrc, 0x10000 + 102));
}

// ---- MKI

class SecureRtpMki : public SecureRtp, public testing::WithParamInterface<srtp::Profile> {};

TEST_P(SecureRtpMki, StandsInEveryPacketBothWays) {
  SrtpEnd phone(transform_, MasterKeyFrom(3, GetParam(), kMki1), MasterKeyFrom(4, GetParam(), kMki2));
  ASSERT_EQ(InstallPhoneKeys(phone), CommandStatus::kDone);
  for (uint64_t index = 65530; index < 65550; ++index) {  // over the rollover
    EXPECT_EQ(AtPhone(phone, index, index), Voice(srtp::SequenceNumberOf(index), kBrowserSsrc));
    EXPECT_TRUE(Heard(phone, index));
  }
  const auto report = ReceiverReport(kBrowserSsrc, kPhoneSsrc, 9);
  const auto out = FromBrowser(call_.browser.ProtectRtcp(report, 1));
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(phone.UnprotectRtcp(out[0].payload), report);
  bench_.Receive(DataplaneBench::kPrivate, At("10.90.2.2:6001"), call_.gateway_rtcp,
                 phone.ProtectRtcp(ReceiverReport(kPhoneSsrc, kBrowserSsrc, 7), 1));
  bench_.Run();
  EXPECT_EQ(bench_.Sent(DataplaneBench::kPublic).size(), 1u);
  bench_.Restart();
  EXPECT_TRUE(Heard(phone, 65550)) << "it outlives the process";
  EXPECT_EQ(AtPhone(phone, 65550, 65550), Voice(14, kBrowserSsrc));
}

TEST_P(SecureRtpMki, AnotherOneOrNoneIsRefusedAndTeachesNothing) {
  SrtpEnd phone(transform_, MasterKeyFrom(3, GetParam(), kMki1), MasterKeyFrom(4, GetParam(), kMki1));
  SrtpEnd other(transform_, MasterKeyFrom(3, GetParam(), kMki2), MasterKeyFrom(4, GetParam(), kMki2));
  SrtpEnd bare(transform_, MasterKeyFrom(3, GetParam()), MasterKeyFrom(4, GetParam()));
  ASSERT_EQ(InstallPhoneKeys(phone), CommandStatus::kDone);
  bench_.Advance(std::chrono::nanoseconds(nodes::ReceiveKeyExtras::kOldKeyLimitNs));
  call_.Connect(At("10.90.1.2:5000"));
  const auto before = bench_.slot(call_.back);
  EXPECT_FALSE(Heard(other, 1));
  EXPECT_EQ(bench_.drops(DropReason::kUnknownMki), 1u);
  EXPECT_FALSE(Heard(bare, 1));
  EXPECT_EQ(std::memcmp(&before, &bench_.slot(call_.back), sizeof before), 0);
  const auto good = phone.Protect(Voice(1, kPhoneSsrc), 1);
  for (size_t length = 0; length < good.size(); ++length)
    EXPECT_TRUE(FromPhone(ByteView(good).first(length)).empty()) << length;
  EXPECT_EQ(FromPhone(good).size(), 1u);
}

TEST_P(SecureRtpMki, ChangesWithTheSameKeyWithoutNewNumbering) {
  SrtpEnd phone(transform_, MasterKeyFrom(3, GetParam(), kMki1), MasterKeyFrom(4, GetParam(), kMki1));
  SrtpEnd renamed(transform_, MasterKeyFrom(3, GetParam(), kMki2), MasterKeyFrom(4, GetParam()));
  ASSERT_EQ(InstallPhoneKeys(phone), CommandStatus::kDone);
  EXPECT_TRUE(Heard(phone, 4464));
  EXPECT_EQ(AtPhone(phone, 7, 7), Voice(7, kBrowserSsrc));
  ASSERT_EQ(InstallPhoneKeys(renamed), CommandStatus::kDone);
  EXPECT_FALSE(Heard(renamed, 4464)) << "a replay";
  EXPECT_TRUE(Heard(renamed, 4465));
  EXPECT_EQ(AtPhone(renamed, 8, 8), Voice(8, kBrowserSsrc)) << "none at all now";
}

TEST_P(SecureRtpMki, NeedsRoomBesideTheTag) {
  const srtp::Mki mki{8, {1}};
  SrtpEnd phone(transform_, MasterKeyFrom(3, GetParam(), kMki1), MasterKeyFrom(4, GetParam(), mki));
  ASSERT_EQ(InstallPhoneKeys(phone), CommandStatus::kDone);
  // Frames that, with tag and MKI of the phone's leg, fill their buffer to the last byte, and one byte more.
  const size_t room = drivers::MemoryPool::kRoom - 14 - 20 - 8 - 12;
  const size_t overhead = srtp::TraitsOf(GetParam())->rtp_tag_bytes + mki.length;
  const auto from_browser = [&](uint16_t sequence, size_t payload_bytes) {
    const std::vector<uint8_t> payload(payload_bytes, 1);
    return FromBrowser(call_.browser.Protect(Rtp(0, sequence, 1, kBrowserSsrc, payload), sequence)).size();
  };
  EXPECT_EQ(from_browser(1, room - overhead), 1u);
  EXPECT_EQ(from_browser(2, room - overhead + 1), 0u);
  EXPECT_EQ(bench_.drops(DropReason::kNoRoom), 1u);
}

INSTANTIATE_TEST_SUITE_P(Profiles, SecureRtpMki,
                         testing::Values(srtp::Profile::kAes128CmHmacSha1_80,
                                         srtp::Profile::kAes128CmHmacSha1_32, srtp::Profile::kAeadAes128Gcm),
                         [](const testing::TestParamInfo<srtp::Profile>& suite) {
                           return std::string(srtp::TraitsOf(suite.param)->name);
                         });

// ---- the change of keys

using ReKeying = SecureRtp;

TEST_F(ReKeying, ANewKeyStartsAtRolloverZeroAndTheSameGoesOn) {
  for (uint64_t index = 65500; index < 65600; index += 10) {
    EXPECT_TRUE(Heard(phone_, index));
    EXPECT_EQ(AtPhone(phone_, index, index), Voice(srtp::SequenceNumberOf(index), kBrowserSsrc));
  }
  ASSERT_EQ(InstallPhoneKeys(phone_), CommandStatus::kDone);  // the same, as after a re-INVITE that keeps it
  EXPECT_TRUE(Heard(phone_, 65600)) << "rollover counter 1 goes on";
  EXPECT_EQ(AtPhone(phone_, 65600, 65600), Voice(64, kBrowserSsrc));
  EXPECT_FALSE(Heard(phone_, 65600)) << "and what was seen stays seen";

  SrtpEnd fresh(transform_, MasterKeyFrom(21), MasterKeyFrom(22));
  ASSERT_EQ(InstallPhoneKeys(fresh), CommandStatus::kDone);
  EXPECT_TRUE(Heard(fresh, 65)) << "the stream's sequence numbers go on, its rollover counter is 0";
  EXPECT_EQ(AtPhone(fresh, 65601, 65), Voice(65, kBrowserSsrc));
}

TEST_F(ReKeying, NoPacketIsLostWhileThePeerGoesOver) {
  // Ours is new at once; the peer sends under its old key until the answer is there, and the network reorders.
  for (uint64_t index = 100; index < 110; ++index) EXPECT_TRUE(Heard(phone_, index));
  SrtpEnd fresh(transform_, MasterKeyFrom(21), phone_.hears());
  ASSERT_EQ(InstallPhoneKeys(fresh), CommandStatus::kDone);
  for (uint64_t index = 110; index < 120; ++index) EXPECT_TRUE(Heard(phone_, index)) << index;
  EXPECT_TRUE(Heard(fresh, 122));
  EXPECT_TRUE(Heard(phone_, 121)) << "overtaken by the first under the new key";
  EXPECT_TRUE(Heard(fresh, 123));
  EXPECT_TRUE(Heard(phone_, 120));
  EXPECT_EQ(bench_.all_drops(), 0u);
  EXPECT_FALSE(Heard(phone_, 115)) << "the old window still stands: no replay under the old key";
  EXPECT_FALSE(Heard(fresh, 123));
  EXPECT_EQ(bench_.all_drops(), 2u);
}

TEST_F(ReKeying, BothKeysMayStandInOneBurst) {
  SrtpEnd fresh(transform_, MasterKeyFrom(21), phone_.hears());
  EXPECT_TRUE(Heard(phone_, 1));
  ASSERT_EQ(InstallPhoneKeys(fresh), CommandStatus::kDone);
  for (uint64_t index = 2; index < 12; ++index)
    call_.FromPhone((index % 2 == 0 ? phone_ : fresh).Protect(Voice(uint16_t(index), kPhoneSsrc), index));
  bench_.Run();
  const auto sent = bench_.Sent(DataplaneBench::kPublic);
  ASSERT_EQ(sent.size(), 10u);
  for (size_t n = 0; n < sent.size(); ++n)
    EXPECT_EQ(LoadBe16(sent[n].payload.data() + 2), n + 2) << "in the order they came";
}

TEST_F(ReKeying, TheOldKeyEndsTwoSecondsAfterTheNewOneIsHeard) {
  SrtpEnd fresh(transform_, MasterKeyFrom(21), phone_.hears());
  EXPECT_TRUE(Heard(phone_, 1));
  ASSERT_EQ(InstallPhoneKeys(fresh), CommandStatus::kDone);
  bench_.Advance(std::chrono::seconds(10));
  EXPECT_TRUE(Heard(phone_, 2)) << "the peer has not gone over yet";
  EXPECT_TRUE(Heard(fresh, 3));
  bench_.Advance(std::chrono::milliseconds(1990));
  EXPECT_TRUE(Heard(phone_, 4));
  bench_.Advance(std::chrono::milliseconds(20));
  EXPECT_FALSE(Heard(phone_, 5));
  EXPECT_EQ(bench_.drops(DropReason::kBadTag), 1u);
  EXPECT_TRUE(Heard(fresh, 6));
}

TEST_F(ReKeying, TheOldKeyEndsAfter32SecondsInAnyCase) {
  SrtpEnd fresh(transform_, MasterKeyFrom(21), phone_.hears());
  EXPECT_TRUE(Heard(phone_, 1));
  ASSERT_EQ(InstallPhoneKeys(fresh), CommandStatus::kDone);
  bench_.Advance(std::chrono::milliseconds(31'900));
  call_.Connect(At("10.90.1.2:5000"));
  EXPECT_TRUE(Heard(phone_, 2));
  bench_.Advance(std::chrono::milliseconds(200));
  EXPECT_FALSE(Heard(phone_, 3));
  EXPECT_TRUE(Heard(fresh, 4)) << "the new one was good all the time";
}

TEST_F(ReKeying, ARestartForgetsTheOldKeyAndKeepsTheNew) {
  SrtpEnd fresh(transform_, MasterKeyFrom(21), phone_.hears());
  EXPECT_TRUE(Heard(phone_, 1));
  ASSERT_EQ(InstallPhoneKeys(fresh), CommandStatus::kDone);
  bench_.Restart();
  EXPECT_FALSE(Heard(phone_, 2));
  EXPECT_TRUE(Heard(fresh, 3));
}

TEST_F(ReKeying, KeysWithMkisAreToldByThem) {
  const auto profile = srtp::Profile::kAes128CmHmacSha1_80;
  SrtpEnd old(transform_, MasterKeyFrom(3, profile, kMki1), MasterKeyFrom(4, profile, kMki1));
  SrtpEnd fresh(transform_, MasterKeyFrom(5, profile, kMki2), MasterKeyFrom(6, profile, kMki2));
  ASSERT_EQ(InstallPhoneKeys(old), CommandStatus::kDone);
  EXPECT_TRUE(Heard(old, 1));
  ASSERT_EQ(InstallPhoneKeys(fresh), CommandStatus::kDone);
  EXPECT_TRUE(Heard(old, 2));
  EXPECT_TRUE(Heard(fresh, 3));
  EXPECT_TRUE(Heard(old, 4));
  EXPECT_EQ(bench_.all_drops(), 0u);
  EXPECT_EQ(AtPhone(fresh, 9, 9), Voice(9, kBrowserSsrc));
}

TEST_F(ReKeying, TheBrowsersSideTakesANewKeyAlike) {
  // Another DTLS association: what was under way under the old one is not lost either.
  EXPECT_EQ(AtPhone(phone_, 1, 1), Voice(1, kBrowserSsrc));
  WebRtcPeer again(bench_, call_.out, transform_);
  ASSERT_EQ(bench_.Install(call_.out, KeyUse::kReceive, again.to_gateway()), CommandStatus::kDone);
  EXPECT_EQ(AtPhone(phone_, 2, 2), Voice(2, kBrowserSsrc));
  const auto sent = FromBrowser(again.Protect(Voice(3, kBrowserSsrc), 3));
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(phone_.Unprotect(sent[0].payload, 3), Voice(3, kBrowserSsrc));
  EXPECT_EQ(bench_.all_drops(), 0u);
}

}  // namespace
}  // namespace linegate::test
