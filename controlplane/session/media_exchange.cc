// Offers and answers of MediaSessions: what one leg says becomes what the other is told.
#include <algorithm>

#include "controlplane/ice/candidate.h"
#include "controlplane/session/media_sessions.h"

namespace linegate::session {
namespace {

using sdp::Direction;
using sip::LegId;
using sip::LocalService;
using sip::MediaError;

Unexpected<MediaError> Refuse(int status, std::string reason) {
  return {MediaError{status, std::move(reason)}};
}

bool HasBrowserCodec(const std::vector<sdp::OfferedCodec>& codecs) {
  return std::any_of(codecs.begin(), codecs.end(),
                     [](const sdp::OfferedCodec& c) { return sdp::IsBrowserCodec(c.codec); });
}

std::vector<sdp::Codec> CodecsFor(const std::vector<sdp::OfferedCodec>& offered) {
  std::vector<sdp::Codec> codecs;
  for (const sdp::OfferedCodec& entry : offered) codecs.push_back(entry.codec);
  return codecs;
}

/// design D12: the tone is a G.711 table.
bool CanCarryTone(const sdp::Codec& codec) {
  return codec.clock_rate == 8000 && (codec.payload_type == 0 || codec.payload_type == 8) &&
         (codec.Is("PCMU") || codec.Is("PCMA"));
}

}  // namespace

sip::MediaResult<MediaSessions::PeerAndFingerprint> MediaSessions::ReadPeer(const MediaLeg& leg,
                                                                            std::string_view text,
                                                                            size_t audio) const {
  auto peer = leg.is_webrtc() ? sdp::DescribeWebRtcPeer(text, audio) : sdp::DescribeRtpPeer(text, audio);
  if (!peer) return Refuse(peer.error().status, peer.error().reason);
  PeerAndFingerprint result{std::move(*peer), std::nullopt};
  if (!leg.is_webrtc()) {
    const IpFamily family = result.peer.rtp.rtp.address.family();
    if (family != IpFamily::kNone && sip_ && sip_->BoundOf(family).family() == IpFamily::kNone) {
      return Refuse(488, "no local address of the peer's address family");
    }
    return result;
  }
  if (result.peer.audio.refused) {
    if (!leg.fingerprint) return Refuse(488, "the audio line is refused");
    return result;
  }
  // RFC 8122 section 5: several fingerprints may stand; one that we understand is enough.
  for (const std::string& value : result.peer.webrtc.fingerprints) {
    if (!result.fingerprint) result.fingerprint = dtls::Fingerprint::Parse(value);
  }
  if (!result.fingerprint) return Refuse(488, "no DTLS fingerprint with a known hash");
  return result;
}

sip::MediaResult<void> MediaSessions::CheckOffer(const MediaLeg& leg, const sdp::PeerDescription& offer) {
  if (leg.is_webrtc()) return {};
  auto checked = leg.sdes->CheckOffer(offer);
  if (!checked) return Refuse(checked.error().status, checked.error().reason);
  return {};
}

sip::MediaResult<std::string> MediaSessions::RelayOffer(LegId from, LegId to, std::string_view text) {
  MediaLeg* source = FindLeg(from);
  MediaLeg* target = FindLeg(to);
  if (source == nullptr || target == nullptr || source == target) return Refuse(500, "no such media leg");
  auto read = ReadPeer(*source, text, sdp::kAnyAudio);
  if (!read) return MakeUnexpected(std::move(read).error());
  if (auto checked = CheckOffer(*source, read->peer); !checked)
    return MakeUnexpected(std::move(checked).error());
  source->payloads.Learn(read->peer.audio.codecs);

  const auto space = target->is_webrtc() ? sdp::PayloadSpace::kMuxSafe : sdp::PayloadSpace::kAny;
  auto codecs = sdp::OfferCodecs(read->peer.audio.codecs, target->payloads, space);
  if (!sdp::HasPrimaryCodec(CodecsFor(codecs))) return Refuse(488, "no usable audio codec is offered");
  // A browser would ring and then fail: design D11.
  if (target->is_webrtc() && !HasBrowserCodec(codecs))
    return Refuse(488, "no codec that browsers have is offered");
  for (MediaLeg* leg : {source, target}) {
    if (auto taken = TakeResources(*leg); !taken) return MakeUnexpected(std::move(taken).error());
  }

  sdp::AudioStream stream = read->peer.audio;
  stream.codecs = CodecsFor(codecs);
  stream.refused = false;  // port 0 would end a browser's transport; inactive says the same and keeps it
  OfferExchange exchange;
  exchange.offerer = from;
  exchange.offer = std::move(read->peer);
  exchange.offerer_fingerprint = std::move(read->fingerprint);
  exchange.codecs = std::move(codecs);
  exchange.layout = target->layout        ? *target->layout
                    : target->is_webrtc() ? sdp::WebRtcOfferLayout()
                                          : sdp::RtpOfferLayout(target->sdes->offer_protocol());
  target->exchange = std::move(exchange);
  if (target->is_webrtc()) ProgramLeg(*target);
  return WriteOffer(*target, target->exchange->layout, stream);
}

void MediaSessions::RollbackOffer(LegId from, LegId to) {
  MediaLeg* target = FindLeg(to);
  if (target == nullptr || !target->exchange) return;
  if (target->exchange->offerer == from && !target->exchange->answered) target->exchange.reset();
}

sip::MediaResult<std::string> MediaSessions::RelayAnswer(LegId from, LegId to, std::string_view text) {
  MediaLeg* answerer = FindLeg(from);
  MediaLeg* offerer = FindLeg(to);
  if (answerer == nullptr || offerer == nullptr) return Refuse(500, "no such media leg");
  if (!answerer->exchange || answerer->exchange->offerer != to) return Refuse(500, "no offer is outstanding");
  OfferExchange& exchange = *answerer->exchange;

  auto read = ReadPeer(*answerer, text, exchange.layout.audio);
  if (!read) return MakeUnexpected(std::move(read).error());
  sdp::PeerDescription& peer = read->peer;
  // A refused line names no codecs in earnest: the stream stays as offered, idle.
  if (peer.audio.refused) peer.audio.codecs = CodecsFor(exchange.codecs);
  auto codecs = sdp::AnswerCodecs(exchange.codecs, peer.audio.codecs);
  // Chromium would accept an answer without a codec of its own and stay mute: design D11.
  if (!sdp::HasPrimaryCodec(codecs.codecs)) return Refuse(488, "the answer has no codec of the offer");
  if (!answerer->is_webrtc()) {
    auto checked = answerer->sdes->CheckAnswer(peer);
    if (!checked) return Refuse(checked.error().status, checked.error().reason);
    answerer->sdes->TakeAnswer(peer);
  }
  answerer->payloads.Learn(peer.audio.codecs);
  // RFC 3264 section 6.1: an answer may only narrow what was offered.
  peer.audio.direction = sdp::Intersect(peer.audio.direction, sdp::Reverse(exchange.offer.audio.direction));
  if (exchange.answered && offerer->is_webrtc()) {
    const sdp::PeerDescription described = peer;
    CommitPeer(*answerer, std::move(*read));
    return AnswerAgain(*offerer, *answerer, described, std::move(codecs));
  }

  sdp::AudioStream stream = peer.audio;
  stream.codecs = codecs.codecs;
  stream.refused = exchange.offer.audio.refused;
  const sdp::Setup answerer_setup = peer.webrtc.setup, offerer_setup = exchange.offer.webrtc.setup;
  const bool answerer_refused = peer.audio.refused;
  answerer->layout = exchange.layout;
  CommitPeer(*answerer, std::move(*read));
  CommitPeer(*offerer, {exchange.offer, exchange.offerer_fingerprint});
  offerer->layout = exchange.offer.layout;
  if (offerer->exchange && offerer->exchange->offerer == from) offerer->exchange.reset();  // its turn is over
  if (!answerer->is_webrtc()) answerer->rtcp_mux = answerer->rtcp_mux && answerer->peer->rtcp_mux;
  if (!offerer->is_webrtc()) {
    offerer->rtcp_mux = offerer->peer->rtcp_mux;
    offerer->sdes->TakeOffer(*offerer->peer);
  }
  Join(*offerer, *answerer, codecs);
  if (answerer->is_webrtc() && !answerer_refused) AgreeDtls(*answerer, RoleFor(*answerer, answerer_setup));
  if (offerer->is_webrtc() && !stream.refused) AgreeDtls(*offerer, RoleFor(*offerer, offerer_setup));
  exchange.answered = true;
  exchange.answer_codecs = codecs.codecs;
  std::string answer = WriteAnswer(*offerer, stream);
  if (offerer->is_webrtc()) exchange.answer = answer;  // the other kind may hold a key
  return answer;
}

/// The browser has its answer (design D11: one per call): a later one, of another branch below the SIP
/// Server, moves only the other side.
sip::MediaResult<std::string> MediaSessions::AnswerAgain(MediaLeg& offerer, MediaLeg& answerer,
                                                         const sdp::PeerDescription& peer,
                                                         sdp::AnsweredCodecs codecs) {
  OfferExchange& exchange = *answerer.exchange;
  std::erase_if(codecs.codecs, [&](const sdp::Codec& codec) {
    return std::none_of(exchange.answer_codecs.begin(), exchange.answer_codecs.end(),
                        [&](const sdp::Codec& told) { return told.payload_type == codec.payload_type; });
  });
  if (!sdp::HasPrimaryCodec(codecs.codecs))
    return Refuse(488, "a later answer has no codec of the first one");
  if (!answerer.is_webrtc()) answerer.rtcp_mux = answerer.rtcp_mux && peer.rtcp_mux;
  Join(offerer, answerer, codecs);
  if (answerer.is_webrtc() && !peer.audio.refused) AgreeDtls(answerer, RoleFor(answerer, peer.webrtc.setup));
  return exchange.answer;
}

sip::MediaResult<std::string> MediaSessions::AnswerLocally(LegId id, std::string_view text,
                                                           LocalService service) {
  MediaLeg* leg = FindLeg(id);
  if (leg == nullptr) return Refuse(500, "no such media leg");
  auto read = ReadPeer(*leg, text, sdp::kAnyAudio);
  if (!read) return MakeUnexpected(std::move(read).error());
  if (auto checked = CheckOffer(*leg, read->peer); !checked)
    return MakeUnexpected(std::move(checked).error());
  const bool tone = service == LocalService::kTone;
  std::vector<sdp::Codec> codecs =
      sdp::ChooseForSelf(read->peer.audio.codecs, tone ? CanCarryTone : sdp::IsBrowserCodec);
  if (tone) std::erase_if(codecs, [](const sdp::Codec& c) { return sdp::IsAuxiliary(c); });
  if (codecs.empty())
    return Refuse(488, tone ? "the tone needs PCMU or PCMA" : "no codec that can be echoed");
  if (auto taken = TakeResources(*leg); !taken) return MakeUnexpected(std::move(taken).error());

  leg->payloads.Learn(read->peer.audio.codecs);
  sdp::AudioStream stream = read->peer.audio;
  stream.codecs = codecs;
  stream.direction = sdp::Reverse(stream.direction);
  if (tone) stream.packet_times = {"ptime:20"};
  const sdp::Setup setup = read->peer.webrtc.setup;
  const bool refused = stream.refused;
  leg->layout = read->peer.layout;
  CommitPeer(*leg, std::move(*read));
  if (!leg->is_webrtc()) {
    leg->rtcp_mux = leg->peer->rtcp_mux;
    leg->sdes->TakeOffer(*leg->peer);
  }
  if (leg->own_ssrc == 0) leg->own_ssrc = rng_.U32() | 1;
  leg->service = service;
  leg->codecs = codecs;
  leg->renames.clear();
  for (const sdp::Codec& codec : codecs) leg->renames.push_back({codec.payload_type, codec.payload_type});
  ProgramLeg(*leg);
  InstallKeys(*leg);
  if (leg->is_webrtc() && !refused) AgreeDtls(*leg, RoleFor(*leg, setup));
  return WriteAnswer(*leg, stream);
}

/// Makes the peer's description the one in force. Another ufrag or password is an ICE restart: ours change
/// too and the old ones stay valid for checks that are under way (RFC 8445 section 2.4).
void MediaSessions::CommitPeer(MediaLeg& leg, PeerAndFingerprint read) {
  if (leg.is_webrtc() && leg.peer) {
    if (read.peer.audio.refused) {
      read.peer.webrtc = leg.peer->webrtc;
    } else if (read.peer.webrtc.ufrag != leg.peer->webrtc.ufrag ||
               read.peer.webrtc.pwd != leg.peer->webrtc.pwd) {
      leg.previous_ice = std::exchange(leg.ice, ice::MakeCredentials(make_ufrag_(leg.flow, rng_), rng_));
    }
  }
  if (read.fingerprint) leg.fingerprint = std::move(read.fingerprint);
  leg.peer = std::move(read.peer);
}

void MediaSessions::Join(MediaLeg& offerer, MediaLeg& answerer, const sdp::AnsweredCodecs& codecs) {
  for (MediaLeg* leg : {&offerer, &answerer}) {
    const LegId other = leg == &offerer ? answerer.id : offerer.id;
    if (leg->partner && *leg->partner != other) Detach(*leg);
  }
  offerer.partner = answerer.id;
  answerer.partner = offerer.id;
  offerer.service.reset();
  answerer.service.reset();
  offerer.codecs = answerer.codecs = codecs.codecs;
  offerer.renames = codecs.to_answerer;
  answerer.renames = codecs.to_offerer;
  ProgramLeg(offerer);
  ProgramLeg(answerer);
  InstallKeys(offerer);
  InstallKeys(answerer);
}

/// RFC 5763 section 5: who is passive waits for the ClientHello. An association that exists keeps its roles.
dtls::Role MediaSessions::RoleFor(const MediaLeg& leg, sdp::Setup peer_setup) const {
  if (peer_setup == sdp::Setup::kPassive) return dtls::Role::kClient;
  if (peer_setup == sdp::Setup::kActPass && leg.dtls->role()) return *leg.dtls->role();
  return dtls::Role::kServer;
}

std::string MediaSessions::WriteOffer(MediaLeg& leg, const sdp::Layout& layout,
                                      const sdp::AudioStream& stream) {
  if (leg.is_webrtc()) {
    return leg.writer.Write(
        sdp::DescribeWebRtc(layout, stream, LocalWebRtcOf(leg, "actpass"), leg.session_id));
  }
  sdp::LocalRtp local = LocalRtpOf(leg, FamilyOf(leg));
  local.crypto = leg.sdes->Offer();
  return leg.writer.Write(sdp::DescribeRtp(layout, stream, local, leg.session_id));
}

std::string MediaSessions::WriteAnswer(MediaLeg& leg, const sdp::AudioStream& stream) {
  if (!leg.is_webrtc()) {
    sdp::LocalRtp local = LocalRtpOf(leg, FamilyOf(leg));
    local.crypto = leg.sdes->answer_lines();
    return leg.writer.Write(sdp::DescribeRtp(*leg.layout, stream, local, leg.session_id));
  }
  sdp::LocalWebRtc local = LocalWebRtcOf(leg, leg.dtls->role() == dtls::Role::kClient ? "active" : "passive");
  local.bundled = leg.peer->webrtc.bundled;
  return leg.writer.Write(sdp::DescribeWebRtc(*leg.layout, stream, local, leg.session_id));
}

sdp::LocalWebRtc MediaSessions::LocalWebRtcOf(const MediaLeg& leg, std::string_view setup) const {
  sdp::LocalWebRtc local;
  local.ufrag = leg.ice.ufrag;
  local.pwd = leg.ice.pwd;
  local.fingerprint = own_fingerprint_;
  local.setup = setup;
  local.candidates = ice::HostCandidates(web_.advertised(), web_.webrtc_port(leg.worker));
  local.address = {web_.advertised().front(), web_.webrtc_port(leg.worker)};
  local.msid = leg.msid;
  return local;
}

sdp::LocalRtp MediaSessions::LocalRtpOf(const MediaLeg& leg, IpFamily family) const {
  return {{sip_->AdvertisedOf(family), leg.rtp_port}, uint16_t(leg.rtp_port + 1), leg.rtcp_mux};
}

/// The family the peer uses, or the realm's first while it has named none.
IpFamily MediaSessions::FamilyOf(const MediaLeg& leg) const {
  const IpFamily family = leg.peer ? leg.peer->rtp.rtp.address.family() : IpFamily::kNone;
  return family == IpFamily::kNone ? sip_->preferred_family() : family;
}

}  // namespace linegate::session
