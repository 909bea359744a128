#include "controlplane/sdp/peer_description.h"

#include <algorithm>
#include <array>
#include <optional>

#include "controlplane/sdp/sdp_parser.h"
#include "controlplane/sdp/text_fields.h"

namespace linegate::sdp {
namespace {

Unexpected<Rejection> Refuse(int status, std::string reason) {
  return {Rejection{status, std::move(reason)}};
}

SdpResult<SessionDescription> ParseOrRefuse(std::string_view text) {
  auto parsed = Parse(text);
  if (!parsed) return Refuse(400, "malformed SDP, " + parsed.error().ToString());
  return std::move(*parsed);
}

/// A bundle-only line has port 0 and is in use all the same (RFC 9143 section 6).
bool InUse(const MediaSection& media) { return media.port != 0 || media.HasAttribute("bundle-only"); }

SdpResult<Layout> LayoutOf(const SessionDescription& description, size_t audio) {
  Layout layout;
  std::optional<size_t> in_use, first;
  for (size_t i = 0; i < description.media.size(); ++i) {
    const MediaSection& media = description.media[i];
    layout.lines.push_back({media.kind, media.protocol, media.formats.front(),
                            std::string(media.Attribute("mid").value_or(std::string_view()))});
    if (media.kind != "audio") continue;
    if (!first) first = i;
    if (!in_use && InUse(media)) in_use = i;
  }
  if (audio == kAnyAudio) {
    if (!first) return Refuse(488, "no audio is offered");
    layout.audio = in_use.value_or(*first);
  } else {
    if (audio >= layout.lines.size() || layout.lines[audio].kind != "audio") {
      return Refuse(488, "the answer lacks the offered audio line");
    }
    layout.audio = audio;
  }
  return layout;
}

AudioStream StreamOf(const SessionDescription& description, const MediaSection& media) {
  AudioStream stream;
  stream.codecs = CodecsOf(media);
  stream.refused = !InUse(media);
  stream.direction = stream.refused ? Direction::kInactive : DirectionOf(description, media);
  for (const Line& line : media.lines) {
    if (line.type == 'a' && (line.value.starts_with("ptime:") || line.value.starts_with("maxptime:"))) {
      stream.packet_times.push_back(line.value);
    }
  }
  return stream;
}

/// "IN IP4 10.0.0.1" or "IN IP6 fd90::1"; a TTL suffix is multicast and refused.
std::optional<IpAddress> ParseConnection(std::string_view value) {
  const auto fields = SplitFields(value);
  if (fields.size() != 3 || fields[0] != "IN") return std::nullopt;
  const auto address = IpAddress::Parse(fields[2]);
  if (!address || (fields[1] == "IP6") != address->is_v6()) return std::nullopt;
  return address;
}

/// a=rtcp:PORT [IN IP4 ADDRESS] (RFC 3605 section 2.1), else the next port. Malformed: as if it were not
/// there.
Endpoint RtcpEndpoint(const MediaSection& media, const Endpoint& rtp) {
  const Endpoint next{rtp.address, uint16_t(rtp.port + 1)};
  const auto attribute = media.Attribute("rtcp");
  if (!attribute) return next;
  const size_t space = attribute->find(' ');
  const auto port = ParseNumber<uint16_t>(attribute->substr(0, space));
  if (!port || *port == 0) return next;
  if (space == std::string_view::npos) return {rtp.address, *port};
  const auto address = ParseConnection(attribute->substr(space + 1));
  if (!address || address->is_unspecified()) return next;
  return {*address, *port};
}

bool IsIceText(std::string_view text, size_t minimum, size_t maximum) {
  if (text.size() < minimum || text.size() > maximum) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
  });
}

/// Media level before session level: Firefox puts the fingerprint on the session.
std::string_view Inherited(const SessionDescription& description, const MediaSection& media,
                           std::string_view name) {
  if (const auto value = media.Attribute(name)) return *value;
  return description.Attribute(name).value_or(std::string_view());
}

Setup SetupOf(std::string_view text) {
  if (text == "actpass") return Setup::kActPass;
  if (text == "passive") return Setup::kPassive;
  return Setup::kActive;
}

bool IsBundled(const SessionDescription& description, std::string_view mid) {
  for (const std::string_view group : description.Attributes("group")) {
    const auto fields = SplitFields(group);
    if (fields.empty() || fields[0] != "BUNDLE") continue;
    if (!mid.empty() && std::find(fields.begin() + 1, fields.end(), mid) != fields.end()) return true;
  }
  return false;
}

