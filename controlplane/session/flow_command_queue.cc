#include "controlplane/session/flow_command_queue.h"

#include <algorithm>
#include <cstring>

#include "dataplane/base/check.h"

namespace linegate::session {
namespace {

bool SameConfig(const abi::FlowConfig& a, const abi::FlowConfig& b) {
  return std::memcmp(&a, &b, sizeof a) == 0;
}

bool SameKey(const srtp::MasterKey& a, const srtp::MasterKey& b) {
  return a.profile == b.profile && a.key.view().size() == b.key.view().size() &&
         a.salt.view().size() == b.salt.view().size() && ConstantTimeEqual(a.key.view(), b.key.view()) &&
         ConstantTimeEqual(a.salt.view(), b.salt.view()) && a.mki == b.mki;
}

}  // namespace

const FlowCommandQueue::Flow* FlowCommandQueue::Find(const abi::FlowRef& flow) const {
  const auto found = flows_.find(KeyOf(flow));
  return found != flows_.end() && found->second.ref == flow ? &found->second : nullptr;
}

FlowCommandQueue::Flow* FlowCommandQueue::Find(const abi::FlowRef& flow) {
  return const_cast<Flow*>(static_cast<const FlowCommandQueue*>(this)->Find(flow));
}

void FlowCommandQueue::Program(const abi::FlowRef& ref, const abi::FlowConfig& config) {
  LG_ASSERT(Find(ref) != nullptr || !flows_.contains(KeyOf(ref)));
  const auto [entry, created] = flows_.try_emplace(KeyOf(ref));
  Flow& flow = entry->second;
  if (flow.removing || (!created && SameConfig(flow.config, config))) return;
  flow.ref = ref;
  flow.config = config;
  flow.config_dirty = true;
  Enqueue(flow);
}

void FlowCommandQueue::Install(const abi::FlowRef& ref, abi::KeyUse use, const srtp::MasterKey& key) {
  Flow* flow = Find(ref);
  LG_ASSERT(flow != nullptr);
  if (flow == nullptr || flow->removing) return;
  srtp::MasterKey& held = use == abi::KeyUse::kReceive ? flow->receive : flow->send;
  if (SameKey(held, key)) return;
  held = key;
  (use == abi::KeyUse::kReceive ? flow->receive_dirty : flow->send_dirty) = true;
  Enqueue(*flow);
}

void FlowCommandQueue::Remove(const abi::FlowRef& ref) {
  Flow* flow = Find(ref);
  LG_ASSERT(flow != nullptr);
  if (flow == nullptr || flow->removing) return;
  flow->removing = true;
  flow->receive = flow->send = srtp::MasterKey{};
  Enqueue(*flow);
}

std::optional<FlowCommandQueue::Confirmation> FlowCommandQueue::HandleDone(const abi::CommandDone& done) {
  Flow* flow = Find(done.flow);
  if (flow == nullptr || !flow->under_way || flow->under_way->sequence != done.sequence) return std::nullopt;
  const Confirmation confirmation{flow->ref, flow->under_way->type, done.status};
  if (flow->under_way->repeat_at) repeats_.erase({*flow->under_way->repeat_at, KeyOf(flow->ref)});
  flow->under_way.reset();
  if (confirmation.type == FlowCommandType::kRemove) {
    flows_.erase(KeyOf(done.flow));  // a stale ready_ entry is skipped by PollCommand
    return confirmation;
  }
  if (confirmation.type == FlowCommandType::kProgram && done.status == abi::CommandStatus::kDone)
    flow->programmed = true;
  Enqueue(*flow);
  if (Flow* reverse = Find(flow->config.reverse)) Enqueue(*reverse);  // its keys may have waited for this
  return confirmation;
}

void FlowCommandQueue::HandleTimeout(TimePoint now) {
  while (!repeats_.empty() && repeats_.begin()->first <= now) {
    const Key key = repeats_.begin()->second;
    repeats_.erase(repeats_.begin());
    Flow& flow = flows_.at(key);
    flow.under_way->repeat_at.reset();
    flow.queued = true;
    ready_.push_back(key);
  }
}

std::optional<TimePoint> FlowCommandQueue::NextTimeout() const {
  if (repeats_.empty()) return std::nullopt;
  return repeats_.begin()->first;
}

/// The worker keeps send keys in the slot of the leg they belong to, which is the reverse flow: that one has
/// to live.
bool FlowCommandQueue::SendKeysHaveAHome(const Flow& flow) const {
  const abi::FlowRef& reverse = flow.config.reverse;
  if (!reverse || reverse == flow.ref) return true;
  const Flow* leg = Find(reverse);
  return leg != nullptr && leg->programmed;
}

std::optional<FlowCommandType> FlowCommandQueue::NextType(const Flow& flow) const {
  if (flow.removing) return FlowCommandType::kRemove;
  if (flow.config_dirty) return FlowCommandType::kProgram;
  if (flow.receive_dirty) return FlowCommandType::kReceiveKeys;
  if (flow.send_dirty && SendKeysHaveAHome(flow)) return FlowCommandType::kSendKeys;
  return std::nullopt;
}

void FlowCommandQueue::Enqueue(Flow& flow) {
  if (flow.queued || flow.under_way || !NextType(flow)) return;
  flow.queued = true;
  ready_.push_back(KeyOf(flow.ref));
}

std::optional<FlowCommand> FlowCommandQueue::PollCommand(TimePoint now) {
  while (!ready_.empty()) {
    const Key key = ready_.front();
    ready_.pop_front();
    const auto found = flows_.find(key);
    if (found == flows_.end() || !found->second.queued) continue;
    Flow& flow = found->second;
    flow.queued = false;
    if (!flow.under_way) {
      const auto type = NextType(flow);
      if (!type) continue;
      if (*type == FlowCommandType::kProgram) flow.config_dirty = false;
      if (*type == FlowCommandType::kReceiveKeys) flow.receive_dirty = false;
      if (*type == FlowCommandType::kSendKeys) flow.send_dirty = false;
      flow.under_way = UnderWay{*type, next_sequence_++, 0, std::nullopt};
    }
    UnderWay& under_way = *flow.under_way;
    under_way.repeat_at = now + kFirstRepeat * (1 << under_way.doublings);
    under_way.doublings = std::min(under_way.doublings + 1, kMaxDoublings);
    repeats_.insert({*under_way.repeat_at, key});
    return Build(flow, under_way.type, under_way.sequence);
  }
  return std::nullopt;
}

FlowCommand FlowCommandQueue::Build(const Flow& flow, FlowCommandType type, uint64_t sequence) const {
  abi::CommandHeader header;
  header.sequence = sequence;
  header.flow = flow.ref;
  if (type == FlowCommandType::kRemove) return abi::RemoveFlow{header};
  if (type == FlowCommandType::kProgram) {
    abi::ProgramFlow command;
    command.header = header;
    command.config = flow.config;
    return command;
  }
  const bool receives = type == FlowCommandType::kReceiveKeys;
  const srtp::MasterKey& key = receives ? flow.receive : flow.send;
  abi::InstallKeys command;
  command.header = header;
  command.use = receives ? abi::KeyUse::kReceive : abi::KeyUse::kSend;
  command.profile = uint16_t(key.profile);
  command.key_bytes = uint8_t(key.key.view().size());
  command.salt_bytes = uint8_t(key.salt.view().size());
  std::memcpy(command.key, key.key.view().data(), key.key.view().size());
  std::memcpy(command.salt, key.salt.view().data(), key.salt.view().size());
  static_assert(sizeof command.mki == srtp::kMaxMkiBytes);
  command.mki_bytes = key.mki.length;
  std::memcpy(command.mki, key.mki.bytes, sizeof command.mki);
  return command;
}

void FlowCommandQueue::ReprogramAll() {
  repeats_.clear();
  ready_.clear();
  for (auto& [key, flow] : flows_) {
    flow.under_way.reset();
    flow.queued = flow.programmed = false;
    flow.config_dirty = true;
    flow.receive_dirty = !flow.receive.key.empty();
    flow.send_dirty = !flow.send.key.empty();
    Enqueue(flow);
  }
}

}  // namespace linegate::session
