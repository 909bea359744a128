#include "controlplane/registrar/registration_relay.h"

#include <algorithm>
#include <limits>

#include "controlplane/sip/dialog.h"
#include "controlplane/sip/pass_through.h"
#include "controlplane/sip/sip_text.h"

namespace linegate::registrar {
namespace {

/// Seconds the SIP Server granted to the Contact whose user is `token`: its expires parameter, then the
/// Expires header, then what was asked for. nullopt: the SIP Server does not list it.
std::optional<uint32_t> GrantedExpires(const sip::Message& response, const RequestedContact& contact) {
  for (const std::string_view element : sip::ListValues(response, "Contact")) {
    const auto listed = sip::ParseNameAddr(element);
    const auto uri = listed ? sip::ParseUri(listed->uri) : std::nullopt;
    if (!uri || uri->user != contact.token) continue;
    constexpr uint64_t kMax = std::numeric_limits<uint32_t>::max();
    auto seconds = sip::ParseNumber(sip::GetParam(element, "expires").value_or(""), kMax);
    if (!seconds) seconds = sip::ParseNumber(response.Get("Expires").value_or(""), kMax);
    return uint32_t(seconds.value_or(contact.expires_s));
  }
  return std::nullopt;
}

}  // namespace

std::string RegistrationRelay::UpstreamContact(const RequestedContact& contact) const {
  std::string element = sip::WithUri(contact.element, "sip:" + contact.token + "@" + trunk_.ToString());
  // RFC 5626 and RFC 5768 describe the browser's hop, which ends here; GRUUs (RFC 5627) would be ours to
  // route.
  for (const std::string_view name : {"reg-id", "+sip.ice", "pub-gruu", "temp-gruu"})
    element = sip::RemoveParam(element, name);
  return sip::SetParam(element, "expires", std::to_string(contact.expires_s));
}

Result<RegistrationRelay::Forwarded, Refusal> RegistrationRelay::Forward(TimePoint now,
                                                                         const sip::Message& request) const {
  auto read = ReadRegister(request, config_, identity_);
  if (!read) return MakeUnexpected(read.error());
  if (const auto within = CheckLimits(*read, config_, store_, now); !within)
    return MakeUnexpected(within.error());
  const std::string from(request.Get("From").value_or(""));
  const std::string tag(sip::GetTag(from).value_or(""));

  Forwarded forwarded;
  sip::Message& out = forwarded.request;
  out.method = request.method;
  out.request_uri = request.request_uri;
  out.Add("Max-Forwards", "70");
  out.Add("From", sip::SetParam(from, "tag", identity_.Tag(read->call_id, tag, {})));
  out.Add("To", std::string(*request.Get("To")));
  out.Add("Call-ID", identity_.CallId(read->call_id));
  out.Add("CSeq", std::string(*request.Get("CSeq")));
  for (const RequestedContact& contact : read->contacts) out.Add("Contact", UpstreamContact(contact));
  if (read->form == RegisterRequest::Form::kRemoveAll) out.Add("Contact", "*");
  sip::CopyHeaders(request, out, sip::Credentials::kCross);
  const auto expires =
      sip::ParseNumber(request.Get("Expires").value_or(""), std::numeric_limits<uint32_t>::max());
  if (expires && *expires > uint64_t(config_.max_expires.count()))
    out.Set("Expires", std::to_string(config_.max_expires.count()));
  out.body = request.body;
  forwarded.pending = std::move(*read);
  return forwarded;
}

RegisterOutcome RegistrationRelay::Return(TimePoint now, const sip::Message& request,
                                          const RegisterRequest& pending, const sip::Message& response,
                                          std::string_view local_tag) {
  RegisterOutcome outcome;
  if (response.status >= 200 && response.status < 300 && !Write(now, pending, response, outcome)) {
    outcome.response = RefusalResponse(request, {500, "Registration Not Stored", {}}, local_tag);
    return outcome;
  }
  outcome.response = sip::MakeResponse(request, response.status, response.reason, local_tag);
  if (response.status >= 200 && response.status < 300) AddContacts(now, pending, response, outcome.response);
  // RFC 3261 section 21.3: a redirection names other servers, not bindings.
  if (response.status >= 300 && response.status < 400)
    for (const std::string_view contact : response.GetAll("Contact"))
      outcome.response.Add("Contact", std::string(contact));
  sip::CopyHeaders(response, outcome.response, sip::Credentials::kCross);
  outcome.response.body = response.body;
  return outcome;
}

Status RegistrationRelay::Write(TimePoint now, const RegisterRequest& pending, const sip::Message& response,
                                RegisterOutcome& outcome) {
  if (pending.form == RegisterRequest::Form::kRemoveAll) {
    for (const Binding& known : store_.FindByAor(pending.aor, now)) outcome.removed.push_back(known.token);
    for (const std::string& token : outcome.removed) store_.Remove(token);
  }
  for (const RequestedContact& contact : pending.contacts) {
    const uint32_t granted_s = contact.expires_s == 0 ? 0 : GrantedExpires(response, contact).value_or(0);
    if (granted_s == 0) {
      store_.Remove(contact.token);
      outcome.removed.push_back(contact.token);
      continue;
    }
    const Status put =
        store_.Put(Binding{contact.token, pending.aor, contact.uri, contact.instance, pending.call_id,
                           pending.cseq, contact.q_milli, now + std::chrono::seconds(granted_s)});
    if (!put) return put;
    outcome.bound.push_back(contact.token);
  }
  return {};
}

void RegistrationRelay::AddContacts(TimePoint now, const RegisterRequest& pending, const sip::Message& from,
                                    sip::Message& to) const {
  // The browser sees its own contacts as it wrote them (JsSIP ignores a 200 without its Contact) and none of
  // the other devices', whose addresses are not its business.
  for (const RequestedContact& contact : pending.contacts)
    if (const auto granted_s = GrantedExpires(from, contact);
        contact.expires_s > 0 && granted_s.value_or(0) > 0)
      to.Add("Contact", sip::SetParam(contact.element, "expires", std::to_string(*granted_s)));
  if (pending.form != RegisterRequest::Form::kQuery) return;
  for (const Binding& binding : store_.FindByAor(pending.aor, now))
    to.Add("Contact", ContactOf(binding, now));
}

}  // namespace linegate::registrar
