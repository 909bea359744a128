#pragma once
#include <string>
#include <variant>
#include <vector>

#include "controlplane/registrar/binding_store.h"
#include "controlplane/registrar/flow_registry.h"
#include "controlplane/sip/b2bua_config.h"
#include "controlplane/sip/b2bua_counters.h"
#include "controlplane/sip/media_broker.h"
#include "controlplane/sip/transport_events.h"

namespace linegate::sip {

/// A browser that can be reached now.
struct ContactTarget {
  std::string token;
  std::string contact_uri;
  FlowToken flow;
};

// ---- where a request outside a dialog goes
struct RouteToContacts {  ///< browsers, in parallel
  std::vector<ContactTarget> targets;
};
struct RouteToTrunk {};  ///< the SIP Server, Request-URI untouched
struct RouteToTestNumber {
  LocalService service;
};
struct RouteToUs {};         ///< OPTIONS that asks about the gateway itself
struct RouteWhenConnected {  ///< a contact that is known but has no connection at the moment
  std::string token;
  std::string contact_uri;
};
struct RouteRefused {
  int status;
  std::string reason;
  uint64_t B2buaCounters::*counter;
};
using Route = std::variant<RouteToContacts, RouteToTrunk, RouteToTestNumber, RouteToUs, RouteWhenConnected,
                           RouteRefused>;

/// Decides where requests outside dialogs go. A browser's domain (of its From) is local or relayed, never
/// both: relayed means that every request goes to the SIP Server whatever its Request-URI; local means users
/// and test numbers of that domain. A request of the SIP Server is for the contact whose token is the user of
/// its Request-URI.
class Router {
 public:
  /// References must outlive the object.
  Router(const B2buaConfig& config, const registrar::BindingStore& bindings,
         const registrar::FlowRegistry& flows)
      : config_(config), bindings_(bindings), flows_(flows) {}

  Route Decide(TimePoint now, const Peer& from, const Message& request) const;
  /// Domain of the From URI, null when it is none of ours.
  const DomainConfig* HomeDomain(const Message& request) const;
  const DomainConfig* FindDomain(std::string_view host) const;

 private:
  Route FromBrowser(TimePoint now, const Message& request) const;
  Route FromTrunk(TimePoint now, const Message& request) const;
  Route ToLocalUser(TimePoint now, const DomainConfig& domain, std::string_view user) const;

  const B2buaConfig& config_;
  const registrar::BindingStore& bindings_;
  const registrar::FlowRegistry& flows_;
};

}  // namespace linegate::sip
