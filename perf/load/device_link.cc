#include "perf/load/device_link.h"

#include <algorithm>
#include <thread>

#include "dataplane/base/ice_ufrag.h"
#include "dataplane/base/rng.h"

namespace linegate::load {
namespace {

constexpr auto kAttachLimit = std::chrono::seconds(10);
constexpr auto kAnswerLimit = std::chrono::seconds(30);
constexpr uint64_t kInFlight = 256;

}  // namespace

Result<std::unique_ptr<DeviceLink>> DeviceLink::Attach(const settings::DataplaneSettings& settings) {
  const TimePoint end = MonotonicNow() + kAttachLimit;
  for (;;) {
    auto link =
        link::ShmLink::Attach(abi::LinkPath(settings.runtime_directory), settings.hash, settings.workers,
                              settings.flows_per_worker, settings.relays_per_worker);
    if (link && link->dataplane_up(MonotonicNow()))
      return std::unique_ptr<DeviceLink>(new DeviceLink(std::move(*link)));
    if (MonotonicNow() > end) return link ? Fail("no dataplane is running") : MakeUnexpected(link.error());
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

void DeviceLink::OnCommandDone(const abi::CommandDone& done) {
  if (unanswered_ > 0) --unanswered_;
  if (done.status != abi::CommandStatus::kDone) ++refused_;
}

template <typename Command>
Status DeviceLink::Send(abi::CommandType type, const abi::FlowRef& flow, Command command) {
  command.header.sequence = sequence_++;
  command.header.flow = flow;
  while (!link_.SendCommand(0, type, {reinterpret_cast<const uint8_t*>(&command), sizeof command}))
    link_.Poll(MonotonicNow(), *this);
  link_.NoteSequence(command.header.sequence);
  ++unanswered_;
  if (unanswered_ >= kInFlight) return AwaitAnswers();
  return {};
}

Status DeviceLink::AwaitAnswers() {
  const TimePoint end = MonotonicNow() + kAnswerLimit;
  while (unanswered_ > 0) {
    link_.Poll(MonotonicNow(), *this);
    if (MonotonicNow() > end) return Fail("the dataplane does not answer commands");
  }
  if (refused_ > 0) return Fail("the dataplane refused " + std::to_string(refused_) + " commands");
  return {};
}

Status DeviceLink::ProgramSide(const CallPlan& plan, uint32_t call, CallPlan::Side side) {
  abi::ProgramFlow command;
  command.config = plan.Config(call, side, UfragOf(call, side));
  return Send(abi::CommandType::kProgramFlow, CallPlan::FlowOf(call, side), command);
}

Status DeviceLink::InstallKeys(uint32_t call, CallPlan::Side side, const srtp::MasterKey& key) {
  abi::InstallKeys command;
  command.profile = uint16_t(key.profile);
  command.key_bytes = uint8_t(key.key.view().size());
  command.salt_bytes = uint8_t(key.salt.view().size());
  std::ranges::copy(key.key.view(), command.key);
  std::ranges::copy(key.salt.view(), command.salt);
  const CallPlan::Side other =
      side == CallPlan::Side::kFirst ? CallPlan::Side::kSecond : CallPlan::Side::kFirst;
  command.use = abi::KeyUse::kReceive;
  if (Status sent = Send(abi::CommandType::kInstallKeys, CallPlan::FlowOf(call, side), command); !sent)
    return sent;
  // What is sent to this browser: the flow whose egress it is.
  command.use = abi::KeyUse::kSend;
  return Send(abi::CommandType::kInstallKeys, CallPlan::FlowOf(call, other), command);
}

Status DeviceLink::Program(const CallPlan& plan, const srtp::MasterKey& key) {
  SecureRng rng;
  link_.ReadCounters(0, before_);
  ufrags_.assign(2 * size_t{plan.calls()}, {});
  if (Status sent = Send(abi::CommandType::kRemoveAllFlows, {0, 0, 0, 0}, abi::RemoveAllFlows{}); !sent)
    return sent;
  if (plan.is_turn()) return ProgramRelays(plan);
  constexpr CallPlan::Side kSides[] = {CallPlan::Side::kFirst, CallPlan::Side::kSecond};
  for (uint32_t call = 0; call < plan.calls(); ++call) {
    for (CallPlan::Side side : kSides) {
      const abi::FlowRef flow = CallPlan::FlowOf(call, side);
      if (plan.IsBrowser(side))
        ufrags_[flow.index] = MakeIceUfrag(link_.ice_key(), {0, flow.index, flow.generation}, rng);
      if (Status sent = ProgramSide(plan, call, side); !sent) return sent;
    }
    for (CallPlan::Side side : kSides) {
      if (!plan.IsBrowser(side)) continue;
      if (Status sent = InstallKeys(call, side, key); !sent) return sent;
    }
  }
  return AwaitAnswers();
}

Status DeviceLink::ProgramRelays(const CallPlan& plan) {
  for (uint32_t call = 0; call < plan.calls(); ++call) {
    abi::ProgramRelay relay;
    relay.config = plan.Relay(call);
    if (Status sent = Send(abi::CommandType::kProgramRelay, CallPlan::RelayOf(call), relay); !sent)
      return sent;
    abi::SetRelayPeer peer;
    peer.peer = plan.RelayPeerOf(call);
    if (Status sent = Send(abi::CommandType::kSetRelayPeer, CallPlan::RelayOf(call), peer); !sent)
      return sent;
  }
  return AwaitAnswers();
}

uint64_t DeviceLink::Losses() {
  abi::WorkerCounters now;
  link_.ReadCounters(0, now);
  uint64_t lost = now.counters[size_t(abi::Counter::kSendFailedPkts)];
  for (uint32_t n = 0; n < abi::kDropReasonInfoCount; ++n) lost += now.drops[abi::kDropReasonInfo[n].id];
  return lost;
}

DeviceLink::Turns DeviceLink::WorkerTurns() {
  abi::WorkerCounters now;
  link_.ReadCounters(0, now);
  const auto counter = [&now](abi::Counter id) { return now.counters[size_t(id)]; };
  const uint64_t idle = counter(abi::Counter::kIdleTurns);
  return {counter(abi::Counter::kReceivedPkts), counter(abi::Counter::kLoopTurns) - idle, idle,
          counter(abi::Counter::kLateTurns)};
}

std::string DeviceLink::Drops() {
  abi::WorkerCounters now;
  link_.ReadCounters(0, now);
  std::string text;
  for (uint32_t n = 0; n < abi::kDropReasonInfoCount; ++n) {
    const abi::CounterInfo& reason = abi::kDropReasonInfo[n];
    const uint64_t count = now.drops[reason.id] - before_.drops[reason.id];
    if (count != 0)
      text += (text.empty() ? "" : ", ") + std::string(reason.name) + " " + std::to_string(count);
  }
  for (abi::Counter counter : {abi::Counter::kSendFailedPkts, abi::Counter::kPuntedPkts,
                               abi::Counter::kTurnPuntedPkts, abi::Counter::kLoopedPkts}) {
    const uint64_t count = now.counters[size_t(counter)] - before_.counters[size_t(counter)];
    if (count == 0) continue;
    const auto* const info = std::ranges::find(abi::kCounterInfo, abi::kCounterInfo + abi::kCounterInfoCount,
                                               uint16_t(counter), &abi::CounterInfo::id);
    text += (text.empty() ? "" : ", ") + std::string(info->name) + " " + std::to_string(count);
  }
  return text;
}

}  // namespace linegate::load
