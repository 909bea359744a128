#include "controlplane/session/sdes_association.h"

#include <algorithm>
#include <array>

#include "dataplane/base/check.h"

namespace linegate::session {
namespace {

using sdp::CryptoLine;
using sdp::PeerDescription;

Unexpected<sdp::Rejection> Refuse(std::string reason) { return {sdp::Rejection{488, std::move(reason)}}; }

}  // namespace

SdesAssociation::SdesAssociation(const SdesPolicy& policy, Rng& rng)
    : policy_(policy), rng_(rng), own_(policy.suites.size()) {}

std::string_view SdesAssociation::offer_protocol() const {
  return policy_.mode == SdesMode::kRequired ? "RTP/SAVP" : "RTP/AVP";
}

size_t SdesAssociation::IndexOf(srtp::Profile suite) const {
  return size_t(std::ranges::find(policy_.suites, suite) - policy_.suites.begin());
}

void SdesAssociation::Make(OwnKey& own, srtp::Profile suite, uint8_t mki_bytes) {
  const srtp::ProfileTraits traits = *srtp::TraitsOf(suite);
  std::array<uint8_t, srtp::kMaxKeyBytes + srtp::kMaxSaltBytes> random;
  const auto used = std::span(random).first(traits.key_bytes + traits.salt_bytes);
  rng_.Fill(used);
  own = {};
  own.made = true;
  own.key.profile = suite;
  own.key.key.Assign(ByteView(used).first(traits.key_bytes));
  own.key.salt.Assign(ByteView(used).subspan(traits.key_bytes));
  Wipe(random.data(), random.size());
  if (mki_bytes == 0) return;
  if (++last_mki_ == 0) ++last_mki_;  // another key has another MKI; 255 of them are not reached
  own.key.mki.length = mki_bytes;
  own.key.mki.bytes[mki_bytes - 1] = last_mki_;
}

std::vector<CryptoLine> SdesAssociation::Offer() {
  std::vector<CryptoLine> lines;
  if (policy_.mode == SdesMode::kOff) return lines;
  for (size_t i = 0; i < own_.size(); ++i) {
    if (!own_[i].made || own_[i].burnt) Make(own_[i], policy_.suites[i], policy_.mki_bytes);
    lines.push_back({uint32_t(i + 1), own_[i].key});
  }
  return lines;
}

/// The offerer's order counts (RFC 4568 section 5.1.2).
const CryptoLine* SdesAssociation::Choose(const PeerDescription& offer) const {
  for (const CryptoLine& line : offer.crypto.served) {
    if (IndexOf(line.key.profile) < policy_.suites.size()) return &line;
  }
  return nullptr;
}

sdp::SdpResult<void> SdesAssociation::CheckOffer(const PeerDescription& peer) const {
  if (peer.audio.refused) return {};
  if (policy_.mode == SdesMode::kOff) {
    if (peer.secure) return Refuse("media protocol is neither RTP/AVP nor RTP/AVPF");
    return {};
  }
  if (Choose(peer) != nullptr) return {};
  if (peer.secure) return Refuse("no a=crypto line that is served");
  if (policy_.mode == SdesMode::kRequired) return Refuse("SRTP is required");
  return {};
}

void SdesAssociation::TakeOffer(const PeerDescription& peer) {
  if (peer.audio.refused) return;
  const CryptoLine* line = policy_.mode == SdesMode::kOff ? nullptr : Choose(peer);
  if (line == nullptr) return Deactivate();
  const size_t index = IndexOf(line->key.profile);
  OwnKey& own = own_[index];
  if (!own.made || own.burnt) Make(own, line->key.profile, line->key.mki.length);
  answer_tag_ = line->tag;
  Activate(index, line->key);
}

sdp::SdpResult<void> SdesAssociation::CheckAnswer(const PeerDescription& peer) const {
  if (peer.audio.refused) return {};
  if (policy_.mode == SdesMode::kOff) {
    if (peer.secure) return Refuse("the answer has another media protocol than the offer");
    return {};
  }
  if (peer.crypto.count == 0) {
    if (peer.secure) return Refuse("the answer has no a=crypto line");
    if (policy_.mode == SdesMode::kRequired) return Refuse("SRTP is required");
    return {};
  }
  // RFC 4568 section 5.1.3: exactly one line, with tag and suite of one that was offered.
  if (peer.crypto.count != 1 || peer.crypto.served.size() != 1)
    return Refuse("the answer's a=crypto is not one line that is served");
  const CryptoLine& line = peer.crypto.served.front();
  const size_t index = IndexOf(line.key.profile);
  if (index >= own_.size() || line.tag != index + 1 || !own_[index].made)
    return Refuse("the answer's a=crypto was not offered");
  if (own_[index].burnt) return Refuse("the answer chooses a key that was used before");
  return {};
}

void SdesAssociation::TakeAnswer(const PeerDescription& peer) {
  if (peer.audio.refused) return;
  if (policy_.mode == SdesMode::kOff || peer.crypto.count == 0) return Deactivate();
  const CryptoLine& line = peer.crypto.served.front();
  Activate(IndexOf(line.key.profile), line.key);
}

void SdesAssociation::Activate(size_t index, const srtp::MasterKey& receive) {
  LG_ASSERT(index < own_.size() && own_[index].made && !own_[index].burnt);
  if (last_ && *last_ != index) own_[*last_].burnt = true;
  last_ = index;
  active_ = dtls::SrtpKeys{own_[index].key, receive};
}

/// The worker keeps the last key of a leg that goes back to plain RTP, and with it its numbering: taken up again it goes on.
void SdesAssociation::Deactivate() { active_.reset(); }

std::vector<CryptoLine> SdesAssociation::answer_lines() const {
  if (!active_) return {};
  return {{answer_tag_, active_->send}};
}

}  // namespace linegate::session
