#include "controlplane/session/relay_command_queue.h"

#include <algorithm>

#include "dataplane/base/check.h"

namespace linegate::session {

RelayCommandQueue::Relay* RelayCommandQueue::Find(const abi::RelayRef& relay) {
  const auto found = relays_.find(KeyOf(relay));
  return found != relays_.end() && found->second.ref == relay ? &found->second : nullptr;
}

void RelayCommandQueue::MarkDirty(Relay& relay, uint32_t item, uint64_t change) {
  relay.newest_change = std::max(relay.newest_change, change);
  relay.dirty.try_emplace(item, change);  // the first change that waits stays
  Enqueue(relay);
}

void RelayCommandQueue::Program(const abi::RelayRef& ref, const abi::RelayConfig& config, uint64_t change) {
  LG_ASSERT(Find(ref) != nullptr || !relays_.contains(KeyOf(ref)));
  Relay& relay = relays_[KeyOf(ref)];
  if (relay.removing) return;
  relay.ref = ref;
  relay.config = config;
  MarkDirty(relay, kConfig, change);
}

void RelayCommandQueue::SetPeer(const abi::RelayRef& ref, uint32_t index, const abi::RelayPeer& peer,
                                uint64_t change) {
  Relay* relay = Find(ref);
  LG_ASSERT(relay != nullptr && index < abi::kRelayPeers);
  if (relay == nullptr || relay->removing || index >= abi::kRelayPeers) return;
  relay->peers[index] = peer;
  MarkDirty(*relay, index, change);
}

void RelayCommandQueue::Remove(const abi::RelayRef& ref) {
  Relay* relay = Find(ref);
  LG_ASSERT(relay != nullptr);
  if (relay == nullptr || relay->removing) return;
  relay->removing = true;
  relay->dirty.clear();
  Enqueue(*relay);
}

std::optional<uint32_t> RelayCommandQueue::NextItem(const Relay& relay) const {
  if (relay.removing) return kRemoval;
  if (relay.dirty.empty()) return std::nullopt;
  return relay.dirty.contains(kConfig) ? kConfig : relay.dirty.begin()->first;
}

uint64_t RelayCommandQueue::SettledOf(const Relay& relay) const {
  uint64_t settled = relay.newest_change;
  for (const auto& [item, change] : relay.dirty) settled = std::min(settled, change - 1);
  return settled;
}

std::optional<RelayCommandQueue::Confirmation> RelayCommandQueue::HandleDone(const abi::CommandDone& done) {
  Relay* relay = Find(done.flow);
  if (relay == nullptr || !relay->under_way || relay->under_way->sequence != done.sequence)
    return std::nullopt;
  const UnderWay finished = *relay->under_way;
  if (finished.repeat_at) repeats_.erase({*finished.repeat_at, KeyOf(relay->ref)});
  relay->under_way.reset();
  Confirmation confirmation{relay->ref, finished.item == kRemoval, done.status != abi::CommandStatus::kDone,
                            0};
  if (confirmation.removed) {
    relays_.erase(KeyOf(done.flow));  // a stale ready_ entry is skipped by PollCommand
    return confirmation;
  }
  confirmation.settled = SettledOf(*relay);
  Enqueue(*relay);
  return confirmation;
}

void RelayCommandQueue::HandleTimeout(TimePoint now) {
  while (!repeats_.empty() && repeats_.begin()->first <= now) {
    const Key key = repeats_.begin()->second;
    repeats_.erase(repeats_.begin());
    Relay& relay = relays_.at(key);
    relay.under_way->repeat_at.reset();
    relay.queued = true;
    ready_.push_back(key);
  }
}

std::optional<TimePoint> RelayCommandQueue::NextTimeout() const {
  if (repeats_.empty()) return std::nullopt;
  return repeats_.begin()->first;
}

void RelayCommandQueue::Enqueue(Relay& relay) {
  if (relay.queued || relay.under_way || !NextItem(relay)) return;
  relay.queued = true;
  ready_.push_back(KeyOf(relay.ref));
}

std::optional<RelayCommand> RelayCommandQueue::PollCommand(TimePoint now) {
  while (!ready_.empty()) {
    const Key key = ready_.front();
    ready_.pop_front();
    const auto found = relays_.find(key);
    if (found == relays_.end() || !found->second.queued) continue;
    Relay& relay = found->second;
    relay.queued = false;
    if (!relay.under_way) {
      const auto item = NextItem(relay);
      if (!item) continue;
      const auto waiting = relay.dirty.find(*item);
      relay.under_way = UnderWay{*item, waiting == relay.dirty.end() ? 0 : waiting->second, next_sequence_++,
                                 0, std::nullopt};
      if (waiting != relay.dirty.end()) relay.dirty.erase(waiting);
    }
    UnderWay& under_way = *relay.under_way;
    under_way.repeat_at = now + kFirstRepeat * (1 << under_way.doublings);
    under_way.doublings = std::min(under_way.doublings + 1, kMaxDoublings);
    repeats_.insert({*under_way.repeat_at, key});
    return Build(relay, under_way.item, under_way.sequence);
  }
  return std::nullopt;
}

RelayCommand RelayCommandQueue::Build(const Relay& relay, uint32_t item, uint64_t sequence) const {
  abi::CommandHeader header;
  header.sequence = sequence;
  header.flow = relay.ref;
  if (item == kRemoval) return abi::RemoveRelay{header};
  if (item == kConfig) {
    abi::ProgramRelay command;
    command.header = header;
    command.config = relay.config;
    return command;
  }
  abi::SetRelayPeer command;
  command.header = header;
  command.index = item;
  command.peer = relay.peers.at(item);
  return command;
}

void RelayCommandQueue::ReprogramAll() {
  repeats_.clear();
  ready_.clear();
  for (auto& [key, relay] : relays_) {
    const uint64_t change = relay.under_way ? relay.under_way->change : relay.newest_change;
    relay.under_way.reset();
    relay.queued = false;
    if (!relay.removing) {
      relay.dirty.try_emplace(kConfig, change);
      for (const auto& [index, peer] : relay.peers) relay.dirty.try_emplace(index, change);
    }
    Enqueue(relay);
  }
}

}  // namespace linegate::session
