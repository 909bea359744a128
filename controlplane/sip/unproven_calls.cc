#include "controlplane/sip/unproven_calls.h"

#include <algorithm>

namespace linegate::sip {
namespace {

bool SameSubscriber(const IpAddress& a, const IpAddress& b) {
  if (!a.is_v6() || !b.is_v6()) return a == b;
  return std::equal(a.bytes().begin(), a.bytes().begin() + 8, b.bytes().begin());
}

}  // namespace

UnprovenCalls::Admission UnprovenCalls::Admit(FlowToken flow, const IpAddress& source) const {
  const auto of_flow = [&](const Unproven& one) { return one.flow == flow; };
  const auto of_source = [&](const Unproven& one) { return SameSubscriber(one.source, source); };
  const auto any = [](const Unproven&) { return true; };
  const auto make_room = [this](const auto& within) -> Admission {
    for (const Unproven& one : calls_)
      if (one.challenged && within(one)) return {true, one.call};
    return {};
  };
  // The narrowest limit first: who makes room there makes room in the wider ones, too.
  if (size_t(std::count_if(calls_.begin(), calls_.end(), of_flow)) >= limits_.max_unproven_calls_per_flow)
    return make_room(of_flow);
  if (size_t(std::count_if(calls_.begin(), calls_.end(), of_source)) >= limits_.max_unproven_calls_per_source)
    return make_room(of_source);
  if (calls_.size() >= limits_.max_unproven_calls) return make_room(any);
  return {true, std::nullopt};
}

void UnprovenCalls::Add(CallKey call, FlowToken flow, const IpAddress& source) {
  calls_.push_back({call, flow, source});
}

void UnprovenCalls::SetChallenged(CallKey call, bool challenged) {
  for (Unproven& one : calls_)
    if (one.call == call) one.challenged = challenged;
}

void UnprovenCalls::Remove(CallKey call) {
  std::erase_if(calls_, [&](const Unproven& one) { return one.call == call; });
}

}  // namespace linegate::sip
