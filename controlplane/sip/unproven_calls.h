#pragma once
#include <cstddef>
#include <optional>
#include <vector>

#include "controlplane/sip/b2bua_config.h"
#include "controlplane/sip/signalling_context.h"
#include "dataplane/base/net_address.h"

namespace linegate::sip {

/// Calls of browsers for whom nobody has vouched yet. Theory of operation: in a relayed domain the SIP Server
/// alone knows who may call, and a challenged INVITE keeps its flows and its RTP port for the retry (design
/// D8), so a stranger could hold many of them without ever showing a password. An unproven call is one whose
/// caller has no registration on its connection and that the SIP Server has answered with nothing but 100 or
/// a challenge. They are few, per connection, per subscriber (IPv4 address or IPv6 /64) and in total; proven
/// calls have only the limits of all calls.
///
/// At a limit the oldest *challenged* call within it makes room: its retry, should it come after all, is a
/// new call with the same names towards the SIP Server, so that the challenge stays valid and only ports
/// differ. Calls that the SIP Server still thinks about are never given up; with those alone the new one is
/// refused.
class UnprovenCalls {
 public:
  struct Admission {
    bool admitted = false;
    std::optional<CallKey> evict;  ///< ends first
  };

  explicit UnprovenCalls(const B2buaLimits& limits) : limits_(limits) {}

  Admission Admit(FlowToken flow, const IpAddress& source) const;
  void Add(CallKey call, FlowToken flow, const IpAddress& source);
  /// Whether the call waits for its retry now; unknown ones are ignored, as by Remove.
  void SetChallenged(CallKey call, bool challenged);
  /// The call is proven, or over.
  void Remove(CallKey call);
  size_t size() const { return calls_.size(); }

 private:
  struct Unproven {
    CallKey call;
    FlowToken flow;
    IpAddress source;
    bool challenged = false;
  };

  const B2buaLimits& limits_;
  std::vector<Unproven> calls_;  ///< oldest first; at most max_unproven_calls
};

}  // namespace linegate::sip
