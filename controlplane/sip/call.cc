#include "controlplane/sip/call.h"

#include <algorithm>

#include "controlplane/sip/sip_text.h"

namespace linegate::sip {
namespace {

LegKind KindOf(const Peer& peer) { return IsBrowser(peer) ? LegKind::kWebRtc : LegKind::kSip; }

}  // namespace

std::string_view ToString(Call::State state) {
  switch (state) {
    case Call::State::kRouting:
      return "routing";
    case Call::State::kRinging:
      return "ringing";
    case Call::State::kChallenged:
      return "challenged";
    case Call::State::kAnswered:
      return "answered";
    case Call::State::kConfirmed:
      return "confirmed";
    case Call::State::kEnding:
      return "ending";
  }
  return "";
}

std::string NextMaxForwards(const Message& request) {
  const auto hops = ParseNumber(request.Get("Max-Forwards").value_or(""), 255);
  return std::to_string(hops ? std::max<uint64_t>(*hops, 1) - 1 : 70);
}

Call::Call(SignallingContext& context, CallKey call_key, TimePoint now, const RequestReceived& invite,
           std::string caller_token)
    : context_(context),
      key_(call_key),
      started_at_(now),
      media_(context.media.OpenCall()),
      media_open_(true) {
  Party party;
  party.dialog = MakeUasDialog(invite.request, context_.MakeTag(), invite.from);
  party.leg = context_.media.OpenLeg(media_, KindOf(invite.from));
  party.token = std::move(caller_token);
  const DialogKey key = party.dialog.key;
  // Which browser this is, for the SIP Server: its registration, or a name that stays with the call.
  contact_user_ =
      party.token.empty() ? context_.identity.ContactToken(key.call_id, key.remote_tag) : party.token;
  AddParty(std::move(party));
  TakeInvite(invite);
}

Call::~Call() {
  CloseMedia();
  for (const auto& party : parties_) context_.dialogs.Remove(party->dialog.key);
  for (const Branch& branch : branches_) context_.Forget(branch.transaction);
  for (const Relay& relay : relays_) context_.Forget(relay.client);
  for (const AckWait& wait : ack_waits_) context_.Forget(wait.client);
  for (const ClientTransactionId bye : own_byes_) context_.Forget(bye);
}

void Call::TakeInvite(const RequestReceived& invite) {
  invite_ = invite.request;
  invite_transaction_ = invite.transaction;
  invite_answered_ = false;
  caller().dialog.remote_cseq = InviteCSeq();
}

std::vector<ServerTransactionId> Call::OpenInvites() const {
  std::vector<ServerTransactionId> open = {invite_transaction_};
  for (const Relay& relay : relays_)
    if (relay.server && relay.request.method == "INVITE") open.push_back(*relay.server);
  for (const AckWait& wait : ack_waits_)
    if (wait.server != invite_transaction_) open.push_back(wait.server);
  return open;
}

uint32_t Call::InviteCSeq() const {
  const auto cseq = ParseCSeq(invite_.Get("CSeq").value_or(""));
  return cseq ? cseq->number : 0;
}

Call::PartyIndex Call::AddParty(Party party) {
  context_.dialogs.Add(party.dialog.key, key_);
  parties_.push_back(std::make_unique<Party>(std::move(party)));
  return parties_.size() - 1;
}

void Call::Choose(PartyIndex callee) {
  chosen_ = callee;
  context_.dialogs.SetPartner(parties_[kCaller]->dialog.key, parties_[callee]->dialog.key);
  context_.dialogs.SetPartner(parties_[callee]->dialog.key, parties_[kCaller]->dialog.key);
}

// ---- set-up

void Call::RingContacts(TimePoint now, const std::vector<ContactTarget>& targets) {
  state_ = State::kRinging;
  awaited_contact_.reset();
  Disarm(Deadline::kContact);
  Arm(Deadline::kNoAnswer, now + context_.config.timers.no_answer);
  for (const ContactTarget& target : targets)
    StartBranch(WssPeer{target.flow}, target.token, target.contact_uri);
  FailWithBest(now);
}

void Call::RingTrunk(TimePoint now) {
  state_ = State::kRinging;
  Arm(Deadline::kNoAnswer, now + context_.config.timers.no_answer);
  StartBranch(TrunkPeer{*context_.config.sip_server}, {}, invite_.request_uri);
  FailWithBest(now);
}

void Call::AwaitContact(TimePoint now, const RouteWhenConnected& contact) {
  awaited_contact_ = contact;
  Arm(Deadline::kContact, now + context_.config.timers.token_wait);
}

void Call::Retry(TimePoint now, const RequestReceived& invite) {
  // RFC 3261 section 22.2: same Call-ID and From tag, higher CSeq. Ports and ICE credentials are those of the
  // first attempt, so nothing that the browser learnt about us changes.
  ++context_.counters.calls_retried;
  TakeInvite(invite);
  caller_answer_.reset();
  answering_party_ = kCaller;
  state_ = State::kRinging;
  Disarm(Deadline::kAuthReserve);
  Arm(Deadline::kNoAnswer, now + context_.config.timers.no_answer);
  for (size_t i = 0; i < branches_.size(); ++i) SendBranchInvite(i, invite_.request_uri);
  FailWithBest(now);
}

void Call::StartBranch(const Peer& peer, std::string token, std::string_view request_uri) {
  Branch branch;
  if (!IsBrowser(caller().dialog.peer)) contact_user_ = token;
  branch.peer = peer;
  branch.token = std::move(token);
  branch.leg = context_.media.OpenLeg(media_, KindOf(peer));
  branches_.push_back(std::move(branch));
  SendBranchInvite(branches_.size() - 1, request_uri);
}

Message Call::MakeBranchInvite(const Branch& branch, std::string_view request_uri) const {
  const DialogKey key = KeyOfRequest(invite_);
  Message out;
  out.method = invite_.method;
  out.request_uri = request_uri;
  out.Add("Max-Forwards", NextMaxForwards(invite_));
  out.Add("From", SetParam(*invite_.Get("From"), "tag",
                           context_.identity.Tag(key.call_id, key.remote_tag, branch.token)));
  out.Add("To", std::string(*invite_.Get("To")));
  out.Add("Call-ID", context_.identity.CallId(key.call_id));
  out.Add("CSeq", std::string(*invite_.Get("CSeq")));
  out.Add("Contact", context_.ContactTowards(branch.peer, contact_user_));
  CopyHeaders(invite_, out, CredentialsBetween(parties_[kCaller]->dialog.peer, branch.peer));
  TranslateReferences(invite_, out, context_.dialogs);
  return out;
}

bool Call::SendBranchInvite(size_t index, std::string_view request_uri) {
  Branch& branch = branches_[index];
  Message out = MakeBranchInvite(branch, request_uri);
  branch.invite = out;
  branch.state = Branch::State::kPending;
  branch.parties.clear();
  if (BodyKindOf(invite_) == BodyKind::kSdp) {
    auto offer = context_.media.RelayOffer(caller().leg, branch.leg, invite_.body);
    if (!offer) {
      ++context_.counters.calls_media_rejected;
      branch.state = Branch::State::kFailed;
      branch.failure = MakeResponse(invite_, offer.error().status, "Not Acceptable Here", {});
      branch.failure.Add("Warning", "399 linegate \"" + offer.error().reason + "\"");
      return false;
    }
    open_offer_ = OpenOffer{kCaller, kCaller, std::nullopt};
    SetSdpBody(out, std::move(*offer));
  } else {
    out.body = invite_.body;
  }
  branch.transaction = context_.Send(branch.peer, std::move(out), CallOwner{key_});
  return true;
}

void Call::AnswerAsTestNumber(TimePoint now, LocalService service) {
  service_ = service;
  if (BodyKindOf(invite_) != BodyKind::kSdp) {
    FailMedia(now, MediaError{488, "a test number needs an offer"});
    return;
  }
  auto answer = context_.media.AnswerLocally(caller().leg, invite_.body, service);
  if (!answer) {
    FailMedia(now, answer.error());
    return;
  }
  ++context_.counters.calls_answered;
  Message response = MakeResponse(invite_, 200, "OK", caller().dialog.key.local_tag);
  response.Add("Contact", context_.ContactTowards(caller().dialog.peer, {}));
  response.Add("Allow", std::string(kAllow));
  SetSdpBody(response, std::move(*answer));
  ack_waits_.push_back(
      {invite_transaction_, ClientTransactionId(0), kCaller, kCaller, InviteCSeq(), 0, false, {}});
  invite_answered_ = true;
  state_ = State::kAnswered;
  context_.Respond(invite_transaction_, std::move(response));
}

// ---- failing and ending

void Call::HandleCancel(TimePoint now, ServerTransactionId transaction) {
  if (transaction == invite_transaction_) {
    if (!IsSetUp() || invite_answered_) return;  // RFC 3261 section 9.2: no effect after the final response
    ++context_.counters.calls_cancelled;
    FailCaller(now, 487, "Request Terminated");
    return;
  }
  for (const Relay& relay : relays_)
    if (relay.server == transaction) context_.Cancel(relay.client);
}

void Call::CancelBranches() {
  for (Branch& branch : branches_) {
    if (branch.state != Branch::State::kPending) continue;
    branch.state = Branch::State::kCancelled;
    context_.Cancel(branch.transaction);
  }
}

void Call::FailCaller(TimePoint now, int status, std::string_view reason, std::vector<HeaderField> headers) {
  if (!invite_answered_) {
    Message response = MakeResponse(invite_, status, reason, caller().dialog.key.local_tag);
    for (HeaderField& field : headers) response.headers.push_back(std::move(field));
    context_.Respond(invite_transaction_, std::move(response));
    invite_answered_ = true;
  }
  CancelBranches();
  BeginEnding(now);
}

void Call::FailMedia(TimePoint now, const MediaError& error) {
  ++context_.counters.calls_media_rejected;
  ++context_.counters.calls_failed;
  FailCaller(now, error.status, error.status == 488 ? "Not Acceptable Here" : "Media Not Available",
             {{"Warning", "399 linegate \"" + error.reason + "\""}});
}

void Call::BeginEnding(TimePoint now) {
  state_ = State::kEnding;
  AnswerPendingRelays();
  open_offer_.reset();
  deadlines_ = {};
  Arm(Deadline::kTeardown, now + context_.config.timers.teardown);
  CloseMedia();
}

void Call::CloseMedia() {
  if (media_open_) context_.media.CloseCall(media_);
  media_open_ = false;
}

void Call::SendBye(PartyIndex index, std::string_view reason) {
  Party& party = *parties_[index];
  if (!party.connected) return;
  Message bye = party.dialog.MakeRequest("BYE", party.dialog.TakeCSeq(0));
  if (!reason.empty()) bye.Add("Reason", std::string(reason));
  own_byes_.push_back(context_.Send(party.dialog.NextHop(), std::move(bye), CallOwner{key_}));
}

void Call::EndCaller(std::string_view reason) {
  const bool acknowledged = std::none_of(ack_waits_.begin(), ack_waits_.end(), [this](const AckWait& wait) {
    return wait.server == invite_transaction_ && !wait.ack;
  });
  if (acknowledged)
    SendBye(kCaller, reason);
  else
    caller().bye_after_ack = caller().connected;
}

void Call::EndCallee(std::string_view reason) {
  if (chosen_ == kCaller) return;
  for (AckWait& wait : ack_waits_) {
    if (wait.ack || wait.to != chosen_) continue;
    // RFC 3261 section 13.2.2.4: a 2xx is acknowledged even when the call ends at once.
    wait.ack = AckFor(wait);
    context_.SendAck(parties_[chosen_]->dialog.NextHop(), *wait.ack);
  }
  SendBye(chosen_, reason);
}

void Call::End(TimePoint now, std::string_view reason) {
  switch (state_) {
    case State::kRouting:
    case State::kRinging:
      ++context_.counters.calls_failed;
      FailCaller(now, 480, "Temporarily Unavailable");
      return;
    case State::kChallenged:
      BeginEnding(now);
      return;
    case State::kAnswered:
    case State::kConfirmed:
      EndCallee(reason);
      EndCaller(reason);
      BeginEnding(now);
      return;
    case State::kEnding:
      return;
  }
}

bool Call::done() const {
  if (state_ != State::kEnding) return false;
  if (!deadlines_[size_t(Deadline::kTeardown)]) return true;
  const bool branches_done = std::none_of(branches_.begin(), branches_.end(), [](const Branch& branch) {
    return branch.state == Branch::State::kPending || branch.state == Branch::State::kCancelled;
  });
  return branches_done && relays_.empty() && own_byes_.empty() && !bye_challenged_ &&
         !parties_[kCaller]->bye_after_ack;
}

// ---- connections and time

void Call::HandleFlowClosed(TimePoint now, FlowToken flow) {
  bool lost = false;
  for (const auto& party : parties_) {
    const auto* browser = std::get_if<WssPeer>(&party->dialog.peer);
    if (browser == nullptr || browser->flow != flow) continue;
    party->connected = false;
    lost = true;
  }
  if (!lost) return;
  if (state_ == State::kChallenged || (IsSetUp() && !caller().connected)) {
    invite_answered_ = true;  // nobody is left to answer
    CancelBranches();
    BeginEnding(now);
  } else if (state_ == State::kAnswered && !caller().connected) {
    // The 2xx went with the connection: nobody will acknowledge it.
    ++context_.counters.calls_flow_lost;
    End(now, "SIP;cause=480;text=\"Connection lost\"");
  } else if (state_ == State::kAnswered || state_ == State::kConfirmed) {
    if (caller().connected && (chosen_ == kCaller || parties_[chosen_]->connected)) return;
    Arm(Deadline::kGrace, now + context_.config.timers.flow_grace);
  }
}

bool Call::IsPeer(const DialogKey& key, const Peer& from) const {
  for (const auto& party : parties_) {
    if (party->dialog.key != key) continue;
    return IsBrowser(party->dialog.peer) ? party->dialog.peer == from : !IsBrowser(from);
  }
  return false;
}

void Call::HandleFlowBound(TimePoint now, const ContactTarget& contact) {
  if (awaited_contact_ && awaited_contact_->token == contact.token && state_ == State::kRouting) {
    // By the URI of this registration: a page that was loaded again answers 404 to the one it had before.
    RingContacts(now, {contact});
    return;
  }
  for (const auto& party : parties_) {
    if (contact.token.empty() || party->token != contact.token) continue;
    party->dialog.peer = WssPeer{contact.flow};
    party->connected = true;
  }
  // Forks that lost may stay away; the two who talk are what counts.
  if (caller().connected && (chosen_ == kCaller || parties_[chosen_]->connected)) Disarm(Deadline::kGrace);
}

std::optional<TimePoint> Call::NextTimeout() const {
  std::optional<TimePoint> next;
  for (const auto& deadline : deadlines_)
    if (deadline && (!next || *deadline < *next)) next = deadline;
  return next;
}

void Call::HandleTimeout(TimePoint now) {
  const auto expired = [&](Deadline deadline) {
    auto& at = deadlines_[size_t(deadline)];
    if (!at || *at > now) return false;
    at.reset();
    return true;
  };
  if (expired(Deadline::kTeardown)) return AnswerPendingRelays();  // done() is true now
  if (expired(Deadline::kContact)) {
    ++context_.counters.unavailable;
    FailCaller(now, 480, "Temporarily Unavailable");
  } else if (expired(Deadline::kNoAnswer)) {
    ++context_.counters.calls_no_answer;
    FailCaller(now, 408, "Request Timeout");
  } else if (expired(Deadline::kAuthReserve)) {
    BeginEnding(now);
  } else if (expired(Deadline::kGrace)) {
    ++context_.counters.calls_flow_lost;
    End(now, "SIP;cause=480;text=\"Connection lost\"");
  }
}

}  // namespace linegate::sip
