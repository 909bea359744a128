#pragma once
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "controlplane/dtls/dtls_endpoint.h"
#include "controlplane/sdp/crypto_attribute.h"
#include "controlplane/sdp/peer_description.h"
#include "dataplane/base/rng.h"

namespace linegate::session {

enum class SdesMode : uint8_t {
  kOff,       ///< plain RTP; nothing of SRTP is offered, RTP/SAVP is refused
  kOptional,  ///< SRTP where the peer takes it: offered as RFC 8643 says, RTP/AVP with a=crypto
  kRequired,  ///< SRTP or no call: offered as RTP/SAVP
};

struct SdesPolicy {
  SdesMode mode = SdesMode::kOff;
  std::vector<srtp::Profile>
      suites;             ///< what is offered and taken, preferred first; each has an sdp::SuiteName
  uint8_t mki_bytes = 0;  ///< of MKIs in our offers; 0: none. Answers do as the offer does
};

/// The SDES side of one RTP leg (RFC 4568): the keys we have named and the two that are in force. Theory of operation: each
/// suite has a key of ours, made when first named and named again in every later description, so that a re-INVITE about
/// something else changes no key and packet indices go on. A key that was in force and gave way to another suite's is burnt:
/// its packet indices are forgotten, so it must never be used again (RFC 3711 section 9.1). The next description has a fresh
/// one in its place; an answer that still chooses the burnt one is refused.
///
///   Offer()             -> lines of our offer           CheckAnswer(peer), TakeAnswer(peer)
///   CheckOffer(peer)    -> can it be answered?          TakeOffer(peer) -> keys in force; answer_line() for our answer
///
/// Check* change nothing. Pre of Take*: Check* was content. Not done: changing our key for its age (2^48 packets).
class SdesAssociation {
 public:
  SdesAssociation(const SdesPolicy& policy, Rng& rng);

  /// Protocol of a first offer.
  std::string_view offer_protocol() const;
  std::vector<sdp::CryptoLine> Offer();
  sdp::SdpResult<void> CheckOffer(const sdp::PeerDescription& peer) const;
  void TakeOffer(const sdp::PeerDescription& peer);
  sdp::SdpResult<void> CheckAnswer(const sdp::PeerDescription& peer) const;
  void TakeAnswer(const sdp::PeerDescription& peer);

  /// nullptr: the leg is plain RTP.
  const dtls::SrtpKeys* keys() const { return active_ ? &*active_ : nullptr; }
  /// Our line in the answer to the offer taken last; empty: plain.
  std::vector<sdp::CryptoLine> answer_lines() const;

 private:
  struct OwnKey {
    srtp::MasterKey key;
    bool made = false;
    bool burnt = false;
  };
  const sdp::CryptoLine* Choose(const sdp::PeerDescription& offer) const;
  size_t IndexOf(srtp::Profile suite) const;
  void Make(OwnKey& own, srtp::Profile suite, uint8_t mki_bytes);
  void Activate(size_t index, const srtp::MasterKey& receive);
  void Deactivate();

  const SdesPolicy& policy_;
  Rng& rng_;
  std::vector<OwnKey> own_;     ///< parallel to policy_.suites; the tag in offers is the index + 1
  std::optional<size_t> last_;  ///< index of our key that was in force last, or is
  std::optional<dtls::SrtpKeys> active_;
  uint32_t answer_tag_ = 0;
  uint8_t last_mki_ = 0;
};

}  // namespace linegate::session
