#include "controlplane/registrar/registrar.h"

#include <algorithm>

#include "controlplane/sip/dialog.h"

namespace linegate::registrar {

sip::Message RefusalResponse(const sip::Message& request, const Refusal& refusal,
                             std::string_view local_tag) {
  sip::Message response = sip::MakeResponse(request, refusal.status, refusal.reason, local_tag);
  for (const sip::HeaderField& field : refusal.headers) response.headers.push_back(field);
  return response;
}

std::string ContactOf(const Binding& binding, TimePoint now) {
  const auto left = std::chrono::ceil<std::chrono::seconds>(binding.expires_at - now);
  std::string contact = "<" + binding.contact_uri + ">";
  if (!binding.instance.empty()) contact += ";+sip.instance=" + binding.instance;
  return contact + ";expires=" + std::to_string(std::max<int64_t>(left.count(), 0));
}

RegisterOutcome Registrar::Register(TimePoint now, const sip::Message& message, std::string_view local_tag) {
  RegisterOutcome outcome;
  const auto request = ReadRegister(message, config_, identity_);
  if (!request) {
    outcome.response = RefusalResponse(message, request.error(), local_tag);
    return outcome;
  }
  if (const auto committed = Commit(now, *request, outcome); !committed) {
    outcome.response = RefusalResponse(message, committed.error(), local_tag);
    return outcome;
  }
  outcome.response = sip::MakeResponse(message, 200, "OK", local_tag);
  for (const Binding& binding : store_.FindByAor(request->aor, now))
    outcome.response.Add("Contact", ContactOf(binding, now));
  return outcome;
}

Result<void, Refusal> Registrar::Commit(TimePoint now, const RegisterRequest& request,
                                        RegisterOutcome& outcome) {
  // RFC 3261 section 10.3: all or nothing, so every check comes before the first change.
  if (const auto within = CheckLimits(request, config_, store_, now); !within) return within;
  for (const Binding& known : store_.FindByAor(request.aor, now)) {
    const bool touched =
        request.form == RegisterRequest::Form::kRemoveAll ||
        std::any_of(request.contacts.begin(), request.contacts.end(),
                    [&](const RequestedContact& contact) { return contact.token == known.token; });
    // Step 7: an older REGISTER of the same UA that was overtaken.
    if (touched && known.call_id == request.call_id && known.cseq >= request.cseq)
      return MakeUnexpected(Refusal{500, "CSeq Out Of Order", {}});
    if (request.form == RegisterRequest::Form::kRemoveAll) outcome.removed.push_back(known.token);
  }
  for (const std::string& token : outcome.removed) store_.Remove(token);
  for (const RequestedContact& contact : request.contacts) {
    if (contact.expires_s == 0) {
      store_.Remove(contact.token);
      outcome.removed.push_back(contact.token);
      continue;
    }
    const Status put =
        store_.Put(Binding{contact.token, request.aor, contact.uri, contact.instance, request.call_id,
                           request.cseq, contact.q_milli, now + std::chrono::seconds(contact.expires_s)});
    if (!put) return MakeUnexpected(Refusal{500, "Registration Not Stored", {}});
    outcome.bound.push_back(contact.token);
  }
  return {};
}

}  // namespace linegate::registrar
