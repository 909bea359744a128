#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "controlplane/sip/transport_events.h"

namespace linegate::registrar {

/// Which connection each binding is reached over, right now. Kept in memory only: after a restart or a lost
/// connection the browser registers again, which binds its (unchanged) token to the new flow.
class FlowRegistry {
 public:
  void Bind(std::string_view token, sip::FlowToken flow);
  void Unbind(std::string_view token);
  /// The connection is gone.
  void DropFlow(sip::FlowToken flow);
  std::optional<sip::FlowToken> FlowOf(std::string_view token) const;
  /// Tokens registered over `flow`, in no particular order; null when none.
  const std::set<std::string, std::less<>>* TokensOf(sip::FlowToken flow) const;

 private:
  std::map<std::string, sip::FlowToken, std::less<>> flow_of_token_;
  std::map<sip::FlowToken, std::set<std::string, std::less<>>> tokens_of_flow_;
};

}  // namespace linegate::registrar
