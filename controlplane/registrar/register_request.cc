#include "controlplane/registrar/register_request.h"

#include <algorithm>
#include <limits>

#include "controlplane/sip/sip_text.h"

namespace linegate::registrar {
namespace {

constexpr std::string_view kRetryAfterSeconds = "30";
constexpr uint64_t kMaxDeltaSeconds = std::numeric_limits<uint32_t>::max();

Unexpected<Refusal> Refuse(int status, std::string reason) {
  return {Refusal{status, std::move(reason), {}}};
}

uint16_t ParseQ(std::string_view text) {
  // RFC 3261 section 25.1: qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] ). Malformed: 1.
  if (text.empty() || text.front() != '0') return 1000;
  uint16_t q = 0, weight = 100;
  for (size_t i = 2; i < text.size() && i < 5; ++i, weight /= 10) {
    if (text[i] < '0' || text[i] > '9') return 1000;
    q = uint16_t(q + (text[i] - '0') * weight);
  }
  return q;
}

/// Section 10.2.1.1: the contact's own parameter, then the Expires header, then our default.
uint64_t RequestedExpires(std::string_view contact, const sip::Message& message,
                          const RegistrationConfig& config) {
  std::optional<uint64_t> seconds;
  if (const auto parameter = sip::GetParam(contact, "expires"))
    seconds = sip::ParseNumber(*parameter, kMaxDeltaSeconds);
  if (!seconds) seconds = sip::ParseNumber(sip::Trim(message.Get("Expires").value_or("")), kMaxDeltaSeconds);
  return seconds.value_or(uint64_t(config.default_expires.count()));
}

}  // namespace

std::optional<std::string> CanonicalAor(std::string_view text) {
  const auto uri = sip::ParseUri(text);
  if (!uri || !uri->is_sip() || uri->user.empty() || uri->host.empty()) return std::nullopt;
  std::string host(uri->host);
  std::transform(host.begin(), host.end(), host.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
  return "sip:" + std::string(uri->user) + "@" + host;
}

Result<RegisterRequest, Refusal> ReadRegister(const sip::Message& message, const RegistrationConfig& config,
                                              const sip::Identity& identity) {
  RegisterRequest request;
  const auto to = sip::ParseNameAddr(message.Get("To").value_or(""));
  const auto aor = to ? CanonicalAor(to->uri) : std::nullopt;
  const auto cseq = sip::ParseCSeq(message.Get("CSeq").value_or(""));
  if (!aor || !cseq || !message.Has("Call-ID")) return Refuse(400, "Bad Request");
  request.aor = *aor;
  request.cseq = cseq->number;
  request.call_id = *message.Get("Call-ID");

  const auto elements = sip::ListValues(message, "Contact");
  if (elements.empty()) return request;
  request.form = RegisterRequest::Form::kContacts;
  for (const std::string_view element : elements) {
    const uint64_t expires_s = RequestedExpires(element, message, config);
    const auto contact = sip::ParseNameAddr(element);
    if (!contact || contact->uri.empty()) return Refuse(400, "Malformed Contact");
    if (contact->uri == "*") {
      // RFC 3261 section 10.3 step 6.
      const auto zero = sip::ParseNumber(sip::Trim(message.Get("Expires").value_or("")), kMaxDeltaSeconds);
      if (elements.size() != 1 || zero != 0) return Refuse(400, "Wildcard Contact Needs Expires 0");
      request.form = RegisterRequest::Form::kRemoveAll;
      return request;
    }
    if (expires_s > 0 && expires_s < uint64_t(config.min_expires.count()))
      return MakeUnexpected(
          Refusal{423, "Interval Too Brief", {{"Min-Expires", std::to_string(config.min_expires.count())}}});
    RequestedContact requested;
    requested.element = element;
    requested.uri = contact->uri;
    requested.instance = sip::GetParam(element, "+sip.instance").value_or("");
    requested.q_milli = ParseQ(sip::GetParam(element, "q").value_or(""));
    requested.expires_s = uint32_t(std::min(expires_s, uint64_t(config.max_expires.count())));
    requested.token =
        identity.ContactToken(request.aor, requested.instance.empty() ? requested.uri : requested.instance);
    request.contacts.push_back(std::move(requested));
  }
  return request;
}

Result<void, Refusal> CheckLimits(const RegisterRequest& request, const RegistrationConfig& config,
                                  const BindingStore& store, TimePoint now) {
  const std::vector<Binding> known = store.FindByAor(request.aor, now);
  size_t added = 0, removed = 0;
  for (const RequestedContact& contact : request.contacts) {
    const bool exists = std::any_of(known.begin(), known.end(),
                                    [&](const Binding& binding) { return binding.token == contact.token; });
    if (contact.expires_s > 0 && !exists) ++added;
    if (contact.expires_s == 0 && exists) ++removed;
  }
  if (added == 0) return {};
  if (known.size() + added - removed > config.max_contacts_per_aor ||
      store.size() + added > config.max_bindings)
    return MakeUnexpected(
        Refusal{503, "Too Many Registrations", {{"Retry-After", std::string(kRetryAfterSeconds)}}});
  return {};
}

}  // namespace linegate::registrar
