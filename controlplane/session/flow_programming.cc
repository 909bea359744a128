// What the workers are told about each leg: MediaSessions' flow configurations.
#include <cstring>

#include "controlplane/session/media_sessions.h"

namespace linegate::session {
namespace {

static_assert(sdp::kMaxRenames == abi::kMaxPayloadTypes);

/// Expedited Forwarding for audio: RFC 8837 section 5.
constexpr uint8_t kAudioDscp = 46;

void CopyText(std::string_view text, char* out, uint32_t capacity) {
  std::memcpy(out, text.data(), std::min<size_t>(text.size(), capacity));
}

abi::IceCredentials IceOf(const ice::Credentials& local, const MediaLeg& leg) {
  abi::IceCredentials ice;
  if (local.ufrag.empty()) return ice;
  CopyText(local.ufrag, ice.local_ufrag, abi::kLocalUfragLength);
  CopyText(local.pwd, ice.local_pwd, abi::kLocalPwdLength);
  if (!leg.peer) return ice;
  const std::string& ufrag = leg.peer->webrtc.ufrag;
  const std::string& pwd = leg.peer->webrtc.pwd;
  // Longer ones are legal and just mean that we send no checks of our own (flow_config.h).
  if (ufrag.size() > abi::kUfragMax || pwd.size() > abi::kPwdMax) return ice;
  CopyText(ufrag, ice.remote_ufrag, abi::kUfragMax);
  CopyText(pwd, ice.remote_pwd, abi::kPwdMax);
  ice.remote_ufrag_length = uint8_t(ufrag.size());
  ice.remote_pwd_length = uint8_t(pwd.size());
  return ice;
}

abi::SocketAddress AddressOrNone(const IpAddress& address, uint16_t port) {
  if (address.family() == IpFamily::kNone || port == 0) return {};
  return abi::SocketAddress::From({address, port});
}

void FillWebRtcIngress(const MediaLeg& leg, const LocalRealm& realm, abi::Ingress& ingress) {
  ingress.kind = abi::SideKind::kWebRtc;
  ingress.rtcp_mux = 1;
  const uint16_t port = realm.webrtc_port(leg.worker);
  ingress.local[0] = AddressOrNone(realm.BoundOf(IpFamily::kIpv4), port);
  ingress.local[1] = AddressOrNone(realm.BoundOf(IpFamily::kIpv6), port);
  ingress.ice[0] = IceOf(leg.ice, leg);
  ingress.ice[1] = IceOf(leg.previous_ice, leg);
}

Endpoint RtcpRemote(const MediaLeg& leg) { return leg.rtcp_mux ? leg.peer->rtp.rtp : leg.peer->rtp.rtcp; }

void FillRtpIngress(const MediaLeg& leg, const IpAddress& local, abi::Ingress& ingress) {
  ingress.kind = abi::SideKind::kRtp;
  ingress.srtp = leg.keys() != nullptr ? 1 : 0;
  ingress.rtcp_mux = leg.rtcp_mux ? 1 : 0;
  ingress.local[0] = AddressOrNone(local, leg.rtp_port);
  ingress.local[1] = AddressOrNone(local, uint16_t(leg.rtp_port + (leg.rtcp_mux ? 0 : 1)));
  if (!leg.peer) return;
  ingress.expected[0] = AddressOrNone(leg.peer->rtp.rtp.address, leg.peer->rtp.rtp.port);
  const Endpoint rtcp = RtcpRemote(leg);
  ingress.expected[1] = AddressOrNone(rtcp.address, rtcp.port);
}

void FillRtpEgress(const MediaLeg& leg, const IpAddress& local, NextHopTable& next_hops,
                   abi::Egress& egress) {
  egress.kind = abi::SideKind::kRtp;
  egress.srtp = leg.keys() != nullptr ? 1 : 0;
  egress.rtcp_mux = leg.rtcp_mux ? 1 : 0;
  egress.dscp = kAudioDscp;
  egress.local[0] = AddressOrNone(local, leg.rtp_port);
  egress.local[1] = AddressOrNone(local, uint16_t(leg.rtp_port + (leg.rtcp_mux ? 0 : 1)));
  const Endpoint rtp = leg.peer->rtp.rtp, rtcp = RtcpRemote(leg);
  egress.remote[0] = AddressOrNone(rtp.address, rtp.port);
  egress.remote[1] = AddressOrNone(rtcp.address, rtcp.port);
  if (egress.remote[0].family != 0) egress.next_hop = next_hops.Lookup(rtp.address).value_or(abi::NextHop{});
}

bool CanReach(const MediaLeg& leg, const abi::SocketAddress& rtp_remote) {
  return leg.is_webrtc() || rtp_remote.family != 0;
}

}  // namespace

abi::FlowConfig MediaSessions::BuildConfig(const MediaLeg& leg) const {
  abi::FlowConfig config;
  const auto fill_rtp_local = [&](const MediaLeg& rtp_leg) { return sip_->BoundOf(FamilyOf(rtp_leg)); };
  if (leg.is_webrtc()) {
    config.realm = web_.index();
    FillWebRtcIngress(leg, web_, config.ingress);
  } else {
    config.realm = sip_->index();
    FillRtpIngress(leg, fill_rtp_local(leg), config.ingress);
  }
  if (leg.service) {
    config.service =
        *leg.service == sip::LocalService::kEcho ? abi::FlowService::kEcho : abi::FlowService::kTone;
    config.own_ssrc = leg.own_ssrc;
    if (config.service == abi::FlowService::kTone) config.tone_payload = leg.renames.front().to;
  }
  const MediaLeg* out = leg.service ? &leg : leg.partner ? FindLeg(*leg.partner) : nullptr;
  if (out == nullptr || !out->peer || !leg.peer) return config;

  config.reverse = out->flow;
  if (out->is_webrtc()) {
    config.egress.kind = abi::SideKind::kWebRtc;
    config.egress.rtcp_mux = 1;
    config.egress.dscp = kAudioDscp;
  } else {
    FillRtpEgress(*out, fill_rtp_local(*out), next_hops_, config.egress);
  }
  const bool reachable = CanReach(*out, config.egress.remote[0]) && !out->peer->audio.refused;
  const bool agreed = sdp::Sends(leg.peer->audio.direction) && sdp::Receives(out->peer->audio.direction);
  config.send_rtp = reachable && agreed ? 1 : 0;
  // Reports go on while a stream is on hold (RFC 3264 section 6.1).
  config.send_rtcp = reachable && !leg.peer->audio.refused ? 1 : 0;
  for (const sdp::PayloadRename& rename : leg.renames) {
    if (config.payload_count == abi::kMaxPayloadTypes) break;
    config.payload[config.payload_count++] = {rename.from, rename.to};
  }
  return config;
}

void MediaSessions::ProgramLeg(MediaLeg& leg) {
  if (leg.flow) commands_.Program(leg.flow, BuildConfig(leg));
}

}  // namespace linegate::session
