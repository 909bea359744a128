#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/sdp/codec.h"
#include "controlplane/sdp/crypto_attribute.h"
#include "controlplane/sdp/direction.h"
#include "dataplane/base/net_address.h"
#include "dataplane/base/result.h"

/// What a peer's description means to the gateway. Theory of operation: a leg carries one audio stream. Every
/// other m= line, of whatever kind, a second audio included, is refused with port 0 in our answers; its place
/// and mid are kept because descriptions only ever grow (RFC 3264 section 8). Remote candidates are not
/// looked at at all: an ICE-lite agent sends no checks, the peer's address is learned from its own (RFC 8445
/// section 7.3), so offers with no, TCP, .local or malformed candidates are all the same.
namespace linegate::sdp {

/// Why a description cannot be served, as the SIP status that says so.
struct Rejection {
  int status = 488;
  std::string reason;
};
template <typename T>
using SdpResult = Result<T, Rejection>;

/// RFC 4145, RFC 5763. In an answer kActPass never stands; a missing attribute reads as kActive (RFC 4145
/// section 4).
enum class Setup : uint8_t { kActPass, kActive, kPassive };

/// One m= line as it has to come back in every later description of the leg.
struct LayoutEntry {
  std::string kind;
  std::string protocol;
  std::string format;  ///< the first one, repeated where the line is refused
  std::string mid;     ///< empty: the peer uses none
};
struct Layout {
  std::vector<LayoutEntry> lines;
  size_t audio = 0;  ///< index of the stream that is relayed
};

/// The relayed stream without its transport.
struct AudioStream {
  std::vector<Codec> codecs;
  Direction direction = Direction::kSendRecv;
  std::vector<std::string> packet_times;  ///< a=ptime and a=maxptime, verbatim
  bool refused = false;                   ///< port 0: held or rejected; `direction` is kInactive then
};

/// Where an RTP/AVP peer receives. No addresses: nothing may be sent (c=0.0.0.0, port 0).
struct RtpTransport {
  Endpoint rtp;
  Endpoint rtcp;  ///< where RTCP goes if it is not multiplexed
};

struct WebRtcTransport {
  std::string ufrag;
  std::string pwd;
  std::vector<std::string> fingerprints;  ///< a=fingerprint values, not yet judged
  Setup setup = Setup::kActPass;
  bool bundled = false;  ///< the audio mid stands in an a=group:BUNDLE
};

struct PeerDescription {
  Layout layout;
  AudioStream audio;
  bool rtcp_mux = false;
  RtpTransport rtp;        ///< DescribeRtpPeer
  bool secure = false;     ///< DescribeRtpPeer: RTP/SAVP or RTP/SAVPF
  CryptoLines crypto;      ///< DescribeRtpPeer: its a=crypto lines, whatever the protocol (RFC 8643)
  WebRtcTransport webrtc;  ///< DescribeWebRtcPeer
};

/// Offers choose the stream: the first audio line that is in use, else the first audio line.
inline constexpr size_t kAnyAudio = SIZE_MAX;

/// Reads `text` from an RTP peer. `audio` is kAnyAudio for an offer, the index we offered for an answer. Whether the
/// leg may or must be encrypted is for the caller to judge. Errors: 400 not SDP (with its line); 488 no audio, a protocol
/// other than RTP/AVP, RTP/AVPF, RTP/SAVP and RTP/SAVPF, an address that is no IP address.
SdpResult<PeerDescription> DescribeRtpPeer(std::string_view text, size_t audio);

/// Reads `text` from a browser. Errors: 400 not SDP; 488 no audio, not RTP over DTLS, no rtcp-mux (RFC 8834
/// section 4.5), no fingerprint, no or malformed ice-ufrag and ice-pwd (RFC 8839 section 5.4: 4 to 256 and 22
/// to 256 ice-chars). A refused answer (port 0) needs no transport.
SdpResult<PeerDescription> DescribeWebRtcPeer(std::string_view text, size_t audio);

}  // namespace linegate::sdp
