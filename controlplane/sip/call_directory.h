#pragma once
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "controlplane/sip/call.h"
#include "controlplane/sip/unproven_calls.h"

namespace linegate::sip {

/// All calls, and the ways to find the one that an event is about: by key, by INVITE server transaction, by
/// connection, by registration, by what a challenged INVITE comes back with, by deadline.
class CallDirectory {
 public:
  /// What a browser's INVITE and its retry with credentials have in common.
  struct RetryKey {
    FlowToken flow;
    std::string call_id;
    std::string from_tag;
    friend auto operator<=>(const RetryKey&, const RetryKey&) = default;
  };

  explicit CallDirectory(const B2buaLimits& limits) : unproven_(limits) {}

  Call& Add(std::unique_ptr<Call> call, const std::optional<RetryKey>& retry_key);
  /// After every event given to a call: removes it when it is done, else files its deadline and new
  /// transactions.
  void Update(CallKey key);
  /// The call has a party on this connection, or waits for this registration.
  void Attach(CallKey key, FlowToken flow);
  void Attach(CallKey key, std::string_view token);

  Call* Find(CallKey key);
  Call* FindByInvite(ServerTransactionId transaction);
  Call* FindByRetryKey(const RetryKey& key);
  Call* FindByMedia(CallId media);
  std::vector<CallKey> OfFlow(FlowToken flow) const;
  std::vector<CallKey> OfToken(std::string_view token) const;
  size_t CountOfFlow(FlowToken flow) const;
  std::optional<TimePoint> NextTimeout() const;
  /// Calls whose deadline has come.
  std::vector<CallKey> Expired(TimePoint now) const;
  size_t size() const { return calls_.size(); }
  /// Update takes out who is proven meanwhile.
  UnprovenCalls& unproven() { return unproven_; }
  template <typename Visitor>
  void ForEach(Visitor&& visit) const {
    for (const auto& [key, entry] : calls_) visit(*entry.call);
  }

 private:
  struct Entry {
    std::unique_ptr<Call> call;
    std::optional<TimePoint> deadline;
    std::vector<ServerTransactionId> invites;  ///< filed in by_invite_
    std::set<FlowToken> flows;
    std::set<std::string, std::less<>> tokens;
    std::optional<RetryKey> retry_key;
  };
  void Remove(std::map<CallKey, Entry>::iterator entry);

  std::map<CallKey, Entry> calls_;
  std::map<ServerTransactionId, CallKey> by_invite_;
  std::map<FlowToken, std::set<CallKey>> by_flow_;
  std::map<std::string, std::set<CallKey>, std::less<>> by_token_;
  std::map<RetryKey, CallKey> by_retry_key_;
  std::map<CallId, CallKey> by_media_;
  std::set<std::pair<TimePoint, CallKey>> deadlines_;
  UnprovenCalls unproven_;
};

}  // namespace linegate::sip
