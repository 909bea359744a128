#include "controlplane/sip/routing.h"

#include <algorithm>
#include <utility>

#include "controlplane/registrar/register_request.h"
#include "controlplane/sip/signalling_context.h"
#include "controlplane/sip/sip_text.h"

namespace linegate::sip {
namespace {

Route Refused(int status, std::string reason, uint64_t B2buaCounters::*counter) {
  return RouteRefused{status, std::move(reason), counter};
}

std::string_view HostOnly(std::string_view host_port) {
  if (!host_port.empty() && host_port.front() == '[') return host_port.substr(0, host_port.find(']') + 1);
  return host_port.substr(0, host_port.find(':'));
}

}  // namespace

const DomainConfig* Router::FindDomain(std::string_view host) const {
  for (const DomainConfig& domain : config_.domains)
    if (SameHost(domain.name, host)) return &domain;
  return nullptr;
}

const DomainConfig* Router::HomeDomain(const Message& request) const {
  const auto from = ParseNameAddr(request.Get("From").value_or(""));
  const auto uri = from ? ParseUri(from->uri) : std::nullopt;
  return uri && uri->is_sip() ? FindDomain(uri->host) : nullptr;
}

Route Router::Decide(TimePoint now, const Peer& from, const Message& request) const {
  return IsBrowser(from) ? FromBrowser(now, request) : FromTrunk(now, request);
}

Route Router::FromBrowser(TimePoint now, const Message& request) const {
  const DomainConfig* home = HomeDomain(request);
  if (home == nullptr) return Refused(403, "Unknown Domain", &B2buaCounters::forbidden);
  const auto uri = ParseUri(request.request_uri);
  const bool to_host = uri && uri->is_sip() && uri->user.empty();
  if (request.method == "OPTIONS" && to_host && SameHost(uri->host, HostOnly(config_.web_host)))
    return RouteToUs{};
  if (home->mode == DomainMode::kRelay) {
    if (!config_.sip_server || !config_.trunk_local)
      return Refused(503, "No SIP Server", &B2buaCounters::no_sip_server);
    return RouteToTrunk{};
  }
  if (!uri) return Refused(400, "Malformed Request-URI", &B2buaCounters::malformed);
  if (!uri->is_sip()) return Refused(416, "Unsupported URI Scheme", &B2buaCounters::forbidden);
  // A local domain has no way out: neither to other domains nor to the SIP Server.
  if (FindDomain(uri->host) != home) return Refused(403, "Foreign Domain", &B2buaCounters::forbidden);
  if (to_host)
    return request.method == "OPTIONS" ? Route(RouteToUs{})
                                       : Refused(404, "Not Found", &B2buaCounters::unknown_user);
  return ToLocalUser(now, *home, uri->user);
}

Route Router::ToLocalUser(TimePoint now, const DomainConfig& domain, std::string_view user) const {
  if (domain.test_numbers == TestNumbers::kOn) {
    if (user == "echo") return RouteToTestNumber{LocalService::kEcho};
    if (user == "tone") return RouteToTestNumber{LocalService::kTone};
  }
  const bool exists = std::any_of(domain.users.begin(), domain.users.end(),
                                  [&](const LocalUser& known) { return known.name == user; });
  if (!exists) return Refused(404, "Not Found", &B2buaCounters::unknown_user);
  const auto aor = registrar::CanonicalAor("sip:" + std::string(user) + "@" + domain.name);
  RouteToContacts route;
  for (registrar::Binding& binding : bindings_.FindByAor(aor.value_or(""), now)) {
    const auto flow = flows_.FlowOf(binding.token);
    if (flow && route.targets.size() < config_.limits.max_branches_per_call)
      route.targets.push_back({std::move(binding.token), std::move(binding.contact_uri), *flow});
  }
  if (route.targets.empty()) return Refused(480, "Temporarily Unavailable", &B2buaCounters::unavailable);
  return route;
}

Route Router::FromTrunk(TimePoint now, const Message& request) const {
  const auto uri = ParseUri(request.request_uri);
  if (!uri) return Refused(400, "Malformed Request-URI", &B2buaCounters::malformed);
  if (!uri->is_sip()) return Refused(416, "Unsupported URI Scheme", &B2buaCounters::forbidden);
  if (uri->user.empty() && request.method == "OPTIONS") return RouteToUs{};
  const auto binding = bindings_.FindByToken(uri->user, now);
  const auto aor = binding ? ParseUri(binding->aor) : std::nullopt;
  const DomainConfig* domain = aor ? FindDomain(aor->host) : nullptr;
  // Contacts of local domains have tokens too, but none that the SIP Server was ever told.
  if (domain == nullptr || domain->mode != DomainMode::kRelay)
    return Refused(404, "Not Found", &B2buaCounters::unknown_user);
  if (const auto flow = flows_.FlowOf(binding->token))
    return RouteToContacts{{{binding->token, binding->contact_uri, *flow}}};
  return RouteWhenConnected{binding->token, binding->contact_uri};
}

}  // namespace linegate::sip
