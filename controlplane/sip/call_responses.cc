#include <algorithm>

#include "controlplane/sip/call.h"
#include "controlplane/sip/sip_text.h"

/// Responses to the INVITEs of the branches (RFC 3261 section 13.2.2 on one side, 13.3.1 on the other).
namespace linegate::sip {
namespace {

Message Failure(int status, std::string_view reason) {
  Message response;
  response.status = status;
  response.reason = reason;
  return response;
}

bool IsChallenge(const Message& response) { return response.status == 401 || response.status == 407; }

/// RFC 3261 section 16.7 step 6: smaller is better. A 6xx wins, then the lowest class, within 4xx those that
/// the caller can act upon.
int Badness(int status) {
  if (status >= 600) return 0;
  const bool actionable = status == 401 || status == 407 || status == 415 || status == 420 || status == 484;
  return status / 100 * 10 + (actionable ? 0 : 1);
}

}  // namespace

void Call::HandleResponse(TimePoint now, ClientTransactionId transaction, const Message& response) {
  for (size_t i = 0; i < branches_.size(); ++i)
    if (branches_[i].transaction == transaction) return HandleBranchResponse(now, i, response);
  for (size_t i = 0; i < relays_.size(); ++i)
    if (relays_[i].client == transaction) return HandleRelayResponse(now, i, response);
  for (const AckWait& wait : ack_waits_)  // a repeated 2xx to a re-INVITE: its ACK was lost
    if (wait.client == transaction && wait.ack && response.status >= 200)
      context_.SendAck(parties_[wait.to]->dialog.NextHop(), *wait.ack);
  if (response.status >= 200 && std::erase(own_byes_, transaction) > 0) context_.Forget(transaction);
}

void Call::HandleFailure(TimePoint now, ClientTransactionId transaction, FailureReason reason) {
  Message response = reason == FailureReason::kTimeout ? Failure(408, "Request Timeout")
                                                       : Failure(503, "Service Unavailable");
  for (const Branch& branch : branches_) {
    // A browser whose connection broke is away; the SIP Server that cannot be reached is a failure of the
    // service.
    if (branch.transaction == transaction && IsBrowser(branch.peer))
      response = Failure(480, "Temporarily Unavailable");
    if (branch.transaction == transaction && branch.state == Branch::State::kAnswered) return;
  }
  HandleResponse(now, transaction, response);
}

void Call::HandleBranchResponse(TimePoint now, size_t index, const Message& response) {
  if (response.status < 300) proven_ = true;
  if (response.status < 200)
    HandleProvisional(now, index, response);
  else if (response.status < 300)
    HandleAnswer(now, index, response);
  else
    HandleRejection(now, index, response);
}

std::optional<Call::PartyIndex> Call::FindOrAddCallee(size_t index, const Message& response) {
  const std::string tag(GetTag(response.Get("To").value_or("")).value_or(""));
  if (tag.empty()) return std::nullopt;
  Branch& branch = branches_[index];
  for (const PartyIndex known : branch.parties) {
    if (parties_[known]->dialog.key.remote_tag != tag) continue;
    if (response.Has("Contact")) parties_[known]->dialog.RefreshTarget(response);
    // Section 12.1.2 and 13.2.2.4: the route set of a 2xx replaces that of the early dialog.
    if (response.status >= 200)
      parties_[known]->dialog.route_set = MakeUacDialog(branch.invite, response, branch.peer).route_set;
    return known;
  }
  if (branch.parties.size() >= context_.config.limits.max_forks_per_branch) return std::nullopt;
  Party party;
  party.dialog = MakeUacDialog(branch.invite, response, branch.peer);
  party.leg = branch.leg;
  party.branch = index;
  party.token = branch.token;
  const PartyIndex added = AddParty(std::move(party));
  branch.parties.push_back(added);
  return added;
}

Message Call::CallerResponse(const Message& response) const {
  const Party& caller = *parties_[kCaller];
  Message out = MakeResponse(invite_, response.status, response.reason, caller.dialog.key.local_tag);
  if (response.status < 300) {
    // Section 12.1.1: the route back through the proxies that the caller's request passed.
    for (const std::string_view route : invite_.GetAll("Record-Route"))
      out.Add("Record-Route", std::string(route));
    out.Add("Contact", context_.ContactTowards(caller.dialog.peer, contact_user_));
  } else if (response.status < 400) {
    for (const std::string_view contact : response.GetAll("Contact"))
      out.Add("Contact", std::string(contact));
  }
  CopyHeaders(response, out, Credentials::kCross);
  return out;
}

void Call::HandleProvisional(TimePoint now, size_t index, const Message& response) {
  if (state_ != State::kRinging || branches_[index].state != Branch::State::kPending) return;
  const auto callee = FindOrAddCallee(index, response);
  Message out = CallerResponse(response);
  if (!callee) {
    RemoveBody(out);
    context_.Respond(invite_transaction_, std::move(out));
    return;
  }
  if (answering_party_ == kCaller) Choose(*callee);
  if (const auto passed = PassInviteBody(*callee, response, out); !passed) {
    FailMedia(now, passed.error());
    return;
  }
  NumberReliable(response, *callee, out);
  context_.Respond(invite_transaction_, std::move(out));
}

void Call::NumberReliable(const Message& response, PartyIndex callee, Message& out) {
  const auto rseq = ParseNumber(response.Get("RSeq").value_or(""), UINT32_MAX);
  if (!rseq) return;
  for (const ReliableResponse& known : reliable_) {
    if (known.party != callee || known.rseq_in != *rseq) continue;
    out.Add("RSeq",
            std::to_string(known.rseq_out));  // repeated because its PRACK was lost: repeated end to end
    return;
  }
  if (reliable_.size() >= context_.config.limits.max_requests_per_call) return;
  reliable_.push_back({uint32_t(*rseq), ++last_rseq_out_, callee});
  out.Add("RSeq", std::to_string(last_rseq_out_));
}

void Call::HandleAnswer(TimePoint now, size_t index, const Message& response) {
  Branch& branch = branches_[index];
  const std::string tag(GetTag(response.Get("To").value_or("")).value_or(""));
  if (branch.state == Branch::State::kAnswered && chosen_ != kCaller && parties_[chosen_]->branch == index &&
      parties_[chosen_]->dialog.key.remote_tag == tag) {
    for (const AckWait& wait : ack_waits_)
      if (wait.client == branch.transaction && wait.ack)
        context_.SendAck(parties_[chosen_]->dialog.NextHop(), *wait.ack);
    return;
  }
  const bool pending = branch.state == Branch::State::kPending;
  branch.state = Branch::State::kAnswered;
  const auto callee = state_ == State::kRinging && pending ? FindOrAddCallee(index, response) : std::nullopt;
  if (!callee) {
    ++context_.counters.late_answers;
    EndUnwanted(branch, response, "SIP;cause=200;text=\"Call completed elsewhere\"");
    if (state_ != State::kRinging || !pending) return;
    branch.state = Branch::State::kFailed;  // no tag, or one fork too many: nothing to build a dialog on
    branch.failure = Failure(502, "Bad Gateway");
    return FailWithBest(now);
  }
  Choose(*callee);
  Message out = CallerResponse(response);
  if (const auto passed = PassInviteBody(*callee, response, out); !passed) {
    EndUnwanted(branch, response, "SIP;cause=488;text=\"Not Acceptable Here\"");
    FailMedia(now, passed.error());
    return;
  }
  Disarm(Deadline::kNoAnswer);
  DropLosers(index);
  ++context_.counters.calls_answered;
  const bool answer_expected = open_offer_ && open_offer_->from == *callee;
  ack_waits_.push_back({invite_transaction_,
                        branch.transaction,
                        kCaller,
                        *callee,
                        InviteCSeq(),
                        InviteCSeq(),
                        answer_expected,
                        {}});
  invite_answered_ = true;
  state_ = State::kAnswered;
  context_.Respond(invite_transaction_, std::move(out));
}

/// Section 13.2.2.4: every 2xx is acknowledged; a dialog that nobody wants is ended at once.
void Call::EndUnwanted(Branch& branch, const Message& response, std::string_view reason) {
  const Dialog dialog = MakeUacDialog(branch.invite, response, branch.peer);
  Message ack = dialog.MakeRequest("ACK", dialog.local_cseq);
  for (const std::string_view name : {"Authorization", "Proxy-Authorization"})
    for (const std::string_view value : branch.invite.GetAll(name)) ack.Add(name, std::string(value));
  context_.SendAck(dialog.NextHop(), std::move(ack));
  const bool repeated = std::find(branch.ended_tags.begin(), branch.ended_tags.end(),
                                  dialog.key.remote_tag) != branch.ended_tags.end();
  if (repeated || branch.ended_tags.size() >= context_.config.limits.max_forks_per_branch) return;
  branch.ended_tags.push_back(dialog.key.remote_tag);
  Message bye = dialog.MakeRequest("BYE", dialog.local_cseq + 1);
  bye.Add("Reason", std::string(reason));
  own_byes_.push_back(context_.Send(dialog.NextHop(), std::move(bye), CallOwner{key_}));
}

void Call::DropLosers(size_t winner) {
  for (size_t i = 0; i < branches_.size(); ++i) {
    Branch& branch = branches_[i];
    for (const PartyIndex party : branch.parties)
      if (party != chosen_) context_.dialogs.Remove(parties_[party]->dialog.key);
    if (i == winner) continue;
    if (branch.state == Branch::State::kPending) {
      branch.state = Branch::State::kCancelled;
      context_.Cancel(branch.transaction);
    }
    CloseBranchLeg(branch);
  }
}

void Call::CloseBranchLeg(Branch& branch) {
  if (branch.leg_open && media_open_) context_.media.CloseLeg(branch.leg);
  branch.leg_open = false;
}

void Call::HandleRejection(TimePoint now, size_t index, const Message& response) {
  Branch& branch = branches_[index];
  if (branch.state == Branch::State::kAnswered || branch.state == Branch::State::kFailed) return;
  const bool cancelled = branch.state == Branch::State::kCancelled;
  context_.Forget(branch.transaction);
  branch.state = Branch::State::kFailed;
  branch.failure = response;
  if (cancelled || state_ != State::kRinging) return;
  const bool early_answer =
      chosen_ != kCaller && answering_party_ == chosen_ && parties_[chosen_]->branch == index;
  if (BodyKindOf(invite_) == BodyKind::kSdp && !early_answer)
    context_.media.RollbackOffer(caller().leg, branch.leg);
  for (const PartyIndex party : branch.parties) {
    context_.dialogs.Remove(parties_[party]->dialog.key);
    if (party == chosen_) chosen_ = kCaller;
  }
  const bool upstream = branches_.size() == 1 && !IsBrowser(branch.peer) && IsBrowser(caller().dialog.peer);
  if (IsChallenge(response) && upstream) {
    HandleChallenge(now, response);
  } else if (response.status >= 600) {
    CancelBranches();  // section 16.7 step 5: nobody else shall ring
    FailWithBest(now);
  } else {
    FailWithBest(now);
  }
}

/// 401 and 407 belong to the browser (mission A2, GD1): the call keeps its ports and ICE credentials for the
/// retry.
void Call::HandleChallenge(TimePoint now, const Message& response) {
  ++context_.counters.calls_challenged;
  Message out = CallerResponse(response);
  if (!invite_.body.empty()) RemoveAuthInt(out);
  if (BodyKindOf(response) == BodyKind::kOther)
    out.body = response.body;
  else
    RemoveBody(out);
  invite_answered_ = true;
  AnswerPendingRelays();
  state_ = State::kChallenged;
  open_offer_.reset();
  deadlines_ = {};
  Arm(Deadline::kAuthReserve, now + context_.config.timers.auth_reserve);
  context_.Respond(invite_transaction_, std::move(out));
}

void Call::FailWithBest(TimePoint now) {
  const Branch* best = nullptr;
  for (const Branch& branch : branches_) {
    if (branch.state == Branch::State::kPending) return;
    if (branch.state != Branch::State::kFailed) continue;
    if (best == nullptr || Badness(branch.failure.status) < Badness(best->failure.status)) best = &branch;
  }
  if (best == nullptr || state_ != State::kRinging) return;
  ++context_.counters.calls_failed;
  Message out = CallerResponse(best->failure);
  if (!invite_.body.empty() && IsChallenge(best->failure)) RemoveAuthInt(out);
  if (BodyKindOf(best->failure) == BodyKind::kOther)
    out.body = best->failure.body;
  else
    RemoveBody(out);
  invite_answered_ = true;
  context_.Respond(invite_transaction_, std::move(out));
  BeginEnding(now);
}

Credentials Call::CredentialsBetween(const Peer& a, const Peer& b) const {
  return IsBrowser(a) && IsBrowser(b) ? Credentials::kStrip : Credentials::kCross;
}

}  // namespace linegate::sip
