#pragma once
#include <map>
#include <string>
#include <vector>

#include "controlplane/registrar/flow_registry.h"
#include "controlplane/registrar/registration_relay.h"
#include "controlplane/sip/auth_gate.h"
#include "controlplane/sip/routing.h"

namespace linegate::sip {

/// Every REGISTER: to the embedded registrar for local domains, to the SIP Server for relayed ones; keeps
/// which connection each binding is reached over.
class RegistrationDesk {
 public:
  RegistrationDesk(SignallingContext& context, const Router& router, AuthGate& gate,
                   registrar::BindingStore& store, registrar::FlowRegistry& flows);

  /// A binding that is reached over `flow` since this event.
  struct Bound {
    std::string token;
    FlowToken flow;
  };
  std::vector<Bound> HandleRegister(TimePoint now, const RequestReceived& event);
  std::vector<Bound> HandleResponse(TimePoint now, ClientTransactionId transaction, const Message& response);
  std::vector<Bound> HandleFailure(TimePoint now, ClientTransactionId transaction, FailureReason reason);
  void HandleFlowClosed(FlowToken flow);
  /// Drops expired bindings.
  void Sweep(TimePoint now);

 private:
  struct Pending {
    ServerTransactionId server;
    std::optional<FlowToken> flow;  ///< nullopt: closed meanwhile
    Message request;
    registrar::RegisterRequest read;
  };
  std::vector<Bound> Conclude(ServerTransactionId server, std::optional<FlowToken> flow,
                              registrar::RegisterOutcome outcome);
  void Relay(TimePoint now, const RequestReceived& event, FlowToken flow);

  SignallingContext& context_;
  const Router& router_;
  AuthGate& gate_;
  registrar::BindingStore& store_;
  registrar::FlowRegistry& flows_;
  registrar::Registrar registrar_;
  registrar::RegistrationRelay relay_;
  std::map<ClientTransactionId, Pending> pending_;
};

}  // namespace linegate::sip
