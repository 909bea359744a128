#include <algorithm>

#include "controlplane/sip/call.h"
#include "controlplane/sip/sip_text.h"

/// Requests inside the dialogs: every one crosses to the other side, and its final response back (design D8).
namespace linegate::sip {
namespace {

constexpr size_t kAcksKept = 4;  ///< of the latest INVITEs, to repeat for repeated 2xx

bool IsTargetRefresh(std::string_view method) {
  // RFC 3261 section 12.2, RFC 3311, RFC 6665 section 4.4.1.
  return method == "INVITE" || method == "UPDATE" || method == "SUBSCRIBE" || method == "NOTIFY" ||
         method == "REFER";
}

CSeq CSeqOf(const Message& message) {
  return ParseCSeq(message.Get("CSeq").value_or("")).value_or(CSeq{0, {}});
}

}  // namespace

void Call::Refuse(const RequestReceived& event, int status, std::string_view reason,
                  std::vector<HeaderField> headers) {
  Message response = MakeResponse(event.request, status, reason, {});
  for (HeaderField& field : headers) response.headers.push_back(std::move(field));
  context_.Respond(event.transaction, std::move(response));
}

void Call::HandleRequest(TimePoint now, const DialogKey& key, const RequestReceived& event) {
  const auto found = std::find_if(parties_.begin(), parties_.end(),
                                  [&](const auto& party) { return party->dialog.key == key; });
  if (found == parties_.end()) return Refuse(event, 481, "Call/Transaction Does Not Exist");
  const PartyIndex from = PartyIndex(found - parties_.begin());
  Dialog& dialog = (*found)->dialog;
  const std::string& method = event.request.method;
  if (method == "ACK") return HandleAck(now, from, event.request);
  // RFC 3261 section 12.2.2: lower means out of order. Gaps are fine: a challenge may have eaten a number.
  const uint32_t cseq = CSeqOf(event.request).number;
  const bool second_attempt = method == "INVITE" && (*found)->glared_cseq == cseq;
  if (cseq <= dialog.remote_cseq && !second_attempt) {
    ++context_.counters.stale_cseq;
    return Refuse(event, 500, "CSeq Out Of Order", {{"Retry-After", "1"}});
  }
  dialog.remote_cseq = std::max(dialog.remote_cseq, cseq);
  if (method == "INVITE") (*found)->glared_cseq.reset();
  if (method == "BYE") return HandleBye(now, from, event);
  if (state_ == State::kEnding || state_ == State::kChallenged)
    return Refuse(event, 481, "Call/Transaction Does Not Exist");
  if (service_) return AnswerOurselves(event);
  if (method == "INVITE" && RefuseGlare(from, event)) return;
  const PartyIndex to = from == kCaller ? chosen_ : kCaller;
  // A caller in its early dialog with nobody behind it yet; a callee whom a 2xx of another has outrun.
  const bool nobody = from == kCaller ? chosen_ == kCaller : !IsSetUp() && from != chosen_;
  if (nobody) return Refuse(event, 481, "Call/Transaction Does Not Exist");
  RelayRequest(from, to, event);
}

void Call::RefuseWithGlare(PartyIndex from, const RequestReceived& event) {
  ++context_.counters.glare;
  if (event.request.method == "INVITE") parties_[from]->glared_cseq = CSeqOf(event.request).number;
  Refuse(event, 491, "Request Pending");
}

/// RFC 3261 section 14.2: two INVITEs at once. True when the request was refused.
bool Call::RefuseGlare(PartyIndex from, const RequestReceived& event) {
  const auto pending = [&](bool same_side) {
    return std::any_of(relays_.begin(), relays_.end(), [&](const Relay& relay) {
      return relay.request.method == "INVITE" && relay.server && (relay.from == from) == same_side;
    });
  };
  const bool set_up = IsSetUp();
  if (pending(true) || (set_up && from == kCaller)) {
    ++context_.counters.glare;
    Refuse(event, 500, "Earlier INVITE Still Open", {{"Retry-After", "2"}});
    return true;
  }
  if (pending(false) || set_up) {
    RefuseWithGlare(from, event);
    return true;
  }
  return false;
}

void Call::RelayRequest(PartyIndex from, PartyIndex to, const RequestReceived& event) {
  const Message& in = event.request;
  if (relays_.size() >= context_.config.limits.max_requests_per_call) {
    ++context_.counters.over_limit;
    return Refuse(event, 503, "Too Many Requests", {{"Retry-After", "5"}});
  }
  Message extra;
  if (in.method == "PRACK" && !TranslateRack(in, to, extra))
    return Refuse(event, 481, "Call/Transaction Does Not Exist");
  Party& target = *parties_[to];
  if (!target.connected) return Refuse(event, 503, "Connection Lost", {{"Retry-After", "5"}});

  const uint32_t cseq_out = target.dialog.TakeCSeq(CSeqOf(in).number);
  Message out = target.dialog.MakeRequest(in.method, cseq_out);
  out.Set("Max-Forwards", NextMaxForwards(in));
  if (in.Has("Contact") || IsTargetRefresh(in.method))
    out.Add("Contact", context_.ContactTowards(target.dialog.peer, contact_user_));
  for (HeaderField& field : extra.headers) out.headers.push_back(std::move(field));
  CopyHeaders(in, out, CredentialsBetween(parties_[from]->dialog.peer, target.dialog.peer));
  TranslateReferences(in, out, context_.dialogs);
  MediaError error{488, {}};
  const bool offer_was_open = open_offer_.has_value();
  const BodyVerdict verdict = PassRequestBody(from, to, in, out, error);
  switch (verdict) {
    case BodyVerdict::kPassed:
      break;
    case BodyVerdict::kGlare:
      return RefuseWithGlare(from, event);
    case BodyVerdict::kOwnOfferOpen:  // RFC 3311 section 5.2
      ++context_.counters.glare;
      return Refuse(event, 500, "Earlier Offer Still Open", {{"Retry-After", "2"}});
    case BodyVerdict::kMediaError:
      ++context_.counters.calls_media_rejected;
      return Refuse(event, error.status,
                    error.status == 415 ? "Unsupported Media Type" : "Not Acceptable Here",
                    {{"Warning", "399 linegate \"" + error.reason + "\""}});
  }
  ++context_.counters.requests_relayed;
  const bool had_offer = BodyKindOf(in) == BodyKind::kSdp;
  const ClientTransactionId client = context_.Send(target.dialog.NextHop(), std::move(out), CallOwner{key_});
  if (open_offer_ && !offer_was_open) open_offer_->carrier = client;
  Message kept = in;
  kept.body.clear();
  relays_.push_back({client, event.transaction, from, to, std::move(kept), cseq_out, had_offer});
}

/// RFC 3262 section 7.2: names the provisional response by the number its sender gave it. False: no such
/// response.
bool Call::TranslateRack(const Message& request, PartyIndex& to, Message& out) {
  const std::string_view rack = Trim(request.Get("RAck").value_or(""));
  const size_t blank = std::min(rack.find(' '), rack.size());
  const auto rseq = ParseNumber(rack.substr(0, blank), UINT32_MAX);
  const auto cseq = ParseCSeq(Trim(rack.substr(blank)));
  if (!rseq || !cseq) return false;
  for (const Relay& relay : relays_) {  // of a re-INVITE, whose provisional responses keep their numbers
    if (relay.request.method != "INVITE" || CSeqOf(relay.request).number != cseq->number || relay.to != to)
      continue;
    out.Add("RAck", std::to_string(*rseq) + " " + std::to_string(relay.cseq_out) + " INVITE");
    return true;
  }
  for (const ReliableResponse& known : reliable_) {
    if (known.rseq_out != *rseq || cseq->number != InviteCSeq() || (!IsSetUp() && known.party != chosen_))
      continue;
    to = known.party;
    out.Add("RAck", std::to_string(known.rseq_in) + " " + std::to_string(InviteCSeq()) + " INVITE");
    return true;
  }
  return false;
}

void Call::HandleRelayResponse(TimePoint now, size_t index, const Message& response) {
  const Relay relay = relays_[index];
  Message out = MakeResponse(relay.request, response.status, response.reason, {});
  if (response.status < 300) {
    if (response.Has("Contact") || relay.request.method == "INVITE")
      out.Add("Contact", context_.ContactTowards(parties_[relay.from]->dialog.peer, contact_user_));
  } else if (response.status < 400) {
    for (const std::string_view contact : response.GetAll("Contact"))
      out.Add("Contact", std::string(contact));
  }
  CopyHeaders(response, out, Credentials::kCross);
  if (response.status < 200) {
    if (relay.request.method != "INVITE" || !relay.server || state_ == State::kEnding) return;
    if (const auto rseq = response.Get("RSeq")) out.Add("RSeq", std::string(*rseq));
    if (!PassResponseBody(relay, response, out)) RemoveBody(out);
    context_.Respond(*relay.server, std::move(out));
    return;
  }
  relays_.erase(relays_.begin() + ptrdiff_t(index));
  FinishRelay(now, relay, response, std::move(out));
}

void Call::FinishRelay(TimePoint now, const Relay& relay, const Message& response, Message out) {
  const std::string& method = relay.request.method;
  const bool success = response.status < 300;
  if (method != "INVITE" || !success) context_.Forget(relay.client);
  if (method == "INVITE" && response.status == 491)
    parties_[relay.from]->glared_cseq = CSeqOf(relay.request).number;
  if (method == "BYE") {
    bye_challenged_ = relay.server && (response.status == 401 || response.status == 407);
    if (relay.server) context_.Respond(*relay.server, std::move(out));
    return;
  }
  if (state_ == State::kEnding) {  // the call ended meanwhile; its request was answered then
    if (relay.server) context_.Respond(*relay.server, std::move(out));
    return;
  }
  if ((response.status == 401 || response.status == 407) && relay.had_offer) RemoveAuthInt(out);
  const auto passed = PassResponseBody(relay, response, out);
  if (success && IsTargetRefresh(method)) {
    parties_[relay.from]->dialog.RefreshTarget(relay.request);
    parties_[relay.to]->dialog.RefreshTarget(response);
  }
  if (success && method == "INVITE") {
    const bool answer_expected = open_offer_ && open_offer_->from == relay.to;
    if (ack_waits_.size() > kAcksKept) {
      context_.Forget(ack_waits_[1].client);  // [0] is the initial INVITE's
      ack_waits_.erase(ack_waits_.begin() + 1);
    }
    ack_waits_.push_back({*relay.server,
                          relay.client,
                          relay.from,
                          relay.to,
                          CSeqOf(relay.request).number,
                          relay.cseq_out,
                          answer_expected,
                          {}});
  }
  if (!passed) {
    // The two sides no longer agree on the session: design D11, BYE and 488.
    ++context_.counters.calls_media_rejected;
    if (success && method == "INVITE") {
      AckWait& wait = ack_waits_.back();
      wait.ack = AckFor(wait);
      context_.SendAck(parties_[wait.to]->dialog.NextHop(), *wait.ack);
    }
    Message refusal = MakeResponse(relay.request, 488, "Not Acceptable Here", {});
    refusal.Add("Warning", "399 linegate \"" + passed.error().reason + "\"");
    context_.Respond(*relay.server, std::move(refusal));
    return End(now, "SIP;cause=488;text=\"Not Acceptable Here\"");
  }
  context_.Respond(*relay.server, std::move(out));
  // RFC 5057: 481 to a request of the INVITE usage means that the other side has no such call any more.
  if (response.status == 481 && (method == "INVITE" || method == "UPDATE") && !IsSetUp()) {
    SendBye(relay.from, "SIP;cause=481");
    BeginEnding(now);
  }
}

Message Call::AckFor(const AckWait& wait) const {
  Message ack = parties_[wait.to]->dialog.MakeRequest("ACK", wait.cseq_out);
  return ack;
}

void Call::HandleAck(TimePoint now, PartyIndex from, const Message& in) {
  const uint32_t cseq = CSeqOf(in).number;
  auto wait = std::find_if(ack_waits_.begin(), ack_waits_.end(), [&](const AckWait& candidate) {
    return candidate.from == from && candidate.cseq_in == cseq;
  });
  // See Party::glared_cseq.
  if (wait == ack_waits_.end())
    wait = std::find_if(ack_waits_.begin(), ack_waits_.end(), [&](const AckWait& candidate) {
      return candidate.from == from && !candidate.ack && candidate.cseq_in < cseq;
    });
  if (wait == ack_waits_.end()) return;
  Party& caller_party = *parties_[from];
  const bool first = !wait->ack;
  if (state_ == State::kAnswered && wait->server == invite_transaction_) state_ = State::kConfirmed;
  if (wait->to == wait->from) {  // a test number: nobody beyond us
    if (first) wait->ack = in;
  } else if (first) {
    Message ack = AckFor(*wait);
    ack.Set("Max-Forwards", NextMaxForwards(in));
    CopyHeaders(in, ack, CredentialsBetween(caller_party.dialog.peer, parties_[wait->to]->dialog.peer));
    // Section 13.2.2.4: the ACK carries the same credentials as the INVITE.
    if (wait->server == invite_transaction_ && !ack.Has("Authorization") && !ack.Has("Proxy-Authorization"))
      for (const std::string_view name : {"Authorization", "Proxy-Authorization"})
        for (const std::string_view value : branches_[parties_[wait->to]->branch].invite.GetAll(name))
          ack.Add(name, std::string(value));
    const auto passed = PassAckBody(*wait, in, ack);
    wait->ack = ack;
    context_.SendAck(parties_[wait->to]->dialog.NextHop(), std::move(ack));
    if (!passed) {
      ++context_.counters.calls_media_rejected;
      End(now, "SIP;cause=488;text=\"Not Acceptable Here\"");
    }
  }
  if (caller_party.bye_after_ack) {
    caller_party.bye_after_ack = false;
    SendBye(from, {});
  }
}

void Call::HandleAckTimeout(TimePoint now, ServerTransactionId transaction) {
  const auto wait = std::find_if(ack_waits_.begin(), ack_waits_.end(),
                                 [&](const AckWait& candidate) { return candidate.server == transaction; });
  if (wait == ack_waits_.end() || wait->ack) return;
  // RFC 3261 section 13.3.1.4: the dialog is considered confirmed but ended with BYE.
  ++context_.counters.calls_no_ack;
  Party& party = *parties_[wait->from];
  const bool owed = party.bye_after_ack;
  party.bye_after_ack = false;
  if (wait->to != wait->from) {
    wait->ack = AckFor(*wait);
    context_.SendAck(parties_[wait->to]->dialog.NextHop(), *wait->ack);
  } else {
    wait->ack.emplace();
  }
  if (owed) SendBye(wait->from, {});
  End(now, "SIP;cause=408;text=\"No ACK\"");
}

void Call::HandleBye(TimePoint now, PartyIndex from, const RequestReceived& event) {
  if (IsSetUp()) {
    // RFC 3261 section 15: a caller may end its early dialog with BYE, a callee may not.
    if (from != kCaller) return Refuse(event, 481, "Call/Transaction Does Not Exist");
    Refuse(event, 200, "OK");
    ++context_.counters.calls_cancelled;
    return FailCaller(now, 487, "Request Terminated");
  }
  const bool retry = state_ == State::kEnding && bye_challenged_;
  if ((state_ == State::kEnding && !retry) || state_ == State::kChallenged || service_) {
    // Our BYE, or that of the other side, has crossed with this one: both sides agree that it is over.
    Refuse(event, 200, "OK");
    for (Relay& relay : relays_) {
      if (relay.request.method != "BYE" || !relay.server || relay.to != from) continue;
      context_.Respond(*relay.server, MakeResponse(relay.request, 200, "OK", {}));
      relay.server.reset();
    }
    parties_[from]->bye_after_ack = false;
    if (service_ && state_ != State::kEnding) BeginEnding(now);
    return;
  }
  const PartyIndex to = from == kCaller ? chosen_ : kCaller;
  if (to == kCaller && from != chosen_) return Refuse(event, 481, "Call/Transaction Does Not Exist");
  if (!parties_[to]->connected) {
    Refuse(event, 200, "OK");
    return BeginEnding(now);
  }
  for (AckWait& wait : ack_waits_) {
    if (wait.ack || wait.to != to) continue;
    wait.ack = AckFor(wait);
    context_.SendAck(parties_[to]->dialog.NextHop(), *wait.ack);
  }
  bye_challenged_ = false;
  BeginEnding(now);
  RelayRequest(from, to, event);
}

/// RFC 3261 section 15.1.2: requests still open when the dialog ends get 487; their responses are of no use
/// any more. A BYE that nobody answered has timed out.
void Call::AnswerPendingRelays() {
  for (Relay& relay : relays_) {
    context_.Forget(relay.client);
    if (!relay.server) continue;
    const bool bye = relay.request.method == "BYE";
    context_.Respond(*relay.server, MakeResponse(relay.request, bye ? 408 : 487,
                                                 bye ? "Request Timeout" : "Request Terminated", {}));
  }
  relays_.clear();
}

/// Test numbers have no other side.
void Call::AnswerOurselves(const RequestReceived& event) {
  const Message& in = event.request;
  Message out = MakeResponse(in, 200, "OK", {});
  if (in.method != "INVITE" && in.method != "UPDATE") {
    const bool harmless =
        in.method == "INFO" || in.method == "OPTIONS" || in.method == "MESSAGE" || in.method == "NOTIFY";
    if (!harmless) return Refuse(event, 501, "Not Implemented", {{"Allow", std::string(kAllow)}});
    return context_.Respond(event.transaction, std::move(out));
  }
  const bool has_offer = BodyKindOf(in) == BodyKind::kSdp;
  if (has_offer) {
    auto answer = context_.media.AnswerLocally(caller().leg, in.body, *service_);
    if (!answer)
      return Refuse(event, answer.error().status, "Not Acceptable Here",
                    {{"Warning", "399 linegate \"" + answer.error().reason + "\""}});
    SetSdpBody(out, std::move(*answer));
  } else if (in.method == "INVITE") {
    return Refuse(event, 488, "Not Acceptable Here",
                  {{"Warning", "399 linegate \"a test number needs an offer\""}});
  }
  out.Add("Contact", context_.ContactTowards(caller().dialog.peer, {}));
  caller().dialog.RefreshTarget(in);
  // RFC 4028 section 9: the peer refreshes; its own dead timer and our media timeout end what nobody
  // refreshes.
  if (const auto expires = in.Get("Session-Expires")) {
    out.Add("Session-Expires", SetParam(*expires, "refresher", "uac"));
    out.Add("Require", "timer");
  }
  if (in.method == "INVITE") {
    ack_waits_.push_back(
        {event.transaction, ClientTransactionId(0), kCaller, kCaller, CSeqOf(in).number, 0, false, {}});
    if (ack_waits_.size() > kAcksKept) ack_waits_.erase(ack_waits_.begin() + 1);
  }
  context_.Respond(event.transaction, std::move(out));
}

}  // namespace linegate::sip
