#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/sdp/peer_description.h"
#include "controlplane/sdp/sdp_model.h"
#include "dataplane/base/secret.h"

/// Our own side of a leg, written as SDP (design D11). Nothing of the other leg's session lines, addresses,
/// candidates, identities or unknown attributes crosses: a description is made from the relayed stream and
/// from what is ours.
namespace linegate::sdp {

/// Our transport on a browser leg.
struct LocalWebRtc {
  std::string ufrag;
  std::string pwd;
  std::string fingerprint;              ///< "sha-256 AB:CD..."
  std::string setup;                    ///< "actpass" in offers, "passive" or "active" in answers
  std::vector<std::string> candidates;  ///< a=candidate values
  Endpoint address;                     ///< for c= and a=rtcp: what the first candidate says
  std::string msid;                     ///< "STREAM TRACK", stays for the life of the leg
  bool bundled = true;
};

/// Our transport on an RTP leg.
struct LocalRtp {
  Endpoint rtp;
  uint16_t rtcp_port = 0;
  bool rtcp_mux = false;
  std::vector<CryptoLine> crypto = {};  ///< preferred first; in an answer at most one
};

/// `stream.refused` writes port 0 for the audio line too. `origin.address` and `address_type` are set here.
SessionDescription DescribeWebRtc(const Layout& layout, const AudioStream& stream, const LocalWebRtc& local,
                                  uint64_t session_id);
SessionDescription DescribeRtp(const Layout& layout, const AudioStream& stream, const LocalRtp& local,
                               uint64_t session_id);

/// The layout of a first offer: one audio line. `protocol`: "RTP/AVP" or "RTP/SAVP".
Layout WebRtcOfferLayout();
Layout RtpOfferLayout(std::string_view protocol = "RTP/AVP");

/// Numbers the descriptions that one leg is sent: o= keeps its session id, and its version rises by one
/// whenever the rest differs from what was sent before (RFC 3264 section 8).
class VersionedWriter {
 public:
  std::string Write(SessionDescription description);

 private:
  SecretText last_;  ///< with version 0; a=crypto lines hold keys
  uint64_t version_ = 0;
};

}  // namespace linegate::sdp
