#include "controlplane/sip/call.h"
#include "controlplane/sip/sip_text.h"

/// Bodies of a call: what is an offer, what is an answer (RFC 3264, RFC 6337), and what crosses instead of
/// it. Every SDP goes through the broker or is left out: none may carry one side's addresses to the other.
namespace linegate::sip {
namespace {

bool IsProvisional(const Message& response) { return response.status < 200; }
bool IsReliable(const Message& response) { return !IsProvisional(response) || response.Has("RSeq"); }

}  // namespace

/// The answer to the caller's initial offer, in a 18x or the 2xx of `callee`.
MediaResult<void> Call::PassInviteAnswer(PartyIndex callee, const Message& in, Message& out) {
  Party& party = *parties_[callee];
  const bool has_answer = BodyKindOf(in) == BodyKind::kSdp;
  const bool first = has_answer && !caller_answer_;
  const std::string& answer = has_answer ? in.body : party.relayed_answer;
  if (!answer.empty() && (answering_party_ != callee || party.relayed_answer != answer)) {
    auto relayed = context_.media.RelayAnswer(party.leg, caller().leg, answer);
    if (!relayed) return MakeUnexpected(relayed.error());
    if (!caller_answer_) caller_answer_ = std::move(*relayed);
    party.relayed_answer = answer;
    answering_party_ = callee;
    open_offer_.reset();
  }
  if (IsProvisional(in)) {
    // A second answer in stable state is an error in browsers (design D11).
    if (has_answer && (first || !IsBrowser(caller().dialog.peer)))
      SetSdpBody(out, *caller_answer_);
    else
      RemoveBody(out);
    return {};
  }
  if (answering_party_ != callee) return MakeUnexpected(MediaError{488, "answered without SDP"});
  SetSdpBody(out, *caller_answer_);
  return {};
}

/// The body of a response to the initial INVITE.
MediaResult<void> Call::PassInviteBody(PartyIndex callee, const Message& in, Message& out) {
  const BodyKind kind = BodyKindOf(in);
  const bool is_answer = IsProvisional(in) || in.status < 300;
  if (!is_answer) {
    // A failure describes capabilities at most (RFC 3261 section 21.4.26): of no use beyond us.
    if (kind == BodyKind::kOther)
      out.body = in.body;
    else
      RemoveBody(out);
    return {};
  }
  if (BodyKindOf(invite_) == BodyKind::kSdp) {
    if (kind == BodyKind::kOther && IsProvisional(in)) {
      out.body = in.body;
      return {};
    }
    return PassInviteAnswer(callee, in, out);
  }
  // Delayed offer (RFC 3261 section 13.2.1): the first reliable response carries the offer.
  if (kind == BodyKind::kSdp && IsReliable(in) && !open_offer_ && !delayed_offer_answered_) {
    auto offer = context_.media.RelayOffer(parties_[callee]->leg, caller().leg, in.body);
    if (!offer) return MakeUnexpected(offer.error());
    open_offer_ = OpenOffer{callee, kCaller, std::nullopt};
    SetSdpBody(out, std::move(*offer));
    return {};
  }
  if (kind == BodyKind::kOther)
    out.body = in.body;
  else
    RemoveBody(out);
  if (!IsProvisional(in) && !open_offer_ && !delayed_offer_answered_)
    return MakeUnexpected(MediaError{488, "neither side made an offer"});
  return {};
}

Call::BodyVerdict Call::PassRequestBody(PartyIndex from, PartyIndex to, const Message& in, Message& out,
                                        MediaError& error) {
  const BodyKind kind = BodyKindOf(in);
  if (kind == BodyKind::kNone) return BodyVerdict::kPassed;
  if (kind == BodyKind::kOther) {
    out.body = in.body;
    return BodyVerdict::kPassed;
  }
  const bool negotiates = in.method == "INVITE" || in.method == "UPDATE" || in.method == "PRACK";
  if (kind == BodyKind::kMultipartWithSdp) {
    error = {415, "SDP inside a multipart body"};
    return BodyVerdict::kMediaError;
  }
  if (!negotiates) {
    RemoveBody(out);
    return BodyVerdict::kPassed;
  }
  const LegId from_leg = parties_[from]->leg, to_leg = parties_[to]->leg;
  if (open_offer_ && in.method == "PRACK" && open_offer_->to == from && open_offer_->from == to) {
    // RFC 3262 section 5: the answer to an offer in a reliable provisional response.
    auto answer = context_.media.RelayAnswer(from_leg, to_leg, in.body);
    open_offer_.reset();
    if (!answer) {
      error = answer.error();
      return BodyVerdict::kMediaError;
    }
    delayed_offer_answered_ = true;
    SetSdpBody(out, std::move(*answer));
    return BodyVerdict::kPassed;
  }
  if (open_offer_) return open_offer_->from == from ? BodyVerdict::kOwnOfferOpen : BodyVerdict::kGlare;
  auto offer = context_.media.RelayOffer(from_leg, to_leg, in.body);
  if (!offer) {
    error = offer.error();
    return BodyVerdict::kMediaError;
  }
  open_offer_ = OpenOffer{from, to, std::nullopt};
  SetSdpBody(out, std::move(*offer));
  return BodyVerdict::kPassed;
}

/// The body of a response to an in-dialog request; a final one settles the offer that the request carried.
MediaResult<void> Call::PassResponseBody(const Relay& relay, const Message& in, Message& out) {
  const BodyKind kind = BodyKindOf(in);
  if (kind == BodyKind::kOther) out.body = in.body;
  const bool carried_offer = open_offer_ && open_offer_->carrier == relay.client;
  const LegId from_leg = parties_[relay.from]->leg, to_leg = parties_[relay.to]->leg;
  if (kind == BodyKind::kSdp && in.status < 300 && IsReliable(in)) {
    if (carried_offer) {
      auto answer = context_.media.RelayAnswer(to_leg, from_leg, in.body);
      if (!answer) return MakeUnexpected(answer.error());
      open_offer_.reset();
      SetSdpBody(out, std::move(*answer));
      return {};
    }
    if (relay.request.method == "INVITE" && !open_offer_ && !relay.had_offer) {
      auto offer = context_.media.RelayOffer(to_leg, from_leg, in.body);
      if (!offer) return MakeUnexpected(offer.error());
      open_offer_ = OpenOffer{relay.to, relay.from, relay.client};
      SetSdpBody(out, std::move(*offer));
      return {};
    }
  }
  if (kind != BodyKind::kOther) RemoveBody(out);
  // A 2xx without the answer, or a failure: the offer, whoever made it, is off (RFC 6337 section 3.4).
  if (carried_offer && !IsProvisional(in) && (open_offer_->from == relay.from || in.status >= 300))
    RollbackOffer();
  return {};
}

/// The ACK of a 2xx: carries the answer when the 2xx carried the offer.
MediaResult<void> Call::PassAckBody(const AckWait& wait, const Message& in, Message& out) {
  const BodyKind kind = BodyKindOf(in);
  if (wait.answer_expected && open_offer_) {
    if (kind != BodyKind::kSdp) {
      RemoveBody(out);
      RollbackOffer();
      return MakeUnexpected(MediaError{488, "no answer in ACK"});
    }
    open_offer_.reset();
    auto answer = context_.media.RelayAnswer(parties_[wait.from]->leg, parties_[wait.to]->leg, in.body);
    if (!answer) {
      RemoveBody(out);
      return MakeUnexpected(answer.error());
    }
    SetSdpBody(out, std::move(*answer));
    return {};
  }
  if (kind == BodyKind::kOther)
    out.body = in.body;
  else
    RemoveBody(out);
  return {};
}

void Call::RollbackOffer() {
  if (!open_offer_) return;
  context_.media.RollbackOffer(parties_[open_offer_->from]->leg, parties_[open_offer_->to]->leg);
  open_offer_.reset();
}

}  // namespace linegate::sip
