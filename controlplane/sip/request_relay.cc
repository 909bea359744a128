#include "controlplane/sip/request_relay.h"

#include <utility>

#include "controlplane/sip/call.h"
#include "controlplane/sip/sip_text.h"

namespace linegate::sip {

void RequestRelay::Forward(const RequestReceived& event, const Target& target) {
  const Message& in = event.request;
  if (pending_.size() >= context_.config.limits.max_relayed_requests) {
    ++context_.counters.over_limit;
    return context_.Refuse(event.transaction, in, 503, "Too Many Requests", {{"Retry-After", "5"}});
  }
  const DialogKey key = KeyOfRequest(in);
  Message out;
  out.method = in.method;
  out.request_uri = target.request_uri;
  out.Add("Max-Forwards", NextMaxForwards(in));
  out.Add("From",
          SetParam(*in.Get("From"), "tag", context_.identity.Tag(key.call_id, key.remote_tag, target.token)));
  out.Add("To", std::string(*in.Get("To")));
  out.Add("Call-ID", context_.identity.CallId(key.call_id));
  out.Add("CSeq", std::string(*in.Get("CSeq")));
  if (in.Has("Contact")) out.Add("Contact", context_.ContactTowards(target.peer, target.contact_user));
  const bool local = IsBrowser(event.from) && IsBrowser(target.peer);
  CopyHeaders(in, out, local ? Credentials::kStrip : Credentials::kCross);
  TranslateReferences(in, out, context_.dialogs);
  // SDP outside a call describes capabilities and addresses of the other side: it stays there.
  if (BodyKindOf(in) == BodyKind::kOther)
    out.body = in.body;
  else
    RemoveBody(out);
  ++context_.counters.requests_out_of_dialog;
  const ClientTransactionId client = context_.Send(target.peer, std::move(out), RequestRelayOwner{});
  pending_.emplace(client, Pending{event.transaction, event.from, in, target.contact_user});
}

void RequestRelay::HandleResponse(ClientTransactionId transaction, const Message& response) {
  if (response.status < 200) return;  // RFC 4320: provisional responses to non-INVITE requests help nobody
  const auto found = pending_.find(transaction);
  if (found == pending_.end()) return;
  const Pending pending = std::move(found->second);
  pending_.erase(found);
  context_.Forget(transaction);
  Message out = MakeResponse(pending.request, response.status, response.reason, context_.MakeTag());
  if (response.status >= 300 && response.status < 400) {
    for (const std::string_view contact : response.GetAll("Contact"))
      out.Add("Contact", std::string(contact));
  } else if (response.Has("Contact")) {
    out.Add("Contact", context_.ContactTowards(pending.from, pending.contact_user));
  }
  CopyHeaders(response, out, Credentials::kCross);
  if (!pending.request.body.empty() && (response.status == 401 || response.status == 407)) RemoveAuthInt(out);
  if (BodyKindOf(response) == BodyKind::kOther)
    out.body = response.body;
  else
    RemoveBody(out);
  context_.Respond(pending.server, std::move(out));
}

void RequestRelay::HandleFailure(ClientTransactionId transaction, FailureReason reason) {
  Message response;
  response.status = reason == FailureReason::kTimeout ? 408 : 503;
  response.reason = reason == FailureReason::kTimeout ? "Request Timeout" : "Service Unavailable";
  HandleResponse(transaction, response);
}

}  // namespace linegate::sip
