#include "controlplane/sip/b2bua.h"

#include <type_traits>
#include <utility>

#include "controlplane/sip/auth_gate.h"
#include "controlplane/sip/call_directory.h"
#include "controlplane/sip/registration_desk.h"
#include "controlplane/sip/request_check.h"
#include "controlplane/sip/request_relay.h"
#include "controlplane/sip/routing.h"
#include "controlplane/sip/signalling_context.h"
#include "controlplane/sip/sip_text.h"

namespace linegate::sip {
namespace {

constexpr Duration kSweepInterval = std::chrono::seconds(10);

}  // namespace

class B2bua::Core {
 public:
  Core(B2buaConfig config, MediaBroker& media, registrar::BindingStore& bindings, const HashFunctions& hashes,
       Rng& rng)
      : config_(std::move(config)),
        bindings_(bindings),
        context_(config_, media, hashes, rng),
        router_(config_, bindings, flows_),
        gate_(context_, hashes),
        desk_(context_, router_, gate_, bindings, flows_),
        requests_(context_),
        calls_(config_.limits) {}

  void Handle(TimePoint now, const Event& event) {
    if (!next_sweep_) next_sweep_ = now + kSweepInterval;
    std::visit([&](const auto& alternative) { On(now, alternative); }, event);
  }
  void HandleTimeout(TimePoint now);
  std::optional<TimePoint> NextTimeout() const;
  void EndCall(TimePoint now, CallId media);
  void Shutdown(TimePoint now);

  SignallingContext& context() { return context_; }
  const SignallingContext& context() const { return context_; }
  const CallDirectory& calls() const { return calls_; }
  std::vector<RegistrationSummary> Registrations(TimePoint now) const;

 private:
  void On(TimePoint now, const RequestReceived& event);
  void On(TimePoint now, const CancelReceived& event);
  void On(TimePoint now, const ResponseReceived& event);
  void On(TimePoint now, const ClientTransactionFailed& event);
  void On(TimePoint now, const AckTimedOut& event);
  void On(TimePoint, const FlowOpened&) {}
  void On(TimePoint now, const FlowClosed& event);

  void HandleInDialog(TimePoint now, const RequestReceived& event);
  void HandleOutOfDialog(TimePoint now, const RequestReceived& event);
  void HandleInvite(TimePoint now, const RequestReceived& event, const Route& route);
  bool HasRoomFor(TimePoint now, const RequestReceived& event, bool unproven);
  void PassOn(const RequestReceived& event, const Route& route);
  void AnswerOptions(const RequestReceived& event);
  void ApplyBindings(TimePoint now, const std::vector<RegistrationDesk::Bound>& bound);
  bool Authorized(TimePoint now, const RequestReceived& event);
  /// Registration of the From user on this connection, empty without one.
  std::string CallerToken(TimePoint now, const RequestReceived& event) const;

