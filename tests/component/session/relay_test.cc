#include "tests/component/session/media_fixture.h"

namespace linegate::session::testing {
namespace {

using Relay = MediaFixture;

/// What Linegate wrote itself, in the role of the peer's session: only lines, no order.
std::string LineOf(const std::string& sdp, const std::string& prefix) {
  const size_t at = sdp.find("\n" + prefix);
  return at == std::string::npos ? "" : sdp.substr(at + 1, sdp.find('\r', at + 1) - at - 1);
}

std::string SipAnswer(const std::string& address = "10.90.2.2", int port = 20276) {
  return Replace(Replace(ReadSdp("baresip_answer"), "10.90.2.2", address), "20276", std::to_string(port));
}

TEST_F(Relay, BrowserOfferBecomesExactlyThisSipOffer) {
  const sip::LegId web = Web(), sip = Sip();
  EXPECT_EQ(Ok(media->RelayOffer(web, sip, ReadSdp("chromium_offer_audio_video"))),
            "v=0\r\n"
            "o=- 506310288128460165 1 IN IP4 10.90.2.1\r\n"
            "s=-\r\n"
            "c=IN IP4 10.90.2.1\r\n"
            "t=0 0\r\n"
            "m=audio 40000 RTP/AVP 111 9 0 8 13 110 126\r\n"
            "a=rtpmap:111 opus/48000/2\r\n"
            "a=fmtp:111 minptime=10;useinbandfec=1\r\n"
            "a=rtpmap:9 G722/8000\r\n"
            "a=rtpmap:0 PCMU/8000\r\n"
            "a=rtpmap:8 PCMA/8000\r\n"
            "a=rtpmap:13 CN/8000\r\n"
            "a=rtpmap:110 telephone-event/48000\r\n"
            "a=rtpmap:126 telephone-event/8000\r\n"
            "a=sendrecv\r\n");
  EXPECT_THAT(Drain(), IsEmpty());  // nobody can send yet
}

TEST_F(Relay, BrowserToSipAndBack) {
  const sip::LegId web = Web(), sip = Sip();
  Ok(media->RelayOffer(web, sip, ReadSdp("chromium_offer_audio_video")));
  const std::string answer = Ok(media->RelayAnswer(sip, web, SipAnswer()));
  EXPECT_THAT(answer, HasSubstr("m=audio 20000 UDP/TLS/RTP/SAVPF 0 8 126\r\n"));
  EXPECT_THAT(answer, HasSubstr("a=fmtp:126 0-15\r\n"));
  EXPECT_THAT(answer, HasSubstr("a=setup:passive\r\n"));
  EXPECT_THAT(answer, HasSubstr("m=video 0 UDP/TLS/RTP/SAVPF 96\r\n"));
  EXPECT_THAT(answer, Not(HasSubstr("10.90.2.")));
  EXPECT_THAT(
      Drain(),
      ElementsAre(
          "program 0: web -> 10.90.2.1:40000 to 10.90.2.2:20276 reverse 1 rtp rtcp 0>0 8>8 126>126",
          "program 1: rtp 10.90.2.1:40000 from 10.90.2.2:20276 -> web reverse 0 rtp rtcp 0>0 8>8 126>126"));
  EXPECT_EQ(Address(configs[1].ingress.expected[1]), "10.90.2.2:20277");
  EXPECT_EQ(Address(configs[0].egress.local[1]), "10.90.2.1:40001");
  EXPECT_EQ(Address(configs[0].egress.remote[1]), "10.90.2.2:20277");
  Punt(web, "hello");
  Punt(web, "finish");
  EXPECT_THAT(Drain(), ElementsAre("keys 0: receive 11 profile 7", "keys 1: send 10 profile 7",
                                   "inject 0 to 10.90.1.2:50000: flight", "leg 1 media up"));
  media->CloseCall(call);
  EXPECT_THAT(Drain(), ElementsAre("remove 0", "remove 1"));
  EXPECT_EQ(media->totals().flows + media->totals().rtp_port_pairs + media->totals().legs, 0u);
}

TEST_F(Relay, TelephoneEventsAreRenumberedBetweenTheLegs) {
  const sip::LegId web = Web(), sip = Sip();
  Ok(media->RelayOffer(web, sip, ReadSdp("chromium_offer_audio")));
  // A phone that keeps its own number for telephone-event.
  const std::string answer = Replace(SipAnswer(), "126", "101");
  EXPECT_THAT(Ok(media->RelayAnswer(sip, web, answer)),
              HasSubstr("m=audio 20000 UDP/TLS/RTP/SAVPF 0 8 126\r\n"));
  Drain();
  EXPECT_THAT(Line(configs[0]), HasSubstr("0>0 8>8 126>101"));
  EXPECT_THAT(Line(configs[1]), HasSubstr("0>0 8>8 126>126 101>126"));
}

TEST_F(Relay, SipOfferBecomesABrowserOfferAndItsIceAndDtlsMayOvertakeTheAnswer) {
  const sip::LegId sip = Sip(), web = Web();
  const std::string offer = Ok(media->RelayOffer(sip, web, ReadSdp("baresip_offer")));
  EXPECT_THAT(offer,
              HasSubstr("a=ice-lite\r\na=group:BUNDLE 0\r\nm=audio 20000 UDP/TLS/RTP/SAVPF 0 8 101\r\n"));
  for (const char* line : {"a=mid:0", "a=rtcp-mux", "a=setup:actpass", "a=end-of-candidates", "a=ptime:20",
                           "a=rtcp:20000 IN IP4 10.90.1.1", "a=fmtp:101 0-15"}) {
    EXPECT_THAT(offer, HasSubstr(std::string(line) + "\r\n"));
  }
  EXPECT_THAT(offer, HasSubstr("a=msid:linegate "));
  EXPECT_THAT(offer, Not(HasSubstr("10.90.2.")));
  EXPECT_THAT(offer, Not(HasSubstr("baresip")));
  EXPECT_THAT(Drain(), ElementsAre("program 1: web -> nowhere"));
  Punt(web, "hello");
  for (int i = 0; i < 10; ++i) Punt(web, "stray");  // only four are kept
  EXPECT_THAT(Drain(), IsEmpty());
  EXPECT_THAT(dtls.made, IsEmpty());

  const std::string browser = Replace(BrowserAnswer(), "SAVPF 111 63 9 0 8 13 110 126", "SAVPF 0 8 101");
  const std::string answer = Ok(media->RelayAnswer(
      web, sip, Replace(browser, "rtpmap:126 telephone-event", "rtpmap:101 telephone-event")));
  EXPECT_EQ(LineOf(answer, "m=audio"), "m=audio 40000 RTP/AVP 0 8 101");
  for (const char* secret :
       {"candidate", "ice-", "fingerprint", ".local", "10.90.1.", "setup", "msid", "mid:", "rtcp"}) {
    EXPECT_THAT(answer, Not(HasSubstr(secret)));
  }
  EXPECT_THAT(
      Drain(),
      ElementsAre(
          "program 0: rtp 10.90.2.1:40000 from 10.90.2.2:20360 -> web reverse 1 rtp rtcp 0>0 8>8 101>101",
          "program 1: web -> 10.90.2.1:40000 to 10.90.2.2:20360 reverse 0 rtp rtcp 0>0 8>8 101>101",
          "inject 1 to 10.90.1.2:50000: flight", "inject 1 to 10.90.1.2:50000: again",
          "inject 1 to 10.90.1.2:50000: again", "inject 1 to 10.90.1.2:50000: again"));
  Punt(web, "finish");
  EXPECT_THAT(Drain(),
              ElementsAre("keys 1: receive 11 profile 7", "keys 0: send 10 profile 7", "leg 2 media up"));
}

TEST_F(Relay, BrowserToBrowserEachWithItsOwnTransport) {
  const sip::LegId caller = Web(), callee = Web();
  const std::string offer = Ok(media->RelayOffer(caller, callee, ReadSdp("firefox_offer_audio")));
  EXPECT_EQ(LineOf(offer, "m=audio"), "m=audio 20000 UDP/TLS/RTP/SAVPF 109 9 0 8 101");
  EXPECT_THAT(offer, HasSubstr("a=fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1\r\n"));
  EXPECT_THAT(Drain(), ElementsAre("program 1: web -> nowhere"));
  std::string browser = BrowserAnswer("active");
  browser = Replace(browser, "SAVPF 111 63 9 0 8 13 110 126", "SAVPF 109 0 101");
  browser = Replace(Replace(browser, ":111 ", ":109 "), ":126 ", ":101 ");
  const std::string answer = Ok(media->RelayAnswer(callee, caller, browser));
  EXPECT_EQ(LineOf(answer, "m=audio"), "m=audio 20000 UDP/TLS/RTP/SAVPF 109 0 101");
  EXPECT_NE(LineOf(answer, "a=ice-ufrag"), LineOf(offer, "a=ice-ufrag"));
  EXPECT_THAT(Drain(), ElementsAre("program 0: web -> web reverse 1 rtp rtcp 109>109 0>0 101>101",
                                   "program 1: web -> web reverse 0 rtp rtcp 109>109 0>0 101>101"));
  Punt(callee, "finish");
  Punt(caller, "finish");
  EXPECT_THAT(Drain(), ElementsAre("keys 1: receive 11 profile 7", "keys 0: receive 21 profile 7",
                                   "keys 1: send 20 profile 7", "keys 0: send 10 profile 7", "leg 2 media up",
                                   "leg 1 media up"));
}

TEST_F(Relay, ForkJoinsTheBranchThatAnswersAndKeepsNothingOfTheOthers) {
  const sip::LegId sip = Sip(), first = Web(), second = Web();
  Ok(media->RelayOffer(sip, first, ReadSdp("baresip_offer")));
  Ok(media->RelayOffer(sip, second, ReadSdp("baresip_offer")));
  EXPECT_THAT(Drain(), ElementsAre("program 1: web -> nowhere", "program 2: web -> nowhere"));
  Ok(media->RelayAnswer(second, sip, BrowserAnswer()));
  media->CloseLeg(first);
  EXPECT_THAT(
      Drain(),
      ElementsAre(
          "program 0: rtp 10.90.2.1:40000 from 10.90.2.2:20360 -> web reverse 2 rtp rtcp 0>0 8>8 101>126",
          "program 2: web -> 10.90.2.1:40000 to 10.90.2.2:20360 reverse 0 rtp rtcp 0>0 8>8 101>101 126>101",
          "remove 1"));
}

TEST_F(Relay, ForkBelowTheSipServerGivesTheBrowserOneAnswer) {
  const sip::LegId web = Web(), sip = Sip();
  Ok(media->RelayOffer(web, sip, ReadSdp("chromium_offer_audio")));
  const std::string early = Ok(media->RelayAnswer(sip, web, SipAnswer()));
  Drain();
  const std::string other = Replace(SipAnswer("10.90.2.9", 30000), "RTP/AVP 0 8 126", "RTP/AVP 8 126");
  EXPECT_EQ(Ok(media->RelayAnswer(sip, web, other)), early);
  EXPECT_THAT(
      Drain(),
      ElementsAre(
          "program 0: web -> 10.90.2.1:40000 to 10.90.2.9:30000 reverse 1 rtp rtcp 8>8 126>126",
          "program 1: rtp 10.90.2.1:40000 from 10.90.2.9:30000 -> web reverse 0 rtp rtcp 8>8 126>126"));
  const std::string foreign = Replace(SipAnswer(), "RTP/AVP 0 8 126", "RTP/AVP 9 126");
  EXPECT_EQ(StatusOf(media->RelayAnswer(sip, web, foreign)), 488);
}

TEST_F(Relay, ReInviteToANewAddressMovesOnlyTheSipSide) {
  const sip::LegId web = Web(), sip = Sip();
  Ok(media->RelayOffer(web, sip, ReadSdp("chromium_offer_audio")));
  const std::string answer = Ok(media->RelayAnswer(sip, web, SipAnswer()));
  Punt(web, "finish");
  Drain();
  // The SIP Server hands the call to another media server: new address, port and telephone-event number.
  const std::string moved =
      Replace(Replace(ReadSdp("baresip_offer"), "10.90.2.2", "10.90.2.9"), "20360", "31000");
  const std::string offer = Ok(media->RelayOffer(sip, web, moved));
  for (const char* kept : {"a=ice-ufrag", "a=ice-pwd", "a=fingerprint", "a=mid", "a=msid", "a=candidate:1"}) {
    EXPECT_EQ(LineOf(offer, kept), LineOf(answer, kept)) << kept;
  }
  EXPECT_EQ(LineOf(offer, "m=audio"), "m=audio 20000 UDP/TLS/RTP/SAVPF 0 8 126");  // the leg's own number
  EXPECT_EQ(LineOf(offer, "o="), Replace(LineOf(answer, "o="), " 1 IN", " 2 IN"));
  EXPECT_THAT(Drain(), IsEmpty());  // the old path carries on until the answer
  Ok(media->RelayAnswer(web, sip, BrowserAnswer()));
  EXPECT_THAT(
      Drain(),
      ElementsAre(
          "program 1: rtp 10.90.2.1:40000 from 10.90.2.9:31000 -> web reverse 0 rtp rtcp 0>0 8>8 101>126",
          "program 0: web -> 10.90.2.1:40000 to 10.90.2.9:31000 reverse 1 rtp rtcp 0>0 8>8 126>101"));
  EXPECT_EQ(dtls.made.size(), 1u);
}

TEST_F(Relay, RefusedReOfferLeavesEverythingAsItWas) {
  const sip::LegId web = Web(), sip = Sip();
  Ok(media->RelayOffer(web, sip, ReadSdp("chromium_offer_audio")));
  Ok(media->RelayAnswer(sip, web, SipAnswer()));
  Drain();
  Ok(media->RelayOffer(sip, web, Replace(ReadSdp("baresip_offer"), "10.90.2.2", "10.90.2.9")));
  media->RollbackOffer(sip, web);
  EXPECT_THAT(Drain(), IsEmpty());
  EXPECT_EQ(StatusOf(media->RelayAnswer(web, sip, BrowserAnswer())), 500);
  media->OnNextHopChanged();
  EXPECT_THAT(Drain(), IsEmpty());
}

TEST_F(Relay, RetryAfterAChallengeKeepsPortsAndCredentials) {
  const sip::LegId web = Web(), sip = Sip();
  const std::string first = Ok(media->RelayOffer(web, sip, ReadSdp("chromium_offer_audio")));
  media->RollbackOffer(web, sip);
  EXPECT_EQ(Ok(media->RelayOffer(web, sip, ReadSdp("chromium_offer_audio"))), first);
  EXPECT_EQ(media->totals().flows, 2u);
  EXPECT_EQ(media->totals().rtp_port_pairs, 1u);
}

struct DirectionCase {
  const char* offered;
  const char* answered;
  const char* relayed_answer;
  bool to_sip, to_web;
};
class Directions : public MediaFixture, public ::testing::WithParamInterface<DirectionCase> {};
TEST_P(Directions, CrossUnchanged) {
  const DirectionCase& c = GetParam();
  const sip::LegId web = Web(), sip = Sip();
  const std::string offer = Ok(media->RelayOffer(
      web, sip, Replace(ReadSdp("chromium_offer_audio"), "a=sendrecv", std::string("a=") + c.offered)));
  EXPECT_THAT(offer, HasSubstr(std::string("a=") + c.offered + "\r\n"));
  const std::string answer =
      Ok(media->RelayAnswer(sip, web, Replace(SipAnswer(), "a=sendrecv", std::string("a=") + c.answered)));
  EXPECT_THAT(answer, HasSubstr(std::string("a=") + c.relayed_answer + "\r\n"));
  Drain();
  EXPECT_EQ(configs[0].send_rtp == 1, c.to_sip);
  EXPECT_EQ(configs[1].send_rtp == 1, c.to_web);
  EXPECT_EQ(configs[0].send_rtcp + configs[1].send_rtcp, 2);
}
INSTANTIATE_TEST_SUITE_P(
    Matrix, Directions,
    ::testing::Values(DirectionCase{"sendrecv", "sendrecv", "sendrecv", true, true},
                      DirectionCase{"sendrecv", "sendonly", "sendonly", false, true},
                      DirectionCase{"sendrecv", "recvonly", "recvonly", true, false},
                      DirectionCase{"sendrecv", "inactive", "inactive", false, false},
                      DirectionCase{"sendonly", "recvonly", "recvonly", true, false},
                      DirectionCase{"sendonly", "inactive", "inactive", false, false},
                      DirectionCase{"recvonly", "sendonly", "sendonly", false, true},
                      DirectionCase{"recvonly", "inactive", "inactive", false, false},
                      DirectionCase{"inactive", "inactive", "inactive", false, false},
                      // Answers that RFC 3264 section 6.1 forbids are narrowed to what it allows.
                      DirectionCase{"sendonly", "sendrecv", "recvonly", true, false},
                      DirectionCase{"sendonly", "sendonly", "inactive", false, false},
                      DirectionCase{"recvonly", "sendrecv", "sendonly", false, true},
                      DirectionCase{"recvonly", "recvonly", "inactive", false, false},
                      DirectionCase{"inactive", "sendrecv", "inactive", false, false},
                      DirectionCase{"inactive", "sendonly", "inactive", false, false},
                      DirectionCase{"inactive", "recvonly", "inactive", false, false}));

TEST_F(Relay, HoldAndRetrieveFromTheSipSide) {
  const sip::LegId web = Web(), sip = Sip();
  Ok(media->RelayOffer(web, sip, ReadSdp("chromium_offer_audio")));
  Ok(media->RelayAnswer(sip, web, SipAnswer()));
  Drain();
  const std::string hold =
      Ok(media->RelayOffer(sip, web, Replace(ReadSdp("baresip_offer"), "a=sendrecv", "a=sendonly")));
  EXPECT_THAT(hold, HasSubstr("a=sendonly\r\n"));
  const std::string held =
      Ok(media->RelayAnswer(web, sip, Replace(BrowserAnswer(), "a=sendrecv", "a=recvonly")));
  EXPECT_THAT(held, HasSubstr("a=recvonly\r\n"));
  Drain();
  EXPECT_EQ(configs[0].send_rtp, 0);  // browser -> phone
  EXPECT_EQ(configs[1].send_rtp, 1);  // music on hold
  Ok(media->RelayOffer(sip, web, ReadSdp("baresip_offer")));
  Ok(media->RelayAnswer(web, sip, BrowserAnswer()));
  Drain();
  EXPECT_EQ(configs[0].send_rtp + configs[1].send_rtp, 2);
}

TEST_F(Relay, HoldAndRetrieveFromTheBrowser) {
  const sip::LegId web = Web(), sip = Sip();
  const std::string offer = ReadSdp("chromium_offer_audio");
  const std::string first_offer = Ok(media->RelayOffer(web, sip, offer));
  const std::string first = Ok(media->RelayAnswer(sip, web, SipAnswer()));
  Punt(web, "finish");
  Drain();
  const std::string hold = Ok(media->RelayOffer(web, sip, Replace(offer, "a=sendrecv", "a=sendonly")));
  EXPECT_EQ(hold, Replace(Replace(first_offer, "a=sendrecv", "a=sendonly"), " 1 IN IP4", " 2 IN IP4"));
  const std::string held = Ok(media->RelayAnswer(sip, web, Replace(SipAnswer(), "a=sendrecv", "a=recvonly")));
  EXPECT_EQ(Replace(LineOf(held, "o="), " 2 IN", " 1 IN"), LineOf(first, "o="));
  EXPECT_THAT(held, HasSubstr("a=recvonly\r\n"));
  Drain();
  EXPECT_EQ(configs[0].send_rtp, 1);
  EXPECT_EQ(configs[1].send_rtp, 0);
  Ok(media->RelayOffer(web, sip, offer));
  Ok(media->RelayAnswer(sip, web, SipAnswer()));
  Drain();
  EXPECT_EQ(configs[0].send_rtp + configs[1].send_rtp, 2);
  EXPECT_EQ(dtls.made.size(), 1u);
}

TEST_F(Relay, VideoAddedByAReOfferIsRefusedAndNeverReachesTheSipSide) {
  const sip::LegId web = Web(), sip = Sip();
  Ok(media->RelayOffer(web, sip, ReadSdp("chromium_offer_audio")));
  Ok(media->RelayAnswer(sip, web, SipAnswer()));
  Drain();
  const std::string with_video = Replace(Replace(ReadSdp("chromium_offer_audio_video"), "esk8", "Yy2P"),
                                         "7TlYeTQg4opbqMPW4RIrgVy4", "YDFuCJmOjAyTIwUMRK46LTgq");
  EXPECT_THAT(Ok(media->RelayOffer(web, sip, with_video)), Not(HasSubstr("m=video")));
  EXPECT_THAT(Ok(media->RelayAnswer(sip, web, SipAnswer())), HasSubstr("m=video 0 "));
  // From now on offers to this browser carry the line too: descriptions only grow.
  EXPECT_THAT(Ok(media->RelayOffer(sip, web, ReadSdp("baresip_offer"))),
              HasSubstr("m=video 0 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=inactive\r\na=mid:1\r\n"));
}

TEST_F(Relay, BlackHoleIsInactiveForTheBrowserAndNothingIsSentToIt) {
  const sip::LegId sip = Sip(), web = Web();
  const std::string black_hole = Replace(ReadSdp("baresip_offer"), "c=IN IP4 10.90.2.2", "c=IN IP4 0.0.0.0");
  EXPECT_THAT(Ok(media->RelayOffer(sip, web, black_hole)), HasSubstr("a=inactive\r\n"));
  EXPECT_THAT(Drain(), ElementsAre("program 1: web -> nowhere"));
  const std::string answer =
      Ok(media->RelayAnswer(web, sip, Replace(BrowserAnswer(), "a=sendrecv", "a=inactive")));
  EXPECT_EQ(LineOf(answer, "m=audio"), "m=audio 40000 RTP/AVP 0 8 101");
  EXPECT_THAT(answer, HasSubstr("a=inactive\r\n"));
  EXPECT_THAT(Drain(),
              ElementsAre("program 0: rtp 10.90.2.1:40000 from - -> web reverse 1 rtcp 0>0 8>8 101>126",
                          "program 1: web -> 10.90.2.1:40000 to - reverse 0 0>0 8>8 101>101 126>101"));
  Punt(web, "finish");
  Drain();
  // RFC 3725 flow 2 goes on: the real description comes in a re-INVITE; ICE and DTLS stay.
  Ok(media->RelayOffer(sip, web, ReadSdp("baresip_offer")));
  Ok(media->RelayAnswer(web, sip, BrowserAnswer()));
  EXPECT_THAT(
      Drain(),
      ElementsAre(
          "program 0: rtp 10.90.2.1:40000 from 10.90.2.2:20360 -> web reverse 1 rtp rtcp 0>0 8>8 101>126",
          "program 1: web -> 10.90.2.1:40000 to 10.90.2.2:20360 reverse 0 rtp rtcp 0>0 8>8 101>101 126>101"));
  EXPECT_EQ(dtls.made.size(), 1u);
}

TEST_F(Relay, PortZeroHoldsTheBrowserAndIsAnsweredWithPortZero) {
  const sip::LegId web = Web(), sip = Sip();
  Ok(media->RelayOffer(web, sip, ReadSdp("chromium_offer_audio")));
  Ok(media->RelayAnswer(sip, web, SipAnswer()));
  Drain();
  const std::string offer =
      Ok(media->RelayOffer(sip, web, Replace(ReadSdp("baresip_offer"), "m=audio 20360", "m=audio 0")));
  EXPECT_THAT(offer, HasSubstr("m=audio 20000 "));
  EXPECT_THAT(offer, HasSubstr("a=inactive\r\n"));
  const std::string answer =
      Ok(media->RelayAnswer(web, sip, Replace(BrowserAnswer(), "a=sendrecv", "a=inactive")));
  EXPECT_EQ(LineOf(answer, "m=audio"), "m=audio 0 RTP/AVP 0");
  Drain();
  EXPECT_EQ(Address(configs[0].egress.remote[0]), "-");
  EXPECT_EQ(configs[0].send_rtp + configs[1].send_rtp + configs[0].send_rtcp + configs[1].send_rtcp, 0);
}

TEST_F(Relay, DelayedOfferComesFromTheBrowserInIts200) {
  const sip::LegId sip = Sip(), web = Web();  // INVITE without SDP: nothing happens here
  EXPECT_EQ(media->totals().flows, 0u);
  const std::string offer = Ok(media->RelayOffer(web, sip, ReadSdp("chromium_offer_audio")));
  EXPECT_EQ(LineOf(offer, "m=audio"), "m=audio 40000 RTP/AVP 111 9 0 8 13 110 126");
  now += 35s;  // ACK comes late (RFC 3725 flow 1)
  media->HandleTimeout(now);
  const std::string answer = Ok(media->RelayAnswer(sip, web, SipAnswer()));
  EXPECT_THAT(answer, HasSubstr("a=setup:passive\r\n"));
  EXPECT_EQ(Drain().size(), 2u);
}

TEST_F(Relay, PassiveBrowserCalleeGetsOurClientHelloAfterItsAnswer) {
  const sip::LegId sip = Sip(), web = Web();
  Ok(media->RelayOffer(sip, web, ReadSdp("baresip_offer")));
  media->HandlePathValidated(now, Path(web));
  EXPECT_THAT(Drain(), ElementsAre("program 1: web -> nowhere"));
  Ok(media->RelayAnswer(web, sip, BrowserAnswer("passive")));
  const auto lines = Drain();
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[2], "inject 1 to 10.90.1.2:50000: client-hello");
}

TEST_F(Relay, MovedPeerOfIpv6UsesOurIpv6Address) {
  const sip::LegId sip = Sip(), web = Web();
  Ok(media->RelayOffer(sip, web, Replace(ReadSdp("baresip_offer"), "IN IP4 10.90.2.2", "IN IP6 fd90:2::2")));
  const std::string answer = Ok(media->RelayAnswer(web, sip, BrowserAnswer()));
  EXPECT_EQ(LineOf(answer, "c="), "c=IN IP6 fd90:2::1");
  Drain();
  EXPECT_EQ(Line(configs[1]).substr(0, 67),
            "web -> [fd90:2::1]:40000 to [fd90:2::2]:20360 unresolved reverse 0 ");
}

TEST_F(Relay, NextHopThatAppearsIsProgrammed) {
  const sip::LegId web = Web(), sip = Sip();
  Ok(media->RelayOffer(web, sip, ReadSdp("chromium_offer_audio")));
  Ok(media->RelayAnswer(sip, web, SipAnswer("10.90.2.77")));
  EXPECT_THAT(Drain()[0], HasSubstr("10.90.2.77:20276 unresolved"));
  hops.known["10.90.2.77"] = 77;
  media->OnNextHopChanged();
  EXPECT_THAT(
      Drain(),
      ElementsAre(
          "program 0: web -> 10.90.2.1:40000 to 10.90.2.77:20276 reverse 1 rtp rtcp 0>0 8>8 126>126"));
  EXPECT_EQ(configs[0].egress.next_hop.mac[5], 77);
}

TEST_F(Relay, RtcpMuxOfASipPeerIsAccepted) {
  const sip::LegId sip = Sip(), web = Web();
  Ok(media->RelayOffer(sip, web, Replace(ReadSdp("baresip_offer"), "a=rtcp-rsize", "a=rtcp-mux")));
  EXPECT_THAT(Ok(media->RelayAnswer(web, sip, BrowserAnswer())), HasSubstr("a=rtcp-mux\r\n"));
  Drain();
  EXPECT_EQ(configs[0].ingress.rtcp_mux, 1);
  EXPECT_EQ(Address(configs[0].ingress.local[1]), "10.90.2.1:40000");
  EXPECT_EQ(Address(configs[1].egress.remote[1]), "10.90.2.2:20360");
}

TEST_F(Relay, ErrorsNameTheSipStatus) {
  const std::string offer = ReadSdp("chromium_offer_audio");
  const auto status = [&](const std::string& sdp) { return StatusOf(media->RelayOffer(Web(), Sip(), sdp)); };
  EXPECT_EQ(status("hello"), 400);
  EXPECT_EQ(status(Replace(offer, "m=audio 9 ", "m=video 9 ")), 488);
  EXPECT_EQ(status(Replace(offer, "a=fingerprint:", "a=footprint:")), 488);
  EXPECT_EQ(status(Replace(offer, "sha-256 36:", "sha-1 36:")), 488);
  EXPECT_EQ(status(Replace(offer, "YDFuCJmOjAyTIwUMRK46LTgq", "short")), 488);
  EXPECT_EQ(status(Replace(offer, "a=ice-ufrag:Yy2P", "a=x:y")), 488);
  EXPECT_EQ(status(Replace(offer, "a=rtcp-mux", "a=x")), 488);
  EXPECT_EQ(status(Replace(offer, "UDP/TLS/RTP/SAVPF", "RTP/AVP")), 488);
  EXPECT_EQ(media->totals().flows, 0u);  // a refused offer takes nothing
  const std::string g729 = Replace(ReadSdp("baresip_offer"), "RTP/AVP 0 8 101", "RTP/AVP 18 101");
  EXPECT_EQ(StatusOf(media->RelayOffer(Sip(), Web(), g729)), 488);  // without ringing
}

TEST_F(Relay, AnswerWithoutAnyOfferedCodecIs488AndChangesNothing) {
  const sip::LegId web = Web(), sip = Sip();
  Ok(media->RelayOffer(web, sip, ReadSdp("chromium_offer_audio")));
  EXPECT_EQ(StatusOf(media->RelayAnswer(sip, web, Replace(SipAnswer(), "RTP/AVP 0 8 126", "RTP/AVP 18 126"))),
            488);
  EXPECT_THAT(Drain(), IsEmpty());
  EXPECT_EQ(StatusOf(media->RelayAnswer(sip, web, SipAnswer())), 200);
}

TEST_F(Relay, ExhaustedPortsAndSlotsAre503AndComeBack) {
  std::vector<sip::CallId> calls;
  for (int i = 0; i < 3; ++i) {
    call = media->OpenCall();
    calls.push_back(call);
    Ok(media->RelayOffer(Web(), Sip(), ReadSdp("chromium_offer_audio")));
  }
  call = media->OpenCall();
  const sip::LegId web = Web(), sip = Sip();
  EXPECT_EQ(StatusOf(media->RelayOffer(web, sip, ReadSdp("chromium_offer_audio"))), 503);
  media->CloseCall(calls[0]);  // never answered: no packet was let in, so the pair needs no rest
  EXPECT_EQ(StatusOf(media->RelayOffer(web, sip, ReadSdp("chromium_offer_audio"))), 200);
}

TEST_F(Relay, PairThatWasOpenRestsBeforeItsNextCall) {
  for (int i = 0; i < 3; ++i) {
    const sip::LegId web = Web(), sip = Sip();
    Ok(media->RelayOffer(web, sip, ReadSdp("chromium_offer_audio")));
    if (i > 0) continue;
    Ok(media->RelayAnswer(sip, web, SipAnswer()));
    Drain();
    media->CloseLeg(sip);
    Drain();
  }
  const sip::LegId web = Web(), sip = Sip();
  EXPECT_EQ(StatusOf(media->RelayOffer(web, sip, ReadSdp("chromium_offer_audio"))), 503);
  now += MediaPortPool::kQuarantine;
  media->AdvanceTo(now);
  EXPECT_EQ(StatusOf(media->RelayOffer(web, sip, ReadSdp("chromium_offer_audio"))), 200);
}

TEST_F(Relay, PortsStayReservedUntilTheWorkerConfirmedTheRemoval) {
  const sip::LegId web = Web(), sip = Sip();
  Ok(media->RelayOffer(web, sip, ReadSdp("chromium_offer_audio")));
  Ok(media->RelayAnswer(sip, web, SipAnswer()));
  Drain();
  confirm = false;
  media->CloseCall(call);
  EXPECT_THAT(Drain(), ElementsAre("remove 0", "remove 1"));
  EXPECT_EQ(media->totals().rtp_port_pairs, 1u);
  confirm = true;
  now += 50ms;
  media->HandleTimeout(now);
  EXPECT_THAT(Drain(), ElementsAre("remove 0", "remove 1"));
  EXPECT_EQ(media->totals().rtp_port_pairs + media->totals().flows, 0u);
}

TEST_F(Relay, StatisticsNameStateCodecProfileAndHideAddresses) {
  const sip::LegId web = Web(), sip = Sip();
  Ok(media->RelayOffer(web, sip, ReadSdp("chromium_offer_audio")));
  Ok(media->RelayAnswer(sip, web, SipAnswer()));
  EXPECT_EQ(media->Calls(Redaction::kPlain)[0].legs[0].state, "connecting");
  Punt(web, "finish");
  const CallView plain = media->Calls(Redaction::kPlain)[0], hidden = media->Calls(Redaction::kRedacted)[0];
  EXPECT_EQ(plain.legs[0].state, "up");
  EXPECT_EQ(plain.legs[0].codec, "PCMU/8000");
  EXPECT_EQ(plain.legs[0].srtp_profile, "SRTP_AEAD_AES_128_GCM");
  EXPECT_EQ(plain.legs[0].remote, "10.90.1.2:50000");
  EXPECT_EQ(plain.legs[1].remote, "10.90.2.2:20276");
  EXPECT_EQ(hidden.legs[1].remote, "redacted");
  EXPECT_EQ(plain.legs[1].flow.index, 1u);
}

settings::DataplaneSettings NattedSettings() {
  settings::DataplaneSettings settings;
  settings.flows_per_worker = 8;
  settings.realms.resize(1);
  settings.realms[0].name = "public";
  settings.realms[0].addresses = {IpAddress::V4(172, 31, 5, 9)};
  settings.realms[0].advertise = {IpAddress::V4(198, 51, 100, 7)};
  settings.realms[0].webrtc_port = 20000;
  settings.realms[0].rtp_ports = {40000, 40005};
  return settings;
}

TEST(OneToOneNat, DescriptionsSayTheOutsideAddressAndFlowsTheInsideOne) {
  ScriptedDtlsFactory dtls;
  CountingRng rng;
  FakeNextHops hops;
  auto media = *MediaSessions::Create(NattedSettings(), {"public", "public", 1}, dtls, rng, hops,
                                      [](const abi::FlowRef&, Rng& r) { return r.IceChars(14); });
  const sip::CallId call = media->OpenCall();
  const sip::LegId web = media->OpenLeg(call, sip::LegKind::kWebRtc),
                   sip = media->OpenLeg(call, sip::LegKind::kSip);
  const auto offer = media->RelayOffer(web, sip, ReadSdp("chromium_offer_audio"));
  const auto answer = media->RelayAnswer(sip, web, SipAnswer());
  ASSERT_TRUE(offer && answer);
  EXPECT_THAT(*offer, HasSubstr("c=IN IP4 198.51.100.7\r\n"));
  EXPECT_THAT(*answer, HasSubstr("198.51.100.7 20000 typ host"));
  EXPECT_THAT(*offer + *answer, Not(HasSubstr("172.31.")));
  const auto output = media->PollOutput();
  const abi::FlowConfig& config = std::get<abi::ProgramFlow>(*output).config;
  EXPECT_EQ(config.ingress.local[0].ToEndpoint().ToString(), "172.31.5.9:20000");
  EXPECT_EQ(config.egress.local[0].ToEndpoint().ToString(), "172.31.5.9:40000");
}

}  // namespace
}  // namespace linegate::session::testing