bool IsDtlsRtp(std::string_view protocol) {
  static constexpr std::array<std::string_view, 4> kProtocols = {"UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP",
                                                                 "RTP/SAVPF", "RTP/SAVP"};
  return std::find(kProtocols.begin(), kProtocols.end(), protocol) != kProtocols.end();
}

SdpResult<WebRtcTransport> WebRtcTransportOf(const SessionDescription& description,
                                             const MediaSection& media) {
  WebRtcTransport transport;
  for (const std::string_view value : media.Attributes("fingerprint"))
    transport.fingerprints.emplace_back(value);
  if (transport.fingerprints.empty()) {
    for (const auto value : description.Attributes("fingerprint")) transport.fingerprints.emplace_back(value);
  }
  if (transport.fingerprints.empty()) return Refuse(488, "no DTLS fingerprint");
  transport.ufrag = Inherited(description, media, "ice-ufrag");
  transport.pwd = Inherited(description, media, "ice-pwd");
  if (!IsIceText(transport.ufrag, 4, 256)) return Refuse(488, "missing or malformed ice-ufrag");
  if (!IsIceText(transport.pwd, 22, 256)) return Refuse(488, "missing or malformed ice-pwd");
  transport.setup = SetupOf(Inherited(description, media, "setup"));
  return transport;
}

}  // namespace

SdpResult<PeerDescription> DescribeRtpPeer(std::string_view text, size_t audio) {
  auto description = ParseOrRefuse(text);
  if (!description) return MakeUnexpected(std::move(description).error());
  auto layout = LayoutOf(*description, audio);
  if (!layout) return MakeUnexpected(std::move(layout).error());
  const MediaSection& media = description->media[layout->audio];
  const bool secure = media.protocol == "RTP/SAVP" || media.protocol == "RTP/SAVPF";
  if (!secure && media.protocol != "RTP/AVP" && media.protocol != "RTP/AVPF") {
    return Refuse(488, "media protocol is none of RTP/AVP, RTP/AVPF, RTP/SAVP and RTP/SAVPF");
  }
  PeerDescription peer;
  peer.secure = secure;
  peer.crypto = CryptoLinesOf(media);
  peer.layout = std::move(*layout);
  peer.audio = StreamOf(*description, media);
  peer.rtcp_mux = media.HasAttribute("rtcp-mux");
  const auto connection = media.First('c') ? media.First('c') : description->First('c');
  const auto address = connection ? ParseConnection(*connection) : std::nullopt;
  if (!address && !peer.audio.refused) return Refuse(488, "c= is no unicast IP address");
  if (peer.audio.refused) return peer;
  if (address->is_unspecified()) {
    // RFC 3264 section 8.4: nothing may be sent to it. Where the peer does not say that it goes on sending,
    // the stream is idle both ways (RFC 3725 black hole).
    if (peer.audio.direction != Direction::kSendOnly) peer.audio.direction = Direction::kInactive;
    return peer;
  }
  peer.rtp.rtp = {*address, media.port};
  peer.rtp.rtcp = RtcpEndpoint(media, peer.rtp.rtp);
  return peer;
}

SdpResult<PeerDescription> DescribeWebRtcPeer(std::string_view text, size_t audio) {
  auto description = ParseOrRefuse(text);
  if (!description) return MakeUnexpected(std::move(description).error());
  auto layout = LayoutOf(*description, audio);
  if (!layout) return MakeUnexpected(std::move(layout).error());
  const MediaSection& media = description->media[layout->audio];
  if (!IsDtlsRtp(media.protocol)) return Refuse(488, "media protocol is not RTP over DTLS");
  PeerDescription peer;
  peer.layout = std::move(*layout);
  peer.audio = StreamOf(*description, media);
  peer.rtcp_mux = media.HasAttribute("rtcp-mux");
  if (peer.audio.refused) return peer;
  if (!peer.rtcp_mux) return Refuse(488, "no rtcp-mux");
  auto transport = WebRtcTransportOf(*description, media);
  if (!transport) return MakeUnexpected(std::move(transport).error());
  peer.webrtc = std::move(*transport);
  peer.webrtc.bundled = IsBundled(*description, peer.layout.lines[peer.layout.audio].mid);
  return peer;
}

}  // namespace linegate::sdp
