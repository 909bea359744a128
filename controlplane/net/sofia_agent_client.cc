// Our requests to the trunk, and its responses.
#include <sofia-sip/nta_tag.h>
#include <sofia-sip/su_tag.h>

#include <utility>

#include "controlplane/net/sofia_agent.h"
#include "controlplane/net/sofia_message.h"
#include "controlplane/sip/sip_text.h"

namespace linegate::net {
namespace {

enum class Transport : uint8_t { kUdp, kTcp };

std::string RouteTo(const Endpoint& next_hop, Transport transport) {
  return "sip:" + next_hop.ToString() + (transport == Transport::kTcp ? ";transport=tcp" : ";transport=udp");
}
Transport TransportFor(const sip::TrunkPeer& peer) {
  return peer.prefer_tcp ? Transport::kTcp : Transport::kUdp;
}

/// What the request went by in the end: nta moves large ones to TCP.
Transport TransportUsed(nta_outgoing_t* outgoing) {
  const SofiaMessage request(nta_outgoing_getrequest(outgoing));
  const sip_t* const parsed = request ? sip_object(request.get()) : nullptr;
  const bool tcp = parsed != nullptr && parsed->sip_via != nullptr &&
                   std::string_view(parsed->sip_via->v_protocol).ends_with("/TCP");
  return tcp ? Transport::kTcp : Transport::kUdp;
}

std::string_view ToTag(const sip::Message& message) {
  return sip::GetTag(message.Get("To").value_or("")).value_or(std::string_view());
}

}  // namespace

void SofiaAgent::Send(const sip::SendRequest& action) {
  const auto* peer = std::get_if<sip::TrunkPeer>(&action.to);
  if (peer == nullptr) return;
  if (action.request.method == "ACK") {
    RememberAck(action.request);
    return SendAck(*peer, action.request);
  }
  const auto fail = [this, &action] {
    ++counters_.transport_failures;
    emit_(sip::ClientTransactionFailed{action.transaction, sip::FailureReason::kTransport});
  };
  if (clients_.size() >= options_.max_transactions) {
    ++counters_.over_limit;
    return fail();
  }
  SofiaMessage message = ToSofia(sip::Serialise(action.request, {}));
  if (!message) {
    ++counters_.unsendable;
    return fail();
  }
  const std::string route = RouteTo(peer->next_hop, TransportFor(*peer));
  nta_outgoing_t* const outgoing = nta_outgoing_mcreate(
      agent_, OnResponse, this, URL_STRING_MAKE(route.c_str()), message.get(), TAG_END());
  if (outgoing == nullptr) return fail();
  (void)message.release();  // nta's now
  const Handle handle = next_handle_++;
  outgoing_[outgoing] = handle;
  client_ids_[action.transaction] = handle;
  Client& client = clients_[handle];
  client.outgoing = outgoing;
  client.id = action.transaction;
  client.to = *peer;
  client.request = action.request;
  client.request.body.clear();
  if (client.invite()) client.identity = sip::InviteIdentity(action.request);
}

int SofiaAgent::OnResponse(SofiaAgent* self, nta_outgoing_t* outgoing, const sip_t* response) {
  const auto found = self->outgoing_.find(outgoing);
  if (found != self->outgoing_.end()) {
    self->HandleResponse(found->second, self->clients_.at(found->second), response);
  }
  return 0;
}

void SofiaAgent::HandleResponse(Handle handle, Client& client, const sip_t* response) {
  const SofiaMessage message(nta_outgoing_getresponse(client.outgoing));
  const int status = nta_outgoing_status(client.outgoing);
  // nta reports time-outs and transport errors as responses of its own making.
  if (response == nullptr || !message || nta_msg_is_internal(message.get()) != 0) {
    return HandleFailure(handle, client, status);
  }
  ++counters_.responses_received;
  sip::ParseResult parsed = FromSofia(*response, limits_);
  if (!parsed) {
    ++counters_.refused;
    // An unsound final response still ends the transaction; what it said is lost.
    if (status >= 200) HandleFailure(handle, client, 503);
    return;
  }
  sip::Message received = std::move(parsed->message);
  if (received.status < 200) {
    client.proceeding = true;
    if (client.cancel_wanted) SendCancel(handle, client);
    if (received.status != 100) emit_(sip::ResponseReceived{client.id, client.to, std::move(received)});
    return;
  }
  if (client.invite() && received.status < 300) return HandleSuccess(handle, client, std::move(received));
  if (client.accepted.empty()) emit_(sip::ResponseReceived{client.id, client.to, std::move(received)});
  EndClient(handle);
}

void SofiaAgent::HandleSuccess(Handle handle, Client& client, sip::Message response) {
  const std::string tag(ToTag(response));
  if (const auto known = client.accepted.find(tag); known != client.accepted.end()) {
    if (known->second) SendAck(client.to, *known->second);  // RFC 3261 section 13.2.2.4
    return;
  }
  constexpr size_t kMaxForks = 16;
  if (client.accepted.size() >= kMaxForks) return;
  client.accepted.emplace(tag, std::nullopt);
  if (client.accepted.size() == 1) SetTimer(handle, client, MonotonicNow() + SixtyFourT1());  // timer M
  emit_(sip::ResponseReceived{client.id, client.to, std::move(response)});
}

void SofiaAgent::HandleFailure(Handle handle, Client& client, int status) {
  const bool timeout = status == 408;
  ++(timeout ? counters_.client_timeouts : counters_.transport_failures);
  if (client.accepted.empty()) {
    emit_(sip::ClientTransactionFailed{
        client.id, timeout ? sip::FailureReason::kTimeout : sip::FailureReason::kTransport});
  }
  EndClient(handle);
}

void SofiaAgent::RememberAck(const sip::Message& ack) {
  const std::string identity = sip::InviteIdentity(ack);
  const std::string_view tag = ToTag(ack);
  for (auto& [handle, client] : clients_) {
    if (client.identity != identity) continue;
    if (const auto known = client.accepted.find(tag); known != client.accepted.end()) known->second = ack;
  }
}

void SofiaAgent::SendAck(const sip::TrunkPeer& to, const sip::Message& ack) {
  SofiaMessage message = ToSofia(sip::Serialise(ack, {}));
  if (!message) {
    ++counters_.unsendable;
    return;
  }
  // Stateless and without a callback: nta forgets it once sent, or returns null and leaves the message to us.
  const std::string route = RouteTo(to.next_hop, TransportFor(to));
  if (nta_outgoing_mcreate(agent_, nullptr, nullptr, URL_STRING_MAKE(route.c_str()), message.get(),
                           NTATAG_STATELESS(1), TAG_END()) != nullptr) {
    (void)message.release();
  }
}

void SofiaAgent::Cancel(const sip::CancelRequest& action) {
  const auto found = client_ids_.find(action.transaction);
  if (found == client_ids_.end()) return;
  Client& client = clients_.at(found->second);
  if (!client.invite() || !client.accepted.empty()) return;
  client.cancel_wanted = true;
  if (client.proceeding) SendCancel(found->second, client);
}

void SofiaAgent::SendCancel(Handle handle, Client& client) {
  if (std::exchange(client.cancel_sent, true)) return;
  const sip::Message cancel =
      sip::MakeCompanion(client.request, "CANCEL", client.request.Get("To").value_or(""));
  SofiaMessage message = ToSofia(sip::Serialise(cancel, {}));
  const std::string route = RouteTo(client.to.next_hop, TransportUsed(client.outgoing));
  nta_outgoing_t* const outgoing =
      !message ? nullptr
               : nta_outgoing_mcreate(agent_, OnResponse, this, URL_STRING_MAKE(route.c_str()), message.get(),
                                      NTATAG_BRANCH_KEY(nta_outgoing_branch(client.outgoing)), TAG_END());
  if (outgoing != nullptr) {
    (void)message.release();
    nta_outgoing_destroy(outgoing);  // it lives until its final response; nobody needs to hear of it
  }
  SetTimer(handle, client, MonotonicNow() + SixtyFourT1());
}

void SofiaAgent::EndClient(Handle handle) {
  const auto found = clients_.find(handle);
  SetTimer(handle, found->second, std::nullopt);
  outgoing_.erase(found->second.outgoing);
  client_ids_.erase(found->second.id);
  nta_outgoing_destroy(found->second.outgoing);
  clients_.erase(found);
}

}  // namespace linegate::net
