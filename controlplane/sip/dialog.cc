#include "controlplane/sip/dialog.h"

#include <algorithm>

#include "controlplane/sip/sip_text.h"

namespace linegate::sip {
namespace {

constexpr std::string_view kMaxForwards = "70";

std::string Value(const Message& message, std::string_view name) {
  return std::string(message.Get(name).value_or(""));
}

std::string TagOf(const Message& message, std::string_view name) {
  const auto value = message.Get(name);
  return value ? std::string(GetTag(*value).value_or("")) : std::string();
}

std::vector<std::string> RecordRoutes(const Message& message) {
  std::vector<std::string> routes;
  for (const std::string_view route : ListValues(message, "Record-Route")) routes.emplace_back(route);
  return routes;
}

uint32_t CSeqNumber(const Message& message) {
  const auto cseq = ParseCSeq(message.Get("CSeq").value_or(""));
  return cseq ? cseq->number : 0;
}

/// The transport address a SIP URI names literally.
std::optional<TrunkPeer> PeerOfUri(std::string_view text) {
  const auto uri = ParseUri(text);
  if (!uri || !uri->is_sip()) return std::nullopt;
  std::string_view host = uri->host;
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  const auto address = IpAddress::Parse(host);
  if (!address) return std::nullopt;
  const bool tcp = EqualsIgnoreCase(GetUriParam(text, "transport").value_or(""), "tcp");
  return TrunkPeer{Endpoint{*address, uri->port.value_or(5060)}, tcp};
}

}  // namespace

DialogKey KeyOfRequest(const Message& request) {
  return {Value(request, "Call-ID"), TagOf(request, "To"), TagOf(request, "From")};
}

uint32_t Dialog::TakeCSeq(uint32_t wanted) {
  local_cseq = std::max(wanted, local_cseq + 1);
  return local_cseq;
}

Message Dialog::MakeRequest(std::string_view method, uint32_t cseq) const {
  Message request;
  request.method = method;
  request.request_uri = remote_target;
  std::vector<std::string> routes = route_set;
  if (!routes.empty()) {
    const auto first = ParseNameAddr(routes.front());
    // RFC 3261 section 12.2.1.1: a strict router (no lr) takes the Request-URI, the target moves to the end.
    if (first && !GetUriParam(first->uri, "lr")) {
      request.request_uri = first->uri;
      routes.erase(routes.begin());
      routes.push_back("<" + remote_target + ">");
    }
  }
  for (std::string& route : routes) request.Add("Route", std::move(route));
  request.Add("Max-Forwards", std::string(kMaxForwards));
  request.Add("From", local);
  request.Add("To", remote);
  request.Add("Call-ID", key.call_id);
  request.Add("CSeq", std::to_string(cseq) + " " + std::string(method));
  return request;
}

Peer Dialog::NextHop() const {
  if (!std::holds_alternative<TrunkPeer>(peer)) return peer;
  if (!route_set.empty()) {
    const auto first = ParseNameAddr(route_set.front());
    return first ? Peer(PeerOfUri(first->uri).value_or(std::get<TrunkPeer>(peer))) : peer;
  }
  return PeerOfUri(remote_target).value_or(std::get<TrunkPeer>(peer));
}

void Dialog::RefreshTarget(const Message& message) {
  if (std::string uri = ContactUri(message); !uri.empty()) remote_target = std::move(uri);
}

Dialog MakeUasDialog(const Message& request, std::string_view local_tag, const Peer& peer) {
  Dialog dialog;
  dialog.key = {Value(request, "Call-ID"), std::string(local_tag), TagOf(request, "From")};
  dialog.local = SetParam(Value(request, "To"), "tag", local_tag);
  dialog.remote = Value(request, "From");
  dialog.remote_target = ContactUri(request);
  dialog.route_set = RecordRoutes(request);
  dialog.peer = peer;
  dialog.remote_cseq = CSeqNumber(request);
  return dialog;
}

Dialog MakeUacDialog(const Message& request, const Message& response, const Peer& peer) {
  Dialog dialog;
  dialog.key = {Value(request, "Call-ID"), TagOf(request, "From"), TagOf(response, "To")};
  dialog.local = Value(request, "From");
  dialog.remote = Value(response, "To");
  dialog.remote_target = ContactUri(response);
  if (dialog.remote_target.empty()) dialog.remote_target = request.request_uri;
  dialog.route_set = RecordRoutes(response);
  std::reverse(dialog.route_set.begin(), dialog.route_set.end());
  dialog.peer = peer;
  dialog.local_cseq = CSeqNumber(request);
  return dialog;
}

std::string ContactUri(const Message& message) {
  const auto contacts = ListValues(message, "Contact");
  if (contacts.empty()) return {};
  const auto contact = ParseNameAddr(contacts.front());
  return contact && contact->uri != "*" ? std::string(contact->uri) : std::string();
}

Message MakeResponse(const Message& request, int status, std::string_view reason,
                     std::string_view local_tag) {
  Message response;
  response.status = status;
  response.reason = reason;
  response.Add("From", Value(request, "From"));
  std::string to = Value(request, "To");
  if (status > 100 && !local_tag.empty() && !GetTag(to)) to = SetParam(to, "tag", local_tag);
  response.Add("To", std::move(to));
  response.Add("Call-ID", Value(request, "Call-ID"));
  response.Add("CSeq", Value(request, "CSeq"));
  return response;
}

}  // namespace linegate::sip
