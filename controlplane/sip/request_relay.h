#pragma once
#include <map>
#include <string>
#include <string_view>

#include "controlplane/sip/pass_through.h"
#include "controlplane/sip/signalling_context.h"

namespace linegate::sip {

/// Requests outside dialogs that are neither INVITE nor REGISTER (MESSAGE, OPTIONS, NOTIFY, PUBLISH, unknown
/// ones): passed on once, their final response passed back.
class RequestRelay {
 public:
  explicit RequestRelay(SignallingContext& context) : context_(context) {}

  struct Target {
    Peer peer;
    std::string request_uri;
    std::string token;         ///< of the browser at the far end, empty towards the SIP Server
    std::string contact_user;  ///< of our Contact, when the request has one
  };
  void Forward(const RequestReceived& event, const Target& target);
  void HandleResponse(ClientTransactionId transaction, const Message& response);
  void HandleFailure(ClientTransactionId transaction, FailureReason reason);
  size_t size() const { return pending_.size(); }

 private:
  struct Pending {
    ServerTransactionId server;
    Peer from;
    Message request;
    std::string contact_user;
  };
  SignallingContext& context_;
  std::map<ClientTransactionId, Pending> pending_;
};

}  // namespace linegate::sip
