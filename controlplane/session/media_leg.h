#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/ice/credentials.h"
#include "controlplane/sdp/codec_negotiation.h"
#include "controlplane/sdp/local_description.h"
#include "controlplane/sdp/peer_description.h"
#include "controlplane/session/dtls_association.h"
#include "controlplane/session/sdes_association.h"
#include "controlplane/sip/media_broker.h"
#include "dataplane/abi/flow_config.h"

namespace linegate::session {

/// An offer on its way from one leg to another, kept at the leg it went to until the next one replaces it: a
/// fork below the SIP Server answers the same offer more than once.
struct OfferExchange {
  sip::LegId offerer;
  sdp::PeerDescription offer;  ///< what the offerer said
  std::optional<dtls::Fingerprint> offerer_fingerprint;
  std::vector<sdp::OfferedCodec> codecs;  ///< what we made of its codecs for the other leg
  sdp::Layout layout;                     ///< of our offer to the other leg
  bool answered = false;
  std::string answer;                     ///< answered: what a browser as offerer was told, and
  std::vector<sdp::Codec> answer_codecs;  ///< its codecs
};

/// One media leg. Theory of operation: a leg owns one flow slot, the direction that comes *in* from its peer;
/// what goes *out* to the peer is the flow of the leg it is joined with (`partner`), or its own with a test
/// number. Resources are taken at the first offer or answer and kept until the leg closes, whatever is
/// negotiated meanwhile.
struct MediaLeg {
  sip::LegId id;
  sip::CallId call;
  sip::LegKind kind = sip::LegKind::kWebRtc;
  uint16_t worker = 0;

  // Resources.
  abi::FlowRef flow;      ///< none before the first offer or answer
  uint16_t rtp_port = 0;  ///< kSip
  ice::Credentials ice;   ///< kWebRtc; [previous] serves checks that are under way during an ICE restart
  ice::Credentials previous_ice;
  std::unique_ptr<DtlsAssociation> dtls;  ///< kWebRtc
  std::unique_ptr<SdesAssociation> sdes;  ///< kSip
  std::optional<TimePoint> connect_by;    ///< kWebRtc: answered, DTLS not up yet
  uint32_t own_ssrc = 0;

  // What we say.
  uint64_t session_id = 0;
  std::string msid;
  sdp::VersionedWriter writer;
  sdp::PayloadRegistry payloads;
  std::optional<sdp::Layout> layout;
  bool rtcp_mux = false;  ///< kSip: agreed

  // What is negotiated.
  std::optional<sdp::PeerDescription> peer;  ///< the peer's last description that took effect
  std::optional<dtls::Fingerprint> fingerprint;
  std::optional<sip::LegId> partner;
  std::optional<sip::LocalService> service;
  std::vector<sdp::PayloadRename> renames;  ///< of packets that come in here
  std::vector<sdp::Codec> codecs;           ///< in the peer's numbers, preferred first
  std::optional<OfferExchange> exchange;    ///< the last offer that was sent to this leg

  // What was reported.
  bool media_up = false;
  bool failed = false;

  bool is_webrtc() const { return kind == sip::LegKind::kWebRtc; }
  /// nullptr: DTLS is not up, or the leg is plain RTP.
  const dtls::SrtpKeys* keys() const { return is_webrtc() ? dtls->keys() : sdes->keys(); }
};

}  // namespace linegate::session
