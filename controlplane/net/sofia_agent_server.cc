// Requests from the trunk, and our responses.
#include <sofia-sip/msg_addr.h>
#include <sofia-sip/nta_tag.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/sip_tag.h>
#include <sofia-sip/su_tag.h>

#include <algorithm>
#include <utility>

#include "controlplane/net/sofia_agent.h"
#include "controlplane/net/sofia_message.h"
#include "controlplane/sip/sip_text.h"

namespace linegate::net {
namespace {

Endpoint EndpointOf(const su_sockaddr_t& address) {
  Endpoint endpoint;
  endpoint.port = ntohs(address.su_port);
  if (address.su_family == AF_INET) {
    const auto* bytes = reinterpret_cast<const uint8_t*>(&address.su_sin.sin_addr);
    endpoint.address = IpAddress::V4(std::span<const uint8_t, 4>(bytes, 4));
  } else if (address.su_family == AF_INET6) {
    const auto* bytes = reinterpret_cast<const uint8_t*>(&address.su_sin6.sin6_addr);
    endpoint.address = IpAddress::V6(std::span<const uint8_t, 16>(bytes, 16));
  }
  return endpoint;
}

/// The request as nta keeps it, with its source address.
struct Received {
  SofiaMessage message;
  const sip_t* parsed = nullptr;
  Endpoint source;
  bool tcp = false;
};
Received RequestOf(nta_incoming_t* incoming) {
  Received received;
  received.message.reset(nta_incoming_getrequest(incoming));
  if (!received.message) return received;
  received.parsed = sip_object(received.message.get());
  received.source = EndpointOf(*msg_addr(received.message.get()));
  const sip_via_t* const via = received.parsed->sip_via;
  received.tcp = via != nullptr && std::string_view(via->v_protocol).ends_with("/TCP");
  return received;
}

}  // namespace

int SofiaAgent::OnRequest(SofiaAgent* self, nta_leg_t*, nta_incoming_t* incoming, const sip_t* request) {
  self->HandleRequest(incoming, *request);
  return 0;
}

void SofiaAgent::HandleRequest(nta_incoming_t* incoming, const sip_t& request) {
  ++counters_.requests_received;
  const Received received = RequestOf(incoming);
  const bool ack = request.sip_request->rq_method == sip_method_ack;
  sip::ParseResult parsed = FromSofia(request, limits_);
  if (!parsed) {
    ++counters_.refused;
    if (!ack) nta_incoming_treply(incoming, parsed.error().status, parsed.error().reason.c_str(), TAG_END());
    return nta_incoming_destroy(incoming);
  }
  const sip::TrunkPeer from{received.source, received.tcp};
  if (ack) {
    HandleAck(std::move(parsed->message), from, received.source);
    return nta_incoming_destroy(incoming);
  }
  if (request.sip_request->rq_method == sip_method_cancel) {  // nta found nothing to cancel
    nta_incoming_treply(incoming, SIP_481_NO_TRANSACTION, TAG_END());
    return nta_incoming_destroy(incoming);
  }
  if (servers_.size() >= options_.max_transactions) {
    ++counters_.over_limit;
    nta_incoming_treply(incoming, SIP_503_SERVICE_UNAVAILABLE, SIPTAG_RETRY_AFTER_STR("5"), TAG_END());
    return nta_incoming_destroy(incoming);
  }
  const Handle handle = next_handle_++;
  incoming_[incoming] = handle;
  Server& server = servers_[handle];
  server.incoming = incoming;
  server.method = parsed->message.method;
  server.vias = std::move(parsed->vias);
  nta_incoming_bind(incoming, OnAckOrCancel, this);
  if (server.invite()) {
    server.identity = sip::InviteIdentity(parsed->message);
  } else {
    SetTimer(handle, server, MonotonicNow() + SixtyFourT1());
  }
  emit_(sip::RequestReceived{sip::ServerTransactionId(handle | kTrunkTransactionBit), from, received.source,
                             std::move(parsed->message)});
}

void SofiaAgent::HandleAck(sip::Message ack, sip::TrunkPeer from, Endpoint source) {
  const std::string identity = sip::InviteIdentity(ack);
  const auto to_tag = sip::GetTag(ack.Get("To").value_or("")).value_or("");
  const auto found = std::find_if(servers_.begin(), servers_.end(), [&](const auto& entry) {
    return !entry.second.success.empty() && entry.second.identity == identity &&
           entry.second.to_tag == to_tag;
  });
  if (found != servers_.end()) EndServer(found->first);
  emit_(sip::RequestReceived{sip::ServerTransactionId(0), from, source, std::move(ack)});
}

int SofiaAgent::OnAckOrCancel(SofiaAgent* self, nta_incoming_t* incoming, const sip_t* request) {
  // No request: timer H; ACK: of a failure. Both end what is already forgotten here.
  if (request != nullptr && request->sip_request->rq_method == sip_method_cancel) {
    self->HandleCancel(incoming, *request);
  }
  return 0;
}

void SofiaAgent::HandleCancel(nta_incoming_t* incoming, const sip_t& request) {
  const auto found = incoming_.find(incoming);
  sip::ParseResult parsed = FromSofia(request, limits_);
  if (found == incoming_.end() || !parsed) return;
  emit_(sip::CancelReceived{sip::ServerTransactionId(found->second | kTrunkTransactionBit),
                            std::move(parsed->message)});
}

void SofiaAgent::Respond(const sip::SendResponse& action) {
  const Handle handle = action.transaction.value() & ~kTrunkTransactionBit;
  const auto found = servers_.find(handle);
  if (found == servers_.end()) return;
  Server& server = found->second;
  if (!server.success.empty()) return;  // nothing follows a 2xx
  const int status = action.response.status;
  const auto cseq = sip::ParseCSeq(action.response.Get("CSeq").value_or(""));
  std::string bytes = sip::Serialise(action.response, server.vias);
  const std::string tag(sip::GetTag(action.response.Get("To").value_or("")).value_or(""));
  // For the 200 that nta gives to a CANCEL (RFC 3261 section 9.2); only the first tag counts.
  if (!tag.empty() && nta_incoming_gettag(server.incoming) == nullptr)
    nta_incoming_tag(server.incoming, tag.c_str());
  const bool sent = cseq && cseq->method == server.method && SendReply(server, bytes);
  if (!sent) {
    ++counters_.unsendable;
    if (status >= 200) EndServer(handle);  // nta answers 500
    return;
  }
  if (status < 200) return;
  if (!server.invite() || status >= 300) return EndServer(handle);
  const TimePoint now = MonotonicNow();
  server.success = std::move(bytes);
  server.to_tag = tag;
  server.interval = options_.t1;
  server.give_up_at = now + SixtyFourT1();
  SetTimer(handle, server, now + server.interval);
}

bool SofiaAgent::SendReply(Server& server, const std::string& bytes) {
  SofiaMessage message = ToSofia(bytes);
  return message && nta_incoming_mreply(server.incoming, message.release()) == 0;
}

void SofiaAgent::ServerTimerFired(TimePoint now, Handle handle, Server& server) {
  if (!server.success.empty() && now < server.give_up_at) {  // RFC 3261 section 13.3.1.4
    ++counters_.success_retransmissions;
    SendReply(server, server.success);
    server.interval = std::min<Duration>(2 * server.interval, 8 * Duration(options_.t1));
    return SetTimer(handle, server, std::min(now + server.interval, server.give_up_at));
  }
  if (!server.success.empty()) {
    ++counters_.ack_timeouts;
    emit_(sip::AckTimedOut{sip::ServerTransactionId(handle | kTrunkTransactionBit)});
  }
  EndServer(handle);
}

void SofiaAgent::EndServer(Handle handle) {
  const auto found = servers_.find(handle);
  SetTimer(handle, found->second, std::nullopt);
  incoming_.erase(found->second.incoming);
  nta_incoming_destroy(found->second.incoming);
  servers_.erase(found);
}

}  // namespace linegate::net
