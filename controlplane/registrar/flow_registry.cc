#include "controlplane/registrar/flow_registry.h"

namespace linegate::registrar {

void FlowRegistry::Bind(std::string_view token, sip::FlowToken flow) {
  Unbind(token);
  flow_of_token_.emplace(token, flow);
  tokens_of_flow_[flow].emplace(token);
}

void FlowRegistry::Unbind(std::string_view token) {
  const auto found = flow_of_token_.find(token);
  if (found == flow_of_token_.end()) return;
  const auto tokens = tokens_of_flow_.find(found->second);
  if (const auto position = tokens->second.find(token); position != tokens->second.end())
    tokens->second.erase(position);
  if (tokens->second.empty()) tokens_of_flow_.erase(tokens);
  flow_of_token_.erase(found);
}

void FlowRegistry::DropFlow(sip::FlowToken flow) {
  const auto tokens = tokens_of_flow_.find(flow);
  if (tokens == tokens_of_flow_.end()) return;
  for (const std::string& token : tokens->second) flow_of_token_.erase(token);
  tokens_of_flow_.erase(tokens);
}

std::optional<sip::FlowToken> FlowRegistry::FlowOf(std::string_view token) const {
  const auto found = flow_of_token_.find(token);
  if (found == flow_of_token_.end()) return std::nullopt;
  return found->second;
}

const std::set<std::string, std::less<>>* FlowRegistry::TokensOf(sip::FlowToken flow) const {
  const auto found = tokens_of_flow_.find(flow);
  return found == tokens_of_flow_.end() ? nullptr : &found->second;
}

}  // namespace linegate::registrar
