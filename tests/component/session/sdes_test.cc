// SRTP on the SIP side with keys in SDP (RFC 4568): what is offered, answered, refused, and what the workers are told.
#include "controlplane/dtls/dtls_endpoint.h"
#include "controlplane/sdp/crypto_attribute.h"
#include "tests/component/session/media_fixture.h"

namespace linegate::session::testing {
namespace {

using srtp::Profile;

constexpr const char* kSuite80 = "AES_CM_128_HMAC_SHA1_80";
constexpr const char* kSuiteGcm = "AEAD_AES_128_GCM";

/// A key that begins with `first`, as it stands in SDP.
std::string Inline(uint8_t first, Profile profile) {
  const auto traits = *srtp::TraitsOf(profile);
  sdp::CryptoLine line;
  line.tag = 1;
  line.key.profile = profile;
  std::vector<uint8_t> key(traits.key_bytes, first);
  line.key.key.Assign(key);
  line.key.salt.Assign(std::vector<uint8_t>(traits.salt_bytes, 9));
  const std::string text = sdp::WriteCrypto(line);
  return text.substr(text.find("inline:"));
}
std::string Crypto(int tag, const char* suite, uint8_t first, const std::string& rest = "") {
  return "a=crypto:" + std::to_string(tag) + " " + suite + " " + Inline(first, *sdp::SuiteOf(suite)) + rest +
         "\r\n";
}
std::string Secure(const std::string& sdp) { return Replace(sdp, "RTP/AVP", "RTP/SAVP"); }
std::string Offer(const std::string& crypto = "") { return ReadSdp("baresip_offer") + crypto; }
std::string SipAnswer(const std::string& crypto = "") { return ReadSdp("baresip_answer") + crypto; }

class SdesFixture : public MediaFixture {
 protected:
  SdesFixture() { Use(SdesMode::kRequired); }
  void Use(SdesMode mode, uint8_t mki_bytes = 0) {
    MediaConfig config{"public", "private", 1};
    config.srtp = {mode, {Profile::kAes128CmHmacSha1_80, Profile::kAeadAes128Gcm}, mki_bytes};
    media = *MediaSessions::Create(DefaultSettings(), config, dtls, rng, hops, MakeUfrag);
    media->AdvanceTo(now);
    call = media->OpenCall();
  }
  void SetUp() override {}

