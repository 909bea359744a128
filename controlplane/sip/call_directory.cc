#include "controlplane/sip/call_directory.h"

#include <utility>

namespace linegate::sip {
namespace {

template <typename Map, typename Name>
void EraseFrom(Map& index, const Name& name, CallKey key) {
  const auto calls = index.find(name);
  if (calls == index.end()) return;
  calls->second.erase(key);
  if (calls->second.empty()) index.erase(calls);
}

template <typename Map, typename Name>
std::vector<CallKey> KeysIn(const Map& index, const Name& name) {
  const auto calls = index.find(name);
  if (calls == index.end()) return {};
  return {calls->second.begin(), calls->second.end()};
}

}  // namespace

Call& CallDirectory::Add(std::unique_ptr<Call> call, const std::optional<RetryKey>& retry_key) {
  const CallKey key = call->key();
  by_media_[call->media()] = key;
  if (retry_key) by_retry_key_[*retry_key] = key;
  Entry& entry = calls_[key];
  entry.call = std::move(call);
  entry.retry_key = retry_key;
  return *entry.call;
}

void CallDirectory::Update(CallKey key) {
  const auto found = calls_.find(key);
  if (found == calls_.end()) return;
  Entry& entry = found->second;
  if (entry.call->done()) return Remove(found);
  if (entry.call->proven())
    unproven_.Remove(key);
  else
    unproven_.SetChallenged(key, entry.call->state() == Call::State::kChallenged);
  if (auto invites = entry.call->OpenInvites(); invites != entry.invites) {
    for (const ServerTransactionId transaction : entry.invites) by_invite_.erase(transaction);
    for (const ServerTransactionId transaction : invites) by_invite_[transaction] = key;
    entry.invites = std::move(invites);
  }
  const auto deadline = entry.call->NextTimeout();
  if (deadline == entry.deadline) return;
  if (entry.deadline) deadlines_.erase({*entry.deadline, key});
  if (deadline) deadlines_.insert({*deadline, key});
  entry.deadline = deadline;
}

void CallDirectory::Remove(std::map<CallKey, Entry>::iterator found) {
  const CallKey key = found->first;
  Entry& entry = found->second;
  for (const ServerTransactionId transaction : entry.invites) by_invite_.erase(transaction);
  unproven_.Remove(key);
  for (const FlowToken flow : entry.flows) EraseFrom(by_flow_, flow, key);
  for (const std::string& token : entry.tokens) EraseFrom(by_token_, token, key);
  if (entry.deadline) deadlines_.erase({*entry.deadline, key});
  by_media_.erase(entry.call->media());
  // A later call with the same names may have taken its place.
  if (entry.retry_key)
    if (const auto retry = by_retry_key_.find(*entry.retry_key);
        retry != by_retry_key_.end() && retry->second == key)
      by_retry_key_.erase(retry);
  calls_.erase(found);
}

void CallDirectory::Attach(CallKey key, FlowToken flow) {
  const auto found = calls_.find(key);
  if (found == calls_.end()) return;
  found->second.flows.insert(flow);
  by_flow_[flow].insert(key);
}

void CallDirectory::Attach(CallKey key, std::string_view token) {
  const auto found = calls_.find(key);
  if (found == calls_.end() || token.empty()) return;
  found->second.tokens.emplace(token);
  by_token_[std::string(token)].insert(key);
}

Call* CallDirectory::Find(CallKey key) {
  const auto found = calls_.find(key);
  return found == calls_.end() ? nullptr : found->second.call.get();
}

Call* CallDirectory::FindByInvite(ServerTransactionId transaction) {
  const auto found = by_invite_.find(transaction);
  return found == by_invite_.end() ? nullptr : Find(found->second);
}

Call* CallDirectory::FindByRetryKey(const RetryKey& key) {
  const auto found = by_retry_key_.find(key);
  return found == by_retry_key_.end() ? nullptr : Find(found->second);
}

Call* CallDirectory::FindByMedia(CallId media) {
  const auto found = by_media_.find(media);
  return found == by_media_.end() ? nullptr : Find(found->second);
}

std::vector<CallKey> CallDirectory::OfFlow(FlowToken flow) const { return KeysIn(by_flow_, flow); }
std::vector<CallKey> CallDirectory::OfToken(std::string_view token) const { return KeysIn(by_token_, token); }

size_t CallDirectory::CountOfFlow(FlowToken flow) const {
  const auto calls = by_flow_.find(flow);
  return calls == by_flow_.end() ? 0 : calls->second.size();
}

std::optional<TimePoint> CallDirectory::NextTimeout() const {
  if (deadlines_.empty()) return std::nullopt;
  return deadlines_.begin()->first;
}

std::vector<CallKey> CallDirectory::Expired(TimePoint now) const {
  std::vector<CallKey> expired;
  for (auto deadline = deadlines_.begin(); deadline != deadlines_.end() && deadline->first <= now; ++deadline)
    expired.push_back(deadline->second);
  return expired;
}

}  // namespace linegate::sip
