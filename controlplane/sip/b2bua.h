#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "controlplane/registrar/binding_store.h"
#include "controlplane/sip/b2bua_config.h"
#include "controlplane/sip/b2bua_counters.h"
#include "controlplane/sip/keyed_hash.h"
#include "controlplane/sip/media_broker.h"
#include "controlplane/sip/transport_events.h"
#include "dataplane/base/rng.h"
#include "dataplane/base/time.h"

namespace linegate::sip {

/// One line of `linegatectl calls`.
struct CallSummary {
  CallId media;        ///< the broker's name of the call
  std::string caller;  ///< From URI
  std::string callee;  ///< Request-URI as the caller sent it
  std::string state;   ///< "routing", "ringing", "answered", "confirmed", "challenged", "ending"
  std::string caller_call_id;
  TimePoint started_at;
};

/// One line of `linegatectl registrations`.
struct RegistrationSummary {
  std::string aor;
  std::string token;
  TimePoint expires_at;
  std::optional<FlowToken> flow;  ///< the connection behind it, when there is one
};

/// Theory of operation. The back-to-back user agent of design D8: SIP events in, SIP actions out, no socket,
/// clock or thread inside. A *call* joins one caller dialog with the callee dialogs of its branches (an
/// INVITE per contact, each possibly forked further by the SIP Server); once one branch answers, every
/// in-dialog request of either side is sent on in the other dialog and its final response sent back. Bodies
/// of type application/sdp pass through the MediaBroker; everything else crosses as the pass-through contract
/// says (pass_through.h). Dialogs are found by (Call-ID, local tag, remote tag) alone, because in a hairpin
/// through the SIP Server both our legs share a Call-ID.
///
///   Handle / HandleTimeout -> drain PollAction until empty -> next input; NextTimeout says when to call
///   HandleTimeout.
///
/// It deliberately does not: retransmit, match CANCEL, absorb ACK (transports do), nor parse SDP (the broker
/// does).
class B2bua {
 public:
  /// References must outlive the object. `rng` makes tags and nonce keys.
  B2bua(B2buaConfig config, MediaBroker& media, registrar::BindingStore& bindings,
        const HashFunctions& hashes, Rng& rng);
  ~B2bua();
  B2bua(const B2bua&) = delete;
  B2bua& operator=(const B2bua&) = delete;

  void Handle(TimePoint now, const Event& event);
  void HandleTimeout(TimePoint now);
  std::optional<TimePoint> NextTimeout() const;
  std::optional<Action> PollAction();

  /// Media died (consent lost, DTLS failed) or an operator hung up: BYE or the failure response to both
  /// sides. Unknown ids are ignored.
  void EndCall(TimePoint now, CallId call);
  /// Ends every call as EndCall does and takes no new one (503): call_count() says when it is done.
  /// Registrations stay: a stored contact rings again with the next process (design D8).
  void Shutdown(TimePoint now);

  const B2buaCounters& counters() const;
  std::vector<CallSummary> Calls() const;
  std::vector<RegistrationSummary> Registrations(TimePoint now) const;
  size_t call_count() const;

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace linegate::sip