  static std::vector<std::string> CryptoOf(const std::string& text) {
    std::vector<std::string> lines;
    for (size_t at = text.find("a=crypto:"); at != std::string::npos; at = text.find("a=crypto:", at + 1))
      lines.push_back(text.substr(at, text.find('\r', at) - at));
    return lines;
  }
  /// The first byte of the key in an a=crypto line of ours.
  static std::string FirstOf(const std::string& line) {
    const auto parsed = sdp::ParseCrypto(line.substr(std::string("a=crypto:").size()));
    if (!parsed) return "unreadable";
    char text[8];
    std::snprintf(text, sizeof text, "%02x", parsed->key.key.view()[0]);
    return text;
  }
  static std::string MLineOf(const std::string& text) {
    const size_t at = text.find("m=audio");
    return text.substr(at, text.find('\r', at) - at);
  }
  static std::vector<std::string> KeysOf(const std::vector<std::string>& lines) {
    std::vector<std::string> keys;
    for (const std::string& line : lines) {
      if (line.starts_with("keys")) keys.push_back(line);
    }
    return keys;
  }
  bool EncryptedIn(int slot) { return configs[uint32_t(slot)].ingress.srtp != 0; }
  bool EncryptedOut(int slot) { return configs[uint32_t(slot)].egress.srtp != 0; }
};

// ---- browser calls the SIP side

TEST_F(SdesFixture, RequiredIsOfferedAsSavpWithAKeyForEachSuite) {
  const sip::LegId web = Web(), sip = Sip();
  const std::string offer = Ok(media->RelayOffer(web, sip, ReadSdp("chromium_offer_audio")));
  EXPECT_THAT(MLineOf(offer), HasSubstr("m=audio 40000 RTP/SAVP "));
  const auto lines = CryptoOf(offer);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_THAT(lines[0], ::testing::StartsWith("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"));
  EXPECT_THAT(lines[1], ::testing::StartsWith("a=crypto:2 AEAD_AES_128_GCM inline:"));
  EXPECT_NE(FirstOf(lines[0]), FirstOf(lines[1]));
  EXPECT_THAT(lines[0], Not(HasSubstr("|")));

  const std::string answer = Ok(media->RelayAnswer(sip, web, Secure(SipAnswer(Crypto(2, kSuiteGcm, 0xa1)))));
  EXPECT_THAT(answer, Not(HasSubstr("crypto"))) << "nothing of it crosses to the browser";
  const auto commands = Drain();
  EXPECT_THAT(KeysOf(commands), ElementsAre("keys 1: receive a1 profile 7",
                                            "keys 0: send " + FirstOf(lines[1]) + " profile 7"));
  EXPECT_TRUE(EncryptedIn(1) && EncryptedOut(0));
  EXPECT_FALSE(EncryptedIn(0) || EncryptedOut(1));
  EXPECT_EQ(media->Calls(Redaction::kPlain)[0].legs[1].srtp_profile, "SRTP_AEAD_AES_128_GCM");
}

TEST_F(SdesFixture, TheBrowsersKeysComeBesideThose) {
  const sip::LegId web = Web(), sip = Sip();
  const auto lines = CryptoOf(Ok(media->RelayOffer(web, sip, ReadSdp("chromium_offer_audio"))));
  Ok(media->RelayAnswer(sip, web, Secure(SipAnswer(Crypto(1, kSuite80, 0xa1)))));
  Drain();
  Punt(web, "hello");
  Punt(web, "finish");
  EXPECT_THAT(KeysOf(Drain()), ElementsAre("keys 0: receive 11 profile 7", "keys 1: send 10 profile 7"));
}

TEST_F(SdesFixture, AnAnswerThatDoesNotTakeOneOfferedKeyIsRefused) {
  const sip::LegId web = Web(), sip = Sip();
  Ok(media->RelayOffer(web, sip, ReadSdp("chromium_offer_audio")));
  const auto status = [&](const std::string& answer) {
    return StatusOf(media->RelayAnswer(sip, web, answer));
  };
  EXPECT_EQ(status(SipAnswer()), 488) << "plain RTP although SRTP is required";
  EXPECT_EQ(status(Secure(SipAnswer())), 488);
  EXPECT_EQ(status(Secure(SipAnswer(Crypto(3, kSuite80, 1)))), 488) << "a tag that was not offered";
  EXPECT_EQ(status(Secure(SipAnswer(Crypto(2, kSuite80, 1)))), 488) << "another suite than under that tag";
  EXPECT_EQ(status(Secure(SipAnswer(Crypto(1, "AES_256_CM_HMAC_SHA1_80", 1)))), 488);
  EXPECT_EQ(status(Secure(SipAnswer(Crypto(1, kSuite80, 1) + Crypto(2, kSuiteGcm, 1)))), 488) << "two";
  EXPECT_EQ(status(Secure(SipAnswer(Crypto(1, kSuite80, 1, " UNENCRYPTED_SRTP")))), 488);
  EXPECT_THAT(Drain(), IsEmpty());
  EXPECT_EQ(status(Secure(SipAnswer(Crypto(1, kSuite80, 1)))), 200);
}

TEST_F(SdesFixture, OptionalIsOfferedAsRfc8643SaysAndFallsBackToRtp) {
  Use(SdesMode::kOptional);
  sip::LegId web = Web(), sip = Sip();
  const std::string offer = Ok(media->RelayOffer(web, sip, ReadSdp("chromium_offer_audio")));
  EXPECT_THAT(MLineOf(offer), HasSubstr("RTP/AVP "));
  EXPECT_EQ(CryptoOf(offer).size(), 2u);
  Ok(media->RelayAnswer(sip, web, SipAnswer()));
  EXPECT_THAT(KeysOf(Drain()), IsEmpty());
  EXPECT_FALSE(EncryptedIn(1) || EncryptedOut(0));

  media->CloseCall(call);
  Drain();
  call = media->OpenCall();
  web = Web(), sip = Sip();
  Ok(media->RelayOffer(web, sip, ReadSdp("chromium_offer_audio")));
  EXPECT_EQ(StatusOf(media->RelayAnswer(sip, web, Secure(SipAnswer()))), 488) << "SAVP without a key";
  EXPECT_EQ(StatusOf(media->RelayAnswer(sip, web, SipAnswer(Crypto(9, kSuite80, 1)))), 488)
      << "it will send SRTP, under a key for a line that is none";
  Ok(media->RelayAnswer(sip, web, SipAnswer(Crypto(1, kSuite80, 0xa1))));
  EXPECT_EQ(KeysOf(Drain()).size(), 2u);
}

TEST_F(SdesFixture, OffNamesNoKeyWhateverThePeerSays) {
  Use(SdesMode::kOff);
  const sip::LegId web = Web(), sip = Sip();
  const std::string offer = Ok(media->RelayOffer(web, sip, ReadSdp("chromium_offer_audio")));
  EXPECT_THAT(offer, HasSubstr("RTP/AVP "));
  EXPECT_THAT(offer, Not(HasSubstr("crypto")));
  EXPECT_EQ(StatusOf(media->RelayAnswer(sip, web, Secure(SipAnswer(Crypto(1, kSuite80, 1))))), 488);
  Ok(media->RelayAnswer(sip, web, SipAnswer(Crypto(1, kSuite80, 1))));
  EXPECT_THAT(KeysOf(Drain()), IsEmpty());
  const sip::LegId caller = Sip(), callee = Web();
  EXPECT_EQ(StatusOf(media->RelayOffer(caller, callee, Secure(Offer(Crypto(1, kSuite80, 1))))), 488);
  const std::string to_browser = Ok(media->RelayOffer(caller, callee, Offer(Crypto(1, kSuite80, 1))));
  EXPECT_THAT(to_browser, Not(HasSubstr("crypto")));
}

// ---- the SIP side calls a browser

class SdesCall : public SdesFixture {
 protected:
  /// A call that `offer` begins; what the SIP side is answered.
  std::string Begin(const std::string& offer) {
    sip_ = Sip(), web_ = Web();
    Ok(media->RelayOffer(sip_, web_, offer));
    return Ok(media->RelayAnswer(web_, sip_, Answered()));
  }
  std::string Again(const std::string& offer) {
    Ok(media->RelayOffer(sip_, web_, offer));
    return Ok(media->RelayAnswer(web_, sip_, Answered()));
  }
  static std::string Answered() {
    const std::string browser = Replace(BrowserAnswer(), "SAVPF 111 63 9 0 8 13 110 126", "SAVPF 0 8 101");
    return Replace(browser, "rtpmap:126 telephone-event", "rtpmap:101 telephone-event");
  }
  sip::LegId sip_, web_;
};

TEST_F(SdesCall, TheFirstServedLineIsAnsweredUnderItsTag) {
  const std::string answer = Begin(
      Secure(Offer("a=crypto:4 F8_128_HMAC_SHA1_80 inline:abc\r\n" + Crypto(5, kSuiteGcm, 0xb1, " KDR=1") +
                   Crypto(7, kSuiteGcm, 0xb2) + Crypto(8, kSuite80, 0xb3))));
  EXPECT_THAT(MLineOf(answer), HasSubstr("RTP/SAVP "));
  const auto lines = CryptoOf(answer);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_THAT(lines[0], ::testing::StartsWith("a=crypto:7 AEAD_AES_128_GCM inline:"));
  EXPECT_THAT(KeysOf(Drain()), ElementsAre("keys 0: receive b2 profile 7",
                                           "keys 1: send " + FirstOf(lines[0]) + " profile 7"));
  EXPECT_TRUE(EncryptedIn(0) && EncryptedOut(1));
}

TEST_F(SdesCall, RequiredAndNotOfferedIs488BeforeAnybodyRings) {
  sip_ = Sip(), web_ = Web();
  EXPECT_EQ(StatusOf(media->RelayOffer(sip_, web_, Offer())), 488);
  EXPECT_EQ(StatusOf(media->RelayOffer(sip_, web_, Secure(Offer()))), 488);
  EXPECT_EQ(StatusOf(media->RelayOffer(sip_, web_, Secure(Offer(Crypto(1, "AES_256_CM_HMAC_SHA1_80", 1))))),
            488)
      << "a suite that is not configured";
  EXPECT_THAT(Drain(), IsEmpty());
  EXPECT_EQ(media->totals().flows, 0u);
  EXPECT_EQ(StatusOf(media->RelayOffer(sip_, web_, Offer(Crypto(1, kSuite80, 1)))), 200) << "RFC 8643";
}

TEST_F(SdesCall, OptionalTakesEitherWay) {
  Use(SdesMode::kOptional);
  EXPECT_THAT(Begin(Offer()), Not(HasSubstr("crypto")));
  EXPECT_THAT(KeysOf(Drain()), IsEmpty());
  media->CloseCall(call);
  Drain();
  call = media->OpenCall();
  const std::string answer = Begin(Offer(Crypto(1, kSuite80, 0xb1)));
  EXPECT_THAT(MLineOf(answer), HasSubstr("RTP/AVP "));
  EXPECT_EQ(CryptoOf(answer).size(), 1u);
  EXPECT_EQ(KeysOf(Drain()).size(), 2u);
  sip::LegId caller = Sip(), callee = Web();
  EXPECT_EQ(StatusOf(media->RelayOffer(caller, callee, Secure(Offer()))), 488);
}

// ---- re-INVITE

TEST_F(SdesCall, TheSameKeyIsNoNewsAndTheVersionStays) {
  const std::string first = Begin(Secure(Offer(Crypto(1, kSuite80, 0xb1))));
  Drain();
  const std::string hold =
      Again(Replace(Secure(Offer(Crypto(1, kSuite80, 0xb1))), "a=sendrecv", "a=sendonly"));
  EXPECT_EQ(CryptoOf(hold), CryptoOf(first));
  EXPECT_THAT(KeysOf(Drain()), IsEmpty()) << "so packet indices go on";
  EXPECT_TRUE(EncryptedIn(0) && EncryptedOut(1));
  EXPECT_EQ(CryptoOf(Again(Secure(Offer(Crypto(1, kSuite80, 0xb1))))), CryptoOf(first));
  EXPECT_THAT(KeysOf(Drain()), IsEmpty());
}

TEST_F(SdesCall, ANewKeyOfThePeerChangesOnlyWhatIsReceived) {
  const std::string first = Begin(Secure(Offer(Crypto(1, kSuite80, 0xb1))));
  Drain();
  const std::string second = Again(Secure(Offer(Crypto(3, kSuite80, 0xb2))));
  EXPECT_THAT(CryptoOf(second)[0], ::testing::StartsWith("a=crypto:3 "));
  EXPECT_EQ(FirstOf(CryptoOf(second)[0]), FirstOf(CryptoOf(first)[0]));
  EXPECT_THAT(KeysOf(Drain()), ElementsAre("keys 0: receive b2 profile 1"));
}

TEST_F(SdesCall, AnotherSuiteBringsAnotherKeyAndAKeyIsNeverTakenUpAgain) {
  const std::string first = Begin(Secure(Offer(Crypto(1, kSuite80, 0xb1))));
  Drain();
  const std::string second = Again(Secure(Offer(Crypto(1, kSuiteGcm, 0xb2))));
  EXPECT_NE(FirstOf(CryptoOf(second)[0]), FirstOf(CryptoOf(first)[0]));
  EXPECT_EQ(KeysOf(Drain()).size(), 2u);
  const std::string third = Again(Secure(Offer(Crypto(1, kSuite80, 0xb3))));
  EXPECT_NE(FirstOf(CryptoOf(third)[0]), FirstOf(CryptoOf(first)[0])) << "its packet indices are forgotten";
}

TEST_F(SdesCall, AForkThatGoesBackToAKeyOfBeforeIsRefused) {
  const sip::LegId web = Web(), sip = Sip();
  Ok(media->RelayOffer(web, sip, ReadSdp("chromium_offer_audio")));
  EXPECT_EQ(StatusOf(media->RelayAnswer(sip, web, Secure(SipAnswer(Crypto(1, kSuite80, 1))))), 200);
  EXPECT_EQ(StatusOf(media->RelayAnswer(sip, web, Secure(SipAnswer(Crypto(2, kSuiteGcm, 2))))), 200);
  EXPECT_EQ(StatusOf(media->RelayAnswer(sip, web, Secure(SipAnswer(Crypto(1, kSuite80, 3))))), 488);
}

TEST_F(SdesCall, OurReofferNamesTheKeysInForce) {
  const std::string first = Begin(Secure(Offer(Crypto(6, kSuite80, 0xb1))));
  Drain();
  const std::string reoffer =
      Ok(media->RelayOffer(web_, sip_, Replace(Answered(), "a=setup:active", "a=setup:actpass")));
  EXPECT_THAT(MLineOf(reoffer), HasSubstr("RTP/SAVP "));
  EXPECT_EQ(FirstOf(CryptoOf(reoffer)[0]), FirstOf(CryptoOf(first)[0]));
  Ok(media->RelayAnswer(sip_, web_, Secure(SipAnswer(Crypto(1, kSuite80, 0xb1)))));
  EXPECT_THAT(KeysOf(Drain()), IsEmpty());
}

TEST_F(SdesCall, MediaThatIsMovedToAServerTakesItsKey) {
  // Mission G11: a re-INVITE from a media server, with its own address and key; the browser's transport stays.
  Begin(Secure(Offer(Crypto(1, kSuite80, 0xb1))));
  Punt(web_, "hello"), Punt(web_, "finish");
  Drain();
  const size_t associations = dtls.made.size();
  Again(Replace(Secure(Offer(Crypto(1, kSuite80, 0xc1))), "10.90.2.2", "10.90.2.9"));
  const auto commands = Drain();
  EXPECT_THAT(KeysOf(commands), ElementsAre("keys 0: receive c1 profile 1"));
  EXPECT_EQ(Address(configs[0].ingress.expected[0]).substr(0, 9), "10.90.2.9");
  EXPECT_EQ(dtls.made.size(), associations);
}

// ---- MKI

TEST_F(SdesCall, AnAnswerHasAnMkiWhereTheOfferHas) {
  const std::string answer = Begin(Secure(Offer(Crypto(1, kSuite80, 0xb1, "|2^31|5:2"))));
  ASSERT_EQ(CryptoOf(answer).size(), 1u);
  EXPECT_THAT(CryptoOf(answer)[0], ::testing::EndsWith("|1:2"));
  std::vector<abi::InstallKeys> installed;
  while (auto output = media->PollOutput()) {
    if (const auto* keys = std::get_if<abi::InstallKeys>(&*output)) installed.push_back(*keys);
    if (const auto done = Confirmation(*output)) media->HandleCommandDone(now, *done);
  }
  ASSERT_EQ(installed.size(), 2u);
  EXPECT_EQ(installed[0].mki_bytes, 2);
  EXPECT_EQ(installed[0].mki[1], 5) << "checked on what we receive";
  EXPECT_EQ(installed[1].mki_bytes, 2);
  EXPECT_EQ(installed[1].mki[1], 1) << "put into what we send";
}

TEST_F(SdesCall, OffersHaveMkisWhereConfiguredEachKeyItsOwn) {
  Use(SdesMode::kRequired, 4);
  const sip::LegId web = Web(), sip = Sip();
  const auto lines = CryptoOf(Ok(media->RelayOffer(web, sip, ReadSdp("chromium_offer_audio"))));
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_THAT(lines[0], ::testing::EndsWith("|1:4"));
  EXPECT_THAT(lines[1], ::testing::EndsWith("|2:4"));
}

TEST_F(SdesCall, ASipCallersTestNumberIsEncryptedToo) {
  const sip::LegId sip = Sip();
  EXPECT_EQ(StatusOf(media->AnswerLocally(sip, Offer(), sip::LocalService::kEcho)), 488);
  const std::string answer =
      Ok(media->AnswerLocally(sip, Secure(Offer(Crypto(2, kSuite80, 0xb1))), sip::LocalService::kEcho));
  EXPECT_EQ(CryptoOf(answer).size(), 1u);
  EXPECT_EQ(KeysOf(Drain()).size(), 2u);
  EXPECT_TRUE(EncryptedIn(0) && EncryptedOut(0));
}

}  // namespace
}  // namespace linegate::session::testing
