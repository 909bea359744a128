#include "controlplane/sdp/local_description.h"

#include "controlplane/sdp/sdp_writer.h"

namespace linegate::sdp {
namespace {

std::string_view AddressType(const IpAddress& address) { return address.is_v6() ? "IP6" : "IP4"; }

std::string ConnectionValue(const IpAddress& address) {
  return "IN " + std::string(AddressType(address)) + " " + address.ToString();
}

SessionDescription Start(const IpAddress& address, uint64_t session_id) {
  SessionDescription description;
  description.origin.session_id = session_id;
  description.origin.address_type = AddressType(address);
  description.origin.address = address.ToString();
  description.Add('s', "-");
  return description;
}

MediaSection MediaLine(const LayoutEntry& entry, uint16_t port) {
  MediaSection media;
  media.kind = entry.kind;
  media.port = port;
  media.protocol = entry.protocol;
  return media;
}

/// RFC 3264 section 6: port 0, at least one format of the offer.
MediaSection RefusedLine(const LayoutEntry& entry) {
  MediaSection media = MediaLine(entry, 0);
  media.formats.push_back(entry.format);
  return media;
}

void AddStream(MediaSection& media, const AudioStream& stream) {
  AddCodecs(media, stream.codecs);
  for (const std::string& line : stream.packet_times) media.lines.push_back({'a', line});
  media.AddAttribute(ToText(stream.direction));
}

MediaSection WebRtcAudio(const LayoutEntry& entry, const AudioStream& stream, const LocalWebRtc& local) {
  MediaSection media = MediaLine(entry, local.address.port);
  media.Add('c', ConnectionValue(local.address.address));
  // The full form: clients throw on a bare port (RFC 3605 allows it, werift does not).
  media.AddAttribute("rtcp",
                     std::to_string(local.address.port) + " " + ConnectionValue(local.address.address));
  AddStream(media, stream);
  if (!entry.mid.empty()) media.AddAttribute("mid", entry.mid);
  media.AddAttribute("rtcp-mux");
  media.AddAttribute("ice-ufrag", local.ufrag);
  media.AddAttribute("ice-pwd", local.pwd);
  media.AddAttribute("fingerprint", local.fingerprint);
  media.AddAttribute("setup", local.setup);
  if (Sends(stream.direction)) media.AddAttribute("msid", local.msid);
  for (const std::string& candidate : local.candidates) media.AddAttribute("candidate", candidate);
  media.AddAttribute("end-of-candidates");
  return media;
}

}  // namespace

SessionDescription DescribeWebRtc(const Layout& layout, const AudioStream& stream, const LocalWebRtc& local,
                                  uint64_t session_id) {
  SessionDescription description = Start(local.address.address, session_id);
  description.Add('t', "0 0");
  const LayoutEntry& audio = layout.lines[layout.audio];
  description.AddAttribute("ice-lite");
  if (local.bundled && !audio.mid.empty() && !stream.refused) {
    description.AddAttribute("group", "BUNDLE " + audio.mid);
  }
  for (size_t i = 0; i < layout.lines.size(); ++i) {
    const LayoutEntry& entry = layout.lines[i];
    if (i == layout.audio && !stream.refused) {
      description.media.push_back(WebRtcAudio(entry, stream, local));
      continue;
    }
    MediaSection refused = RefusedLine(entry);
    refused.Add('c', "IN IP4 0.0.0.0");
    refused.AddAttribute("inactive");
    if (!entry.mid.empty()) refused.AddAttribute("mid", entry.mid);
    description.media.push_back(std::move(refused));
  }
  return description;
}

SessionDescription DescribeRtp(const Layout& layout, const AudioStream& stream, const LocalRtp& local,
                               uint64_t session_id) {
  SessionDescription description = Start(local.rtp.address, session_id);
  description.Add('c', ConnectionValue(local.rtp.address));
  description.Add('t', "0 0");
  for (size_t i = 0; i < layout.lines.size(); ++i) {
    if (i != layout.audio || stream.refused) {
      description.media.push_back(RefusedLine(layout.lines[i]));
      continue;
    }
    MediaSection media = MediaLine(layout.lines[i], local.rtp.port);
    AddStream(media, stream);
    for (const CryptoLine& line : local.crypto) media.AddAttribute("crypto", WriteCrypto(line));
    if (local.rtcp_mux) {
      media.AddAttribute("rtcp-mux");
    } else if (local.rtcp_port != local.rtp.port + 1) {
      media.AddAttribute("rtcp", std::to_string(local.rtcp_port) + " " + ConnectionValue(local.rtp.address));
    }
    description.media.push_back(std::move(media));
  }
  return description;
}

Layout WebRtcOfferLayout() { return {{{"audio", "UDP/TLS/RTP/SAVPF", "0", "0"}}, 0}; }
Layout RtpOfferLayout(std::string_view protocol) { return {{{"audio", std::string(protocol), "0", ""}}, 0}; }

std::string VersionedWriter::Write(SessionDescription description) {
  description.origin.session_version = 0;
  std::string text = sdp::Write(description);
  if (text != last_.reveal()) {
    last_ = SecretText(std::move(text));
    ++version_;
  }
  description.origin.session_version = version_;
  return sdp::Write(description);
}

}  // namespace linegate::sdp