  const B2buaConfig config_;
  registrar::BindingStore& bindings_;
  registrar::FlowRegistry flows_;
  SignallingContext context_;
  Router router_;
  AuthGate gate_;
  RegistrationDesk desk_;
  RequestRelay requests_;
  CallDirectory calls_;
  uint64_t last_call_ = 0;
  bool shutting_down_ = false;
  std::optional<TimePoint> next_sweep_;
};

void B2bua::Core::On(TimePoint now, const RequestReceived& event) {
  const Message& request = event.request;
  if (const auto defect = FindDefect(request, config_.limits)) {
    ++(context_.counters.*(defect->counter));
    return context_.Refuse(event.transaction, request, defect->status, defect->reason);
  }
  if (request.method == "ACK") return HandleInDialog(now, event);
  if (ParseNumber(request.Get("Max-Forwards").value_or("70"), 255) == uint64_t{0}) {
    ++context_.counters.max_forwards;
    return context_.Refuse(event.transaction, request, 483, "Too Many Hops");
  }
  // RFC 3261 section 20.29: what a proxy in our place would have to support.
  if (const auto required = ListValues(request, "Proxy-Require"); !required.empty()) {
    ++context_.counters.bad_extension;
    std::string unsupported;
    for (const std::string_view option : required)
      unsupported.append(unsupported.empty() ? "" : ", ").append(option);
    return context_.Refuse(event.transaction, request, 420, "Bad Extension",
                           {{"Unsupported", std::move(unsupported)}});
  }
  if (request.method == "REGISTER") return ApplyBindings(now, desk_.HandleRegister(now, event));
  if (GetTag(*request.Get("To"))) return HandleInDialog(now, event);
  HandleOutOfDialog(now, event);
}

void B2bua::Core::HandleInDialog(TimePoint now, const RequestReceived& event) {
  const DialogKey key = KeyOfRequest(event.request);
  const DialogTable::Entry* entry = context_.dialogs.Find(key);
  Call* call = entry == nullptr ? nullptr : calls_.Find(entry->call);
  if (call == nullptr) {
    if (event.request.method == "ACK") return;
    ++context_.counters.unknown_dialog;
    return context_.Refuse(event.transaction, event.request, 481, "Call/Transaction Does Not Exist");
  }
  const CallKey call_key = call->key();
  if (!call->IsPeer(key, event.from)) {
    // The names are right but the connection is not the user's: not a word more than to a stranger.
    ++context_.counters.foreign_flow;
    if (event.request.method == "ACK") return;
    return context_.Refuse(event.transaction, event.request, 481, "Call/Transaction Does Not Exist");
  }
  call->HandleRequest(now, key, event);
  calls_.Update(call_key);
}

bool B2bua::Core::Authorized(TimePoint now, const RequestReceived& event) {
  if (!IsBrowser(event.from)) return true;
  const DomainConfig* home = router_.HomeDomain(event.request);
  if (home == nullptr || home->mode == DomainMode::kRelay)
    return true;  // the router refuses, or the SIP Server challenges
  const auto user = gate_.Authenticate(now, event, *home, AuthGate::Role::kProxy);
  if (!user) return false;
  const auto from = ParseNameAddr(*event.request.Get("From"));
  const auto uri = ParseUri(from->uri);
  if (uri && uri->user == *user) return true;
  ++context_.counters.forbidden;
  context_.Refuse(event.transaction, event.request, 403, "Not Your Address");
  return false;
}

void B2bua::Core::HandleOutOfDialog(TimePoint now, const RequestReceived& event) {
  const std::string& method = event.request.method;
  if (method == "BYE" || method == "UPDATE" || method == "PRACK") {
    ++context_.counters.unknown_dialog;
    return context_.Refuse(event.transaction, event.request, 481, "Call/Transaction Does Not Exist");
  }
  const Route route = router_.Decide(now, event.from, event.request);
  if (std::holds_alternative<RouteToUs>(route)) return AnswerOptions(event);
  if (!Authorized(now, event)) return;  // before any word about who exists
  if (const auto* refused = std::get_if<RouteRefused>(&route)) {
    ++(context_.counters.*(refused->counter));
    return context_.Refuse(event.transaction, event.request, refused->status, refused->reason);
  }
  if (method == "INVITE")
    HandleInvite(now, event, route);
  else
    PassOn(event, route);
}

void B2bua::Core::HandleInvite(TimePoint now, const RequestReceived& event, const Route& route) {
  const auto* browser = std::get_if<WssPeer>(&event.from);
  const DialogKey names = KeyOfRequest(event.request);
  if (BodyKindOf(event.request) == BodyKind::kMultipartWithSdp)
    return context_.Refuse(event.transaction, event.request, 415, "Unsupported Media Type",
                           {{"Accept", "application/sdp"}});
  if (shutting_down_ || !context_.media.IsReady()) {
    ++(shutting_down_ ? context_.counters.shutting_down : context_.counters.media_not_ready);
    return context_.Refuse(event.transaction, event.request, 503,
                           shutting_down_ ? "Shutting Down" : "Media Not Available", {{"Retry-After", "10"}});
  }
  std::optional<CallDirectory::RetryKey> retry_key;
  if (browser != nullptr) {
    retry_key = {browser->flow, names.call_id, names.remote_tag};
    Call* challenged = calls_.FindByRetryKey(*retry_key);
    if (challenged != nullptr && challenged->state() == Call::State::kChallenged) {
      challenged->Retry(now, event);
      return calls_.Update(challenged->key());
    }
  }
  const std::string token = CallerToken(now, event);
  // In a local domain the caller has shown its password by now.
  const bool unproven = browser != nullptr && token.empty() && std::holds_alternative<RouteToTrunk>(route);
  if (!HasRoomFor(now, event, unproven))
    return context_.Refuse(event.transaction, event.request, 503, "Too Many Calls", {{"Retry-After", "10"}});
  ++context_.counters.calls_started;
  const CallKey key(++last_call_);
  Call& call = calls_.Add(std::make_unique<Call>(context_, key, now, event, token), retry_key);
  if (unproven) calls_.unproven().Add(key, browser->flow, event.source.address);
  if (browser != nullptr) calls_.Attach(key, browser->flow);
  calls_.Attach(key, token);
  if (const auto* contacts = std::get_if<RouteToContacts>(&route)) {
    for (const ContactTarget& target : contacts->targets) {
      calls_.Attach(key, target.flow);
      calls_.Attach(key, target.token);
    }
    call.RingContacts(now, contacts->targets);
  } else if (const auto* waiting = std::get_if<RouteWhenConnected>(&route)) {
    calls_.Attach(key, waiting->token);
    call.AwaitContact(now, *waiting);
  } else if (const auto* test = std::get_if<RouteToTestNumber>(&route)) {
    call.AnswerAsTestNumber(now, test->service);
  } else {
    call.RingTrunk(now);
  }
  calls_.Update(key);
}

bool B2bua::Core::HasRoomFor(TimePoint now, const RequestReceived& event, bool unproven) {
  const auto* browser = std::get_if<WssPeer>(&event.from);
  if (calls_.size() >= config_.limits.max_calls ||
      (browser != nullptr && calls_.CountOfFlow(browser->flow) >= config_.limits.max_calls_per_flow)) {
    ++context_.counters.over_limit;
    return false;
  }
  if (!unproven) return true;
  const auto [admitted, evict] = calls_.unproven().Admit(browser->flow, event.source.address);
  if (!admitted) {
    ++context_.counters.unproven_over_limit;
    return false;
  }
  if (Call* oldest = evict ? calls_.Find(*evict) : nullptr) {
    ++context_.counters.unproven_evicted;
    oldest->End(now, {});
    calls_.Update(*evict);
  }
  return true;
}

void B2bua::Core::PassOn(const RequestReceived& event, const Route& route) {
  if (const auto* contacts = std::get_if<RouteToContacts>(&route)) {
    // One copy to the best contact: these requests have one final response, and JsSIP users one active page.
    const ContactTarget& target = contacts->targets.front();
    requests_.Forward(event, {WssPeer{target.flow}, target.contact_uri, target.token, target.token});
  } else if (std::holds_alternative<RouteToTrunk>(route)) {
    const DialogKey names = KeyOfRequest(event.request);
    requests_.Forward(event, {TrunkPeer{*config_.sip_server},
                              event.request.request_uri,
                              {},
                              context_.identity.ContactToken(names.call_id, names.remote_tag)});
  } else if (std::holds_alternative<RouteToTestNumber>(route)) {
    context_.Refuse(event.transaction, event.request, 405, "Method Not Allowed",
                    {{"Allow", "INVITE, ACK, CANCEL, BYE"}});
  } else {
    ++context_.counters.unavailable;
    context_.Refuse(event.transaction, event.request, 480, "Temporarily Unavailable");
  }
}

void B2bua::Core::AnswerOptions(const RequestReceived& event) {
  context_.Refuse(event.transaction, event.request, 200, "OK",
                  {{"Allow", std::string(kAllow)},
                   {"Accept", "application/sdp"},
                   {"Supported", "timer, replaces, 100rel"}});
}

std::string B2bua::Core::CallerToken(TimePoint now, const RequestReceived& event) const {
  const auto* browser = std::get_if<WssPeer>(&event.from);
  const auto* tokens = browser == nullptr ? nullptr : flows_.TokensOf(browser->flow);
  if (tokens == nullptr) return {};
  const auto from = ParseNameAddr(event.request.Get("From").value_or(""));
  const auto aor = from ? registrar::CanonicalAor(from->uri) : std::nullopt;
  for (const std::string& token : *tokens)
    if (const auto binding = bindings_.FindByToken(token, now); binding && binding->aor == aor) return token;
  return {};
}

void B2bua::Core::ApplyBindings(TimePoint now, const std::vector<RegistrationDesk::Bound>& bound) {
  for (const RegistrationDesk::Bound& binding : bound) {
    const auto stored = bindings_.FindByToken(binding.token, now);
    if (!stored) continue;
    const ContactTarget contact{binding.token, stored->contact_uri, binding.flow};
    for (const CallKey key : calls_.OfToken(binding.token)) {
      Call* call = calls_.Find(key);
      if (call == nullptr) continue;
      calls_.Attach(key, binding.flow);
      call->HandleFlowBound(now, contact);
      calls_.Update(key);
    }
  }
}

void B2bua::Core::On(TimePoint now, const CancelReceived& event) {
  Call* call = calls_.FindByInvite(event.transaction);
  if (call == nullptr) return;
  const CallKey key = call->key();
  call->HandleCancel(now, event.transaction);
  calls_.Update(key);
}

void B2bua::Core::On(TimePoint now, const ResponseReceived& event) {
  const TransactionOwner* owner = context_.OwnerOf(event.transaction);
  if (owner == nullptr) return;
  if (const auto* call_owner = std::get_if<CallOwner>(owner)) {
    const CallKey key = call_owner->call;
    if (Call* call = calls_.Find(key)) call->HandleResponse(now, event.transaction, event.response);
    calls_.Update(key);
  } else if (std::holds_alternative<RegistrationOwner>(*owner)) {
    ApplyBindings(now, desk_.HandleResponse(now, event.transaction, event.response));
  } else {
    requests_.HandleResponse(event.transaction, event.response);
  }
}

void B2bua::Core::On(TimePoint now, const ClientTransactionFailed& event) {
  const TransactionOwner* owner = context_.OwnerOf(event.transaction);
  if (owner == nullptr) return;
  if (const auto* call_owner = std::get_if<CallOwner>(owner)) {
    const CallKey key = call_owner->call;
    if (Call* call = calls_.Find(key)) call->HandleFailure(now, event.transaction, event.reason);
    calls_.Update(key);
  } else if (std::holds_alternative<RegistrationOwner>(*owner)) {
    ApplyBindings(now, desk_.HandleFailure(now, event.transaction, event.reason));
  } else {
    requests_.HandleFailure(event.transaction, event.reason);
  }
}

void B2bua::Core::On(TimePoint now, const AckTimedOut& event) {
  Call* call = calls_.FindByInvite(event.transaction);
  if (call == nullptr) return;
  const CallKey key = call->key();
  call->HandleAckTimeout(now, event.transaction);
  calls_.Update(key);
}

void B2bua::Core::On(TimePoint now, const FlowClosed& event) {
  desk_.HandleFlowClosed(event.flow);
  gate_.HandleFlowClosed(event.flow);
  for (const CallKey key : calls_.OfFlow(event.flow)) {
    if (Call* call = calls_.Find(key)) call->HandleFlowClosed(now, event.flow);
    calls_.Update(key);
  }
}

void B2bua::Core::HandleTimeout(TimePoint now) {
  for (const CallKey key : calls_.Expired(now)) {
    if (Call* call = calls_.Find(key)) call->HandleTimeout(now);
    calls_.Update(key);
  }
  if (next_sweep_ && *next_sweep_ <= now) {
    desk_.Sweep(now);
    next_sweep_ = now + kSweepInterval;
  }
}

std::optional<TimePoint> B2bua::Core::NextTimeout() const {
  std::optional<TimePoint> next = calls_.NextTimeout();
  if (next_sweep_ && bindings_.size() > 0 && (!next || *next_sweep_ < *next)) next = next_sweep_;
  return next;
}

void B2bua::Core::EndCall(TimePoint now, CallId media) {
  Call* call = calls_.FindByMedia(media);
  if (call == nullptr) return;
  const CallKey key = call->key();
  call->End(now, "SIP;cause=503;text=\"Media lost\"");
  calls_.Update(key);
}

void B2bua::Core::Shutdown(TimePoint now) {
  shutting_down_ = true;
  std::vector<CallKey> keys;
  calls_.ForEach([&](const Call& call) { keys.push_back(call.key()); });
  for (const CallKey key : keys) {
    if (Call* call = calls_.Find(key)) call->End(now, "SIP;cause=503;text=\"Shutting down\"");
    calls_.Update(key);
  }
}

std::vector<RegistrationSummary> B2bua::Core::Registrations(TimePoint now) const {
  std::vector<RegistrationSummary> summaries;
  for (const registrar::Binding& binding : bindings_.All(now))
    summaries.push_back({binding.aor, binding.token, binding.expires_at, flows_.FlowOf(binding.token)});
  return summaries;
}

// ---- the public face

B2bua::B2bua(B2buaConfig config, MediaBroker& media, registrar::BindingStore& bindings,
             const HashFunctions& hashes, Rng& rng)
    : core_(std::make_unique<Core>(std::move(config), media, bindings, hashes, rng)) {}
B2bua::~B2bua() = default;

void B2bua::Handle(TimePoint now, const Event& event) { core_->Handle(now, event); }
void B2bua::HandleTimeout(TimePoint now) { core_->HandleTimeout(now); }
std::optional<TimePoint> B2bua::NextTimeout() const { return core_->NextTimeout(); }
std::optional<Action> B2bua::PollAction() { return core_->context().PollAction(); }
void B2bua::EndCall(TimePoint now, CallId call) { core_->EndCall(now, call); }
void B2bua::Shutdown(TimePoint now) { core_->Shutdown(now); }
const B2buaCounters& B2bua::counters() const { return core_->context().counters; }
size_t B2bua::call_count() const { return core_->calls().size(); }
std::vector<RegistrationSummary> B2bua::Registrations(TimePoint now) const {
  return core_->Registrations(now);
}

std::vector<CallSummary> B2bua::Calls() const {
  std::vector<CallSummary> summaries;
  core_->calls().ForEach([&](const Call& call) {
    const Message& invite = call.invite();
    const auto from = ParseNameAddr(invite.Get("From").value_or(""));
    summaries.push_back({call.media(), std::string(from ? from->uri : std::string_view()), invite.request_uri,
                         std::string(ToString(call.state())), std::string(invite.Get("Call-ID").value_or("")),
                         call.started_at()});
  });
  return summaries;
}

}  // namespace linegate::sip
