#include "tests/component/session/media_fixture.h"

namespace linegate::session::testing {
namespace {

using Echo = MediaFixture;
using sip::LocalService;

TEST_F(Echo, AnswerIsExactlyThis) {
  const std::string answer =
      Ok(media->AnswerLocally(Web(), ReadSdp("chromium_offer_audio"), LocalService::kEcho));
  EXPECT_EQ(answer,
            "v=0\r\n"
            "o=- 216949596776153473 1 IN IP4 10.90.1.1\r\n"
            "s=-\r\n"
            "t=0 0\r\n"
            "a=ice-lite\r\n"
            "a=group:BUNDLE 0\r\n"
            "m=audio 20000 UDP/TLS/RTP/SAVPF 111 110\r\n"
            "c=IN IP4 10.90.1.1\r\n"
            "a=rtcp:20000 IN IP4 10.90.1.1\r\n"
            "a=rtpmap:111 opus/48000/2\r\n"
            "a=fmtp:111 minptime=10;useinbandfec=1\r\n"
            "a=rtpmap:110 telephone-event/48000\r\n"
            "a=sendrecv\r\n"
            "a=mid:0\r\n"
            "a=rtcp-mux\r\n"
            "a=ice-ufrag:slot0001VWXYZa\r\n"
            "a=ice-pwd:bcdefghijklmnopqrstuvwxy\r\n"
            "a=fingerprint:sha-256 "
            "AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:"
            "AB:AB:AB:AB:AB\r\n"
            "a=setup:passive\r\n"
            "a=msid:linegate 0d0e0f1011121314\r\n"
            "a=candidate:1 1 udp 2130706431 10.90.1.1 20000 typ host\r\n"
            "a=candidate:2 1 udp 2130706175 fd90:1::1 20000 typ host\r\n"
            "a=end-of-candidates\r\n");
}

TEST_F(Echo, CallFromOfferToHangUp) {
  const sip::LegId leg = Web();
  Ok(media->AnswerLocally(leg, ReadSdp("chromium_offer_audio"), LocalService::kEcho));
  EXPECT_THAT(Drain(), ElementsAre("program 0: echo web -> web reverse 0 rtp rtcp 111>111 110>110"));
  Punt(leg, "hello");
  EXPECT_THAT(dtls.made, ElementsAre("server sha-256 36:36:59:99"));
  EXPECT_THAT(Drain(), ElementsAre("inject 0 to 10.90.1.2:50000: flight"));
  Punt(leg, "finish");
  EXPECT_THAT(Drain(),
              ElementsAre("keys 0: receive 11 profile 7", "keys 0: send 10 profile 7", "leg 1 media up"));
  EXPECT_EQ(media->NextTimeout(), std::nullopt);
  media->CloseCall(call);
  EXPECT_EQ(media->totals().flows, 1u);  // the worker has not confirmed yet
  EXPECT_THAT(Drain(), ElementsAre("remove 0"));
  EXPECT_EQ(media->totals().calls + media->totals().legs + media->totals().flows, 0u);
}

TEST_F(Echo, WorkerGetsTheCredentialsOfBothSides) {
  const sip::LegId leg = Web();
  const std::string answer =
      Ok(media->AnswerLocally(leg, ReadSdp("chromium_offer_audio"), LocalService::kEcho));
  Drain();
  const abi::IceCredentials& ice = configs[0].ingress.ice[0];
  EXPECT_THAT(answer, HasSubstr("a=ice-ufrag:" + std::string(ice.local_ufrag, 14) + "\r\n"));
  EXPECT_THAT(answer, HasSubstr("a=ice-pwd:" + std::string(ice.local_pwd, 24) + "\r\n"));
  EXPECT_EQ(std::string(ice.remote_ufrag, ice.remote_ufrag_length), "Yy2P");
  EXPECT_EQ(std::string(ice.remote_pwd, ice.remote_pwd_length), "YDFuCJmOjAyTIwUMRK46LTgq");
  EXPECT_EQ(configs[0].ingress.ice[1].local_ufrag[0], 0);
  EXPECT_EQ(Address(configs[0].ingress.local[0]), "10.90.1.1:20000");
  EXPECT_EQ(Address(configs[0].ingress.local[1]), "[fd90:1::1]:20000");
  EXPECT_EQ(configs[0].reverse, FlowOf(leg));
  EXPECT_NE(configs[0].own_ssrc, 0u);
}

TEST_F(Echo, VideoAndDataAreRefusedInPlaceAndKeepTheirMid) {
  const std::string answer =
      Ok(media->AnswerLocally(Web(), ReadSdp("chromium_offer_audio_video_data"), LocalService::kEcho));
  EXPECT_THAT(answer, HasSubstr("a=group:BUNDLE 0\r\n"));
  EXPECT_THAT(
      answer,
      HasSubstr("m=video 0 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=inactive\r\na=mid:1\r\n"
                "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=inactive\r\n"
                "a=mid:2\r\n"));
}

TEST_F(Echo, HoldStopsTheEchoAndKeepsTransport) {
  const sip::LegId leg = Web();
  const std::string offer = ReadSdp("chromium_offer_audio");
  const std::string first = Ok(media->AnswerLocally(leg, offer, LocalService::kEcho));
  Drain();
  const std::string hold = Replace(offer, "a=sendrecv", "a=sendonly");
  const std::string held = Ok(media->AnswerLocally(leg, hold, LocalService::kEcho));
  EXPECT_THAT(held, HasSubstr("a=recvonly\r\n"));
  EXPECT_THAT(held, HasSubstr(" 2 IN IP4"));
  EXPECT_THAT(Drain(), ElementsAre("program 0: echo web -> web reverse 0 rtcp 111>111 110>110"));
  const std::string again = Ok(media->AnswerLocally(leg, hold, LocalService::kEcho));
  EXPECT_EQ(again, held);  // nothing changed: same o= version
  EXPECT_THAT(Drain(), IsEmpty());
  const auto line = [](const std::string& sdp, const std::string& name) {
    const size_t at = sdp.find("a=" + name);
    return sdp.substr(at, sdp.find('\r', at) - at);
  };
  for (const char* name : {"ice-ufrag", "ice-pwd", "fingerprint", "mid", "setup"}) {
    EXPECT_EQ(line(first, name), line(held, name));
  }
}

TEST_F(Echo, ToneIsG711OfTheOffer) {
  const sip::LegId leg = Web();
  const std::string answer =
      Ok(media->AnswerLocally(leg, ReadSdp("chromium_offer_audio"), LocalService::kTone));
  EXPECT_THAT(answer, HasSubstr("m=audio 20000 UDP/TLS/RTP/SAVPF 0\r\n"));
  EXPECT_THAT(answer, HasSubstr("a=ptime:20\r\n"));
  EXPECT_THAT(Drain(), ElementsAre("program 0: tone web -> web reverse 0 rtp rtcp 0>0"));
  EXPECT_EQ(configs[0].tone_payload, 0);
}

TEST_F(Echo, ToneRefusesOpusAlone) {
  const std::string opus =
      Replace(ReadSdp("chromium_offer_audio"), "SAVPF 111 63 9 0 8 13 110 126", "SAVPF 111 110");
  EXPECT_EQ(StatusOf(media->AnswerLocally(Web(), opus, LocalService::kTone)), 488);
  EXPECT_EQ(StatusOf(media->AnswerLocally(Web(), opus, LocalService::kEcho)), 200);
}

TEST_F(Echo, BrowserThatIsPassiveGetsOurClientHelloOnceItsAddressIsChecked) {
  const sip::LegId leg = Web();
  EXPECT_THAT(Ok(media->AnswerLocally(leg, BrowserAnswer("passive"), LocalService::kEcho)),
              HasSubstr("a=setup:active\r\n"));
  EXPECT_THAT(Drain(), ElementsAre("program 0: echo web -> web reverse 0 rtp rtcp 111>111 110>110"));
  EXPECT_THAT(dtls.made, IsEmpty());
  media->HandlePathValidated(now, Path(leg));
  EXPECT_THAT(Drain(), ElementsAre("inject 0 to 10.90.1.2:50000: client-hello"));
  media->HandlePathSelected(now, Path(leg, 50001));
  now += 1s;
  EXPECT_EQ(media->NextTimeout(), now);
  media->HandleTimeout(now);
  EXPECT_THAT(Drain(), ElementsAre("inject 0 to 10.90.1.2:50001: retransmit"));
  EXPECT_THAT(dtls.made, ElementsAre("client sha-256 36:36:59:99"));
}

TEST_F(Echo, FailedDtlsIsReportedOnce) {
  const sip::LegId leg = Web();
  Ok(media->AnswerLocally(leg, ReadSdp("chromium_offer_audio"), LocalService::kEcho));
  Drain();
  Punt(leg, "hello");
  Punt(leg, "wrong");
  Punt(leg, "wrong");
  EXPECT_THAT(Drain(),
              ElementsAre("inject 0 to 10.90.1.2:50000: flight", "leg 1 dtls failed: fingerprint mismatch"));
}

TEST_F(Echo, StrayRecordsOfALiveLegReachTheEndpoint) {
  const sip::LegId leg = Web();
  Ok(media->AnswerLocally(leg, ReadSdp("chromium_offer_audio"), LocalService::kEcho));
  Punt(leg, "finish");
  Drain();
  Punt(leg, "stray");
  EXPECT_THAT(Drain(), ElementsAre("inject 0 to 10.90.1.2:50000: again"));
}

TEST_F(Echo, LostConsentIsReported) {
  const sip::LegId leg = Web();
  Ok(media->AnswerLocally(leg, ReadSdp("chromium_offer_audio"), LocalService::kEcho));
  Drain();
  media->HandleConsentLost(now, FlowOf(leg));
  EXPECT_THAT(Drain(), ElementsAre("leg 1 consent lost: no connectivity check for 30 s"));
}

TEST_F(Echo, EventsOfAFormerFlowOfTheSlotAreIgnored) {
  const sip::LegId leg = Web();
  Ok(media->AnswerLocally(leg, ReadSdp("chromium_offer_audio"), LocalService::kEcho));
  Drain();
  abi::PathEvent path = Path(leg);
  ++path.flow.generation;
  media->HandlePathSelected(now, path);
  media->HandleConsentLost(now, path.flow);
  media->HandlePunt(now, path.flow, {}, {}, AsBytes("hello"));
  EXPECT_THAT(Drain(), IsEmpty());
}

TEST_F(Echo, UnansweredCommandIsRepeatedWithTheSameSequence) {
  confirm = false;
  Ok(media->AnswerLocally(Web(), ReadSdp("chromium_offer_audio"), LocalService::kEcho));
  const std::string command = "program 0: echo web -> web reverse 0 rtp rtcp 111>111 110>110";
  EXPECT_THAT(Drain(), ElementsAre(command));
  for (const auto wait : {50ms, 100ms, 200ms, 400ms, 800ms, 1600ms, 3200ms, 6400ms, 6400ms}) {
    EXPECT_EQ(media->NextTimeout(), now + wait);
    now += wait;
    media->HandleTimeout(now);
    const auto output = media->PollOutput();
    ASSERT_TRUE(output && std::holds_alternative<abi::ProgramFlow>(*output));
    EXPECT_EQ(std::get<abi::ProgramFlow>(*output).header.sequence, 1u);
  }
  media->ReprogramAll();
  EXPECT_THAT(Drain(), ElementsAre(command));
}

TEST_F(Echo, NewDataplaneGetsConfigurationAndKeysAgain) {
  const sip::LegId leg = Web();
  Ok(media->AnswerLocally(leg, ReadSdp("chromium_offer_audio"), LocalService::kEcho));
  Punt(leg, "finish");
  Drain();
  media->ReprogramAll();
  EXPECT_THAT(Drain(), ElementsAre("program 0: echo web -> web reverse 0 rtp rtcp 111>111 110>110",
                                   "keys 0: receive 11 profile 7", "keys 0: send 10 profile 7"));
}

TEST_F(Echo, RefusedCommandEndsTheCall) {
  confirm = false;
  const sip::LegId leg = Web();
  Ok(media->AnswerLocally(leg, ReadSdp("chromium_offer_audio"), LocalService::kEcho));
  const auto output = media->PollOutput();
  auto done = *Confirmation(*output);
  done.status = abi::CommandStatus::kPortTaken;
  media->HandleCommandDone(now, done);
  EXPECT_THAT(Drain(), ElementsAre("leg 1 flow refused: the dataplane refused a command, status 4"));
}

TEST_F(Echo, IceRestartChangesOurCredentialsAndKeepsTheOldOnesValid) {
  const sip::LegId leg = Web();
  const std::string offer = ReadSdp("chromium_offer_audio");
  Ok(media->AnswerLocally(leg, offer, LocalService::kEcho));
  Punt(leg, "finish");
  Drain();
  const abi::IceCredentials before = configs[0].ingress.ice[0];
  Ok(media->AnswerLocally(leg, Replace(offer, "ice-ufrag:Yy2P", "ice-ufrag:Zz3Q"), LocalService::kEcho));
  EXPECT_EQ(Drain().size(), 1u);  // no new keys: DTLS is untouched
  EXPECT_NE(std::string(configs[0].ingress.ice[0].local_ufrag, 14), std::string(before.local_ufrag, 14));
  EXPECT_EQ(std::string(configs[0].ingress.ice[1].local_ufrag, 14), std::string(before.local_ufrag, 14));
  EXPECT_EQ(dtls.made.size(), 1u);
}

TEST_F(Echo, AnotherFingerprintIsANewAssociation) {
  const sip::LegId leg = Web();
  const std::string offer = ReadSdp("chromium_offer_audio");
  Ok(media->AnswerLocally(leg, offer, LocalService::kEcho));
  Punt(leg, "finish");
  Drain();
  Ok(media->AnswerLocally(leg, Replace(offer, "sha-256 36:36", "sha-256 99:99"), LocalService::kEcho));
  Punt(leg, "finish");
  EXPECT_THAT(Drain(),
              ElementsAre("keys 0: receive 21 profile 7", "keys 0: send 20 profile 7", "leg 1 media up"));
  EXPECT_THAT(dtls.made, ElementsAre("server sha-256 36:36:59:99", "server sha-256 99:99:59:99"));
}

TEST_F(Echo, LegThatNeverComesUpIsReportedAfterThirtySeconds) {
  const sip::LegId leg = Web();
  Ok(media->AnswerLocally(leg, ReadSdp("chromium_offer_audio"), LocalService::kEcho));
  Drain();
  EXPECT_EQ(media->NextTimeout(), now + 30s);
  now += 30s;
  media->HandleTimeout(now - Duration(1));
  EXPECT_THAT(Drain(), IsEmpty());
  media->HandleTimeout(now);
  EXPECT_THAT(Drain(), ElementsAre("leg 1 never up: no connectivity check came"));
  EXPECT_EQ(media->counters().never_up, 1u);
  EXPECT_EQ(media->NextTimeout(), std::nullopt);  // said once; the call is ended by who heard it
  media->CloseCall(call);
  EXPECT_THAT(Drain(), ElementsAre("remove 0"));
}

TEST_F(Echo, LegWhoseDtlsNeverEndsIsReportedToo) {
  const sip::LegId leg = Web();
  Ok(media->AnswerLocally(leg, ReadSdp("chromium_offer_audio"), LocalService::kEcho));
  media->HandlePathValidated(now, Path(leg));
  Drain();
  now += 30s;
  media->HandleTimeout(now);
  EXPECT_THAT(Drain(), ElementsAre("leg 1 never up: DTLS did not finish"));
}

TEST_F(Echo, LegThatIsUpHasNoLimitAndAClosedOneNone) {
  const sip::LegId up = Web(), closed = Web();
  Ok(media->AnswerLocally(up, ReadSdp("chromium_offer_audio"), LocalService::kEcho));
  Ok(media->AnswerLocally(closed, ReadSdp("chromium_offer_audio"), LocalService::kEcho));
  Punt(up, "finish");
  media->CloseLeg(closed);
  EXPECT_EQ(media->NextTimeout(), std::nullopt);
}

TEST_F(Echo, ReadyWhileADataplaneServes) {
  EXPECT_TRUE(media->IsReady());
  media->SetDataplaneUp(false);
  EXPECT_FALSE(media->IsReady());
}

}  // namespace
}  // namespace linegate::session::testing
