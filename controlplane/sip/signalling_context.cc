#include "controlplane/sip/signalling_context.h"

#include <utility>

namespace linegate::sip {

ClientTransactionId SignallingContext::Send(const Peer& to, Message request, TransactionOwner owner) {
  const ClientTransactionId transaction(++last_transaction_);
  owners_.emplace(transaction, owner);
  actions_.push_back(SendRequest{transaction, to, std::move(request)});
  return transaction;
}

void SignallingContext::SendAck(const Peer& to, Message ack) {
  actions_.push_back(SendRequest{ClientTransactionId(0), to, std::move(ack)});
}

void SignallingContext::Respond(ServerTransactionId transaction, Message response) {
  if (transaction.value() == 0) return;  // an ACK: RFC 3261 section 17.1.1.3, never answered
  actions_.push_back(SendResponse{transaction, std::move(response)});
}

void SignallingContext::Refuse(ServerTransactionId transaction, const Message& request, int status,
                               std::string_view reason, std::vector<HeaderField> headers) {
  Message response = MakeResponse(request, status, reason, MakeTag());
  for (HeaderField& field : headers) response.headers.push_back(std::move(field));
  Respond(transaction, std::move(response));
}

void SignallingContext::Cancel(ClientTransactionId transaction) {
  actions_.push_back(CancelRequest{transaction});
}

void SignallingContext::CloseBrowserFlow(FlowToken flow, uint16_t code) {
  actions_.push_back(CloseFlow{flow, code});
}

std::optional<Action> SignallingContext::PollAction() {
  if (actions_.empty()) return std::nullopt;
  Action action = std::move(actions_.front());
  actions_.pop_front();
  return action;
}

const TransactionOwner* SignallingContext::OwnerOf(ClientTransactionId transaction) const {
  const auto owner = owners_.find(transaction);
  return owner == owners_.end() ? nullptr : &owner->second;
}

void SignallingContext::Forget(ClientTransactionId transaction) { owners_.erase(transaction); }

std::string SignallingContext::ContactTowards(const Peer& peer, std::string_view user) const {
  // RFC 7118 section 5: ";transport=ws" over wss too.
  if (IsBrowser(peer)) return "<sip:linegate@" + config.web_host + ";transport=ws>";
  return "<sip:" + std::string(user) + "@" + config.trunk_local.value_or(Endpoint{}).ToString() + ">";
}

}  // namespace linegate::sip
