// What MediaSessions shows of itself.
#include "controlplane/session/media_sessions.h"

namespace linegate::session {
namespace {

std::string StateOf(const MediaLeg& leg) {
  if (leg.failed) return "failed";
  if (!leg.flow) return "new";
  if (!leg.peer) return "offered";
  if (leg.is_webrtc() && !leg.media_up) return "connecting";
  return leg.peer->audio.direction == sdp::Direction::kSendRecv ? "up" : "held";
}

std::string CodecOf(const MediaLeg& leg) {
  if (leg.codecs.empty()) return {};
  const sdp::Codec& codec = leg.codecs.front();
  std::string text = codec.name + "/" + std::to_string(codec.clock_rate);
  if (!codec.parameters.empty()) text += "/" + codec.parameters;
  return text;
}

std::string ProfileOf(const MediaLeg& leg) {
  const dtls::SrtpKeys* keys = leg.keys();
  const auto traits = keys ? srtp::TraitsOf(keys->send.profile) : std::nullopt;
  return traits ? std::string(traits->name) : std::string();
}

std::string RemoteOf(const MediaLeg& leg, Redaction redaction) {
  Endpoint remote;
  if (!leg.is_webrtc() && leg.peer) remote = leg.peer->rtp.rtp;
  if (leg.is_webrtc() && leg.dtls->path()) remote = leg.dtls->path()->remote;
  if (remote.address.family() == IpFamily::kNone) return {};
  return redaction == Redaction::kRedacted ? "redacted" : remote.ToString();
}

}  // namespace

MediaTotals MediaSessions::totals() const {
  return {calls_.size(), legs_.size(), slots_.in_use(), ports_.in_use()};
}

std::vector<CallView> MediaSessions::Calls(Redaction redaction) const {
  std::vector<CallView> views;
  for (const auto& [id, call] : calls_) {
    CallView view{id, {}};
    for (const sip::LegId leg_id : call.legs) {
      const MediaLeg& leg = *FindLeg(leg_id);
      view.legs.push_back(
          {leg.id, leg.kind, StateOf(leg), CodecOf(leg), ProfileOf(leg), RemoteOf(leg, redaction), leg.flow});
    }
    views.push_back(std::move(view));
  }
  return views;
}

}  // namespace linegate::session
