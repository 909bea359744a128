#include "controlplane/sip/registration_desk.h"

#include <utility>

#include "controlplane/sip/sip_text.h"

namespace linegate::sip {

RegistrationDesk::RegistrationDesk(SignallingContext& context, const Router& router, AuthGate& gate,
                                   registrar::BindingStore& store, registrar::FlowRegistry& flows)
    : context_(context),
      router_(router),
      gate_(gate),
      store_(store),
      flows_(flows),
      registrar_(context.config.registration, store, context.identity),
      relay_(context.config.registration, store, context.identity,
             context.config.trunk_local.value_or(Endpoint{})) {}

std::vector<RegistrationDesk::Bound> RegistrationDesk::HandleRegister(TimePoint now,
                                                                      const RequestReceived& event) {
  const auto* browser = std::get_if<WssPeer>(&event.from);
  if (browser == nullptr) {
    ++context_.counters.forbidden;
    context_.Refuse(event.transaction, event.request, 405, "Method Not Allowed",
                    {{"Allow", std::string(kAllow)}});
    return {};
  }
  const auto to = ParseNameAddr(event.request.Get("To").value_or(""));
  const auto uri = to ? ParseUri(to->uri) : std::nullopt;
  const DomainConfig* domain = uri && uri->is_sip() ? router_.FindDomain(uri->host) : nullptr;
  if (domain == nullptr) {
    ++context_.counters.forbidden;
    context_.Refuse(event.transaction, event.request, 403, "Unknown Domain");
    return {};
  }
  if (domain->mode == DomainMode::kRelay) {
    Relay(now, event, browser->flow);
    return {};
  }
  const auto user = gate_.Authenticate(now, event, *domain, AuthGate::Role::kRegistrar);
  if (!user) return {};
  if (*user != uri->user) {  // mission section 6: another user's AOR
    ++context_.counters.forbidden;
    context_.Refuse(event.transaction, event.request, 403, "Not Your Address");
    return {};
  }
  ++context_.counters.registers_local;
  return Conclude(event.transaction, browser->flow,
                  registrar_.Register(now, event.request, context_.MakeTag()));
}

void RegistrationDesk::Relay(TimePoint now, const RequestReceived& event, FlowToken flow) {
  if (!context_.config.sip_server || !context_.config.trunk_local) {
    ++context_.counters.no_sip_server;
    return context_.Refuse(event.transaction, event.request, 503, "No SIP Server");
  }
  if (pending_.size() >= context_.config.limits.max_relayed_requests) {
    ++context_.counters.over_limit;
    return context_.Refuse(event.transaction, event.request, 503, "Too Many Requests",
                           {{"Retry-After", "5"}});
  }
  auto forwarded = relay_.Forward(now, event.request);
  if (!forwarded) {
    ++context_.counters.registers_refused;
    return context_.Respond(event.transaction,
                            registrar::RefusalResponse(event.request, forwarded.error(), context_.MakeTag()));
  }
  ++context_.counters.registers_relayed;
  const ClientTransactionId client = context_.Send(TrunkPeer{*context_.config.sip_server},
                                                   std::move(forwarded->request), RegistrationOwner{});
  pending_.emplace(client, Pending{event.transaction, flow, event.request, std::move(forwarded->pending)});
}

std::vector<RegistrationDesk::Bound> RegistrationDesk::HandleResponse(TimePoint now,
                                                                      ClientTransactionId transaction,
                                                                      const Message& response) {
  if (response.status < 200) return {};
  const auto found = pending_.find(transaction);
  if (found == pending_.end()) return {};
  const Pending pending = std::move(found->second);
  pending_.erase(found);
  context_.Forget(transaction);
  return Conclude(pending.server, pending.flow,
                  relay_.Return(now, pending.request, pending.read, response, context_.MakeTag()));
}

std::vector<RegistrationDesk::Bound> RegistrationDesk::HandleFailure(TimePoint now,
                                                                     ClientTransactionId transaction,
                                                                     FailureReason reason) {
  Message response;
  response.status = reason == FailureReason::kTimeout ? 408 : 503;
  response.reason = reason == FailureReason::kTimeout ? "Request Timeout" : "Service Unavailable";
  return HandleResponse(now, transaction, response);
}

std::vector<RegistrationDesk::Bound> RegistrationDesk::Conclude(ServerTransactionId server,
                                                                std::optional<FlowToken> flow,
                                                                registrar::RegisterOutcome outcome) {
  if (outcome.response.status >= 400 && outcome.response.status != 401 && outcome.response.status != 407)
    ++context_.counters.registers_refused;
  context_.Respond(server, std::move(outcome.response));
  for (const std::string& token : outcome.removed) flows_.Unbind(token);
  std::vector<Bound> bound;
  if (!flow) return bound;
  for (std::string& token : outcome.bound) {
    flows_.Bind(token, *flow);
    bound.push_back({std::move(token), *flow});
  }
  return bound;
}

void RegistrationDesk::HandleFlowClosed(FlowToken flow) {
  flows_.DropFlow(flow);
  for (auto& [transaction, pending] : pending_)
    if (pending.flow == flow) pending.flow.reset();
}

void RegistrationDesk::Sweep(TimePoint now) {
  for (const std::string& token : store_.RemoveExpired(now)) {
    ++context_.counters.bindings_expired;
    flows_.Unbind(token);
  }
}

}  // namespace linegate::sip
