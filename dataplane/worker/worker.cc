#include "dataplane/worker/worker.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "dataplane/abi/punt_record.h"
#include "dataplane/base/huge_pages.h"
#include "dataplane/nodes/classify.h"
#include "dataplane/nodes/flow_egress.h"
#include "dataplane/nodes/ice_paths.h"
#include "dataplane/nodes/media_forward.h"
#include "dataplane/nodes/media_receive.h"
#include "dataplane/nodes/punt.h"
#include "dataplane/nodes/stun_check.h"
#include "dataplane/nodes/stun_reply.h"
#include "dataplane/nodes/transmit.h"
#include "dataplane/nodes/turn_listener.h"
#include "dataplane/nodes/turn_relay.h"
#include "dataplane/worker/command_drain.h"

namespace linegate::worker {
namespace {

constexpr uint32_t kInjectsPerTurn = 32;
constexpr uint32_t kMessagesPerTurn = 32;
constexpr uint32_t kTimersPerTurn = 64;
constexpr uint64_t kHeartbeatNs = 10'000'000;
constexpr uint64_t kPublishNs = 1'000'000;
/// Longer than the work of a turn with ipsec-mb (32 packets from each port: 10 to 40 us). With libsrtp2 a burst may take as long.
constexpr uint64_t kLateNs = 100'000;

/// Facts for other workers go straight into their lanes.
class MeshSink final : public nodes::MessageSink {
 public:
  MeshSink(HandoverMesh& mesh, uint16_t worker) : mesh_(mesh), worker_(worker) {}
  bool Post(uint16_t worker, const nodes::FlowMessage& message) override {
    if (worker == worker_ || worker >= mesh_.workers()) return false;
    return mesh_.lane(worker_, worker).messages.TryPush(message);
  }

 private:
  HandoverMesh& mesh_;
  uint16_t worker_;
};

}  // namespace

class Worker::State {
 public:
  explicit State(const WorkerParts& parts);
  uint32_t Adopt(TimePoint now);
  bool RunOnce(TimePoint now);

 private:
  void SetNow(TimePoint now);
  void CountLateTurn(uint64_t turn_before_ns);
  struct LoopedPacket {
    io::Packet packet;
    uint8_t hops = 0;
  };
  bool DrainMessages();
  bool DrainInjected();
  bool DrainHandedOver();
  /// What was made here and is addressed to ourselves.
  bool DrainLooped();
  bool ReceiveBursts();
  /// Runs a burst to completion, with what comes back of it.
  void ProcessBatch();
  void RunNodes();
  /// Hands over, frees, and collects what loops; returns how many loop.
  size_t SettleBatch();
  void HandOver(nodes::PacketMeta& meta, const io::Packet& packet);
  uint64_t WrongVlanPkts() const;
  void Publish(bool busy);

  const uint16_t id_;
  abi::LinkRegion link_;
  std::span<io::PacketPort* const> ports_;
  HandoverMesh& mesh_;
  flow::LocalPorts local_ports_;
  PrfStream random_;
  flow::FlowSlots slots_;
  flow::FlowTable table_;
  nodes::KnownFlows known_flows_;
  HugePageVector<nodes::FlowRuntime> runtime_;
  flow::RelaySlots relay_slots_;
  flow::RelayTable relay_table_;
  HugePageVector<nodes::RelayRuntime> relay_runtime_;
  HugePageVector<nodes::RelayTargets> relay_targets_;
  WorkerRelayDirectory relay_directory_;
  nodes::SourceLimiter sources_;
  flow::TimerWheel timers_;
  nodes::Tally tally_;
  abi::RingProducer events_;
  abi::RingProducer punts_;
  abi::RingConsumer commands_;
  abi::RingConsumer injects_;
  MeshSink messages_;
  nodes::TxQueues tx_;
  nodes::TokenBucket stun_errors_{1000, 1000};
  nodes::LoopQueue loops_;
  nodes::TurnContext turn_;
  nodes::NodeContext context_;
  CommandDrain command_drain_;
  nodes::PacketBatch batch_;
  std::array<LoopedPacket, io::kMaxBurst> looped_;
  std::array<HandedPacket, nodes::PacketBatch::kCapacity> handed_;
  const bool polls_;
  bool was_busy_ = false;  ///< the turn before
  const bool has_vlans_;
  uint64_t wrong_vlan_before_ = 0;              ///< what an earlier process counted
  std::array<io::Packet, io::kMaxBurst> done_;  ///< whose buffers go back
  uint64_t published_ns_ = 0;
  uint64_t heartbeat_ns_ = 0;
};

Worker::State::State(const WorkerParts& parts)
    : id_(parts.id),
      link_(parts.link),
      ports_(parts.ports),
      mesh_(parts.mesh),
      local_ports_(parts.settings),
      random_(parts.rng),
      slots_(parts.slots, parts.id, local_ports_, link_.header().ice_key),
      table_(parts.slots, local_ports_, random_),
      known_flows_(uint32_t(parts.slots.size()), random_),
      runtime_(parts.slots.size()),
      relay_slots_(parts.relays, id_, local_ports_, ports_.size()),
      relay_table_(parts.relays, random_),
      relay_runtime_(parts.relays.size()),
      relay_targets_(parts.relays.size()),
      relay_directory_(mesh_.relay_directory(), id_, mesh_.workers(), link_.header().ice_key),
      sources_(parts.settings.stun.requests_per_second_per_source, random_),
      timers_(uint32_t(parts.slots.size())),
      events_(link_.event_ring(id_), abi::kEventRingBytes),
      punts_(link_.punt_ring(id_), abi::kPuntRingBytes),
      commands_(link_.command_ring(id_), abi::kCommandRingBytes),
      injects_(link_.inject_ring(id_), abi::kInjectRingBytes),
      messages_(mesh_, id_),
      tx_(ports_),
      turn_{.slots = relay_slots_,
            .table = relay_table_,
            .runtime = relay_runtime_,
            .targets = relay_targets_,
            .stats = {link_.relay_stats(id_), parts.relays.size()},
            .directory = relay_directory_,
            .sources = sources_,
            .strangers_limit = nodes::RateLimit::PerSecond(parts.settings.stun.new_clients_per_second,
                                                           parts.settings.stun.new_clients_per_second)},
      context_{.worker = id_,
               .now = {},
               .now_ns = 0,
               .media_clock = {},
               .local_ports = local_ports_,
               .slots = slots_,
               .table = table_,
               .known_flows = known_flows_,
               .runtime = runtime_,
               .stats = {link_.flow_stats(id_), parts.slots.size()},
               .timers = timers_,
               .tally = tally_,
               .events = events_,
               .punts = punts_,
               .messages = messages_,
               .ports = ports_,
               .tx = tx_,
               .hmac = parts.hmac,
               .transform = parts.transform,
               .random = random_,
               .turn = turn_,
               .loops = loops_,
               .stun_errors = stun_errors_,
               .tie_breaker = random_.U64()},
      command_drain_(context_, commands_, link_.header()),
      polls_(parts.settings.idle == settings::IdleMode::kPoll),
      has_vlans_(std::ranges::any_of(parts.settings.realms, [](auto& realm) { return realm.vlan != 0; })) {
  LG_FATAL(!ports_.empty() && ports_.size() <= HandedPacket::kMaxPorts &&
           parts.slots.size() == link_.layout().flows_per_worker());
  LG_FATAL(parts.relays.size() == link_.layout().relays_per_worker());
  // Counters are monotonic over a restart of the dataplane.
  const abi::WorkerCounters& shared = link_.counters(id_);
  std::copy_n(shared.counters, abi::kMaxCounters, tally_.counters);
  std::copy_n(shared.drops, abi::kMaxDropReasons, tally_.drops);
  wrong_vlan_before_ = tally_.drops[size_t(abi::DropReason::kWrongVlan)];
  tx_.Continue(tally_.counters[size_t(abi::Counter::kSentPkts)],
               tally_.counters[size_t(abi::Counter::kSendFailedPkts)]);
}

void Worker::State::SetNow(TimePoint now) {
  context_.now = now;
  context_.now_ns = ToNanoseconds(now);
  context_.media_clock = nodes::MediaClock::At(context_.now_ns);
}

uint32_t Worker::State::Adopt(TimePoint now) {
  SetNow(now);
  uint32_t adopted = 0;
  for (uint32_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].life_word().state != abi::SlotState::kFree && command_drain_.AdoptSlot(i)) ++adopted;
  }
  for (uint32_t i = 0; i < relay_slots_.size(); ++i) {
    if (relay_slots_[i].life_word().state != abi::SlotState::kFree) command_drain_.relays().AdoptSlot(i);
  }
  Publish(true);
  return adopted;
}

void Worker::State::CountLateTurn(uint64_t turn_before_ns) {
  const uint64_t gap_ns = context_.now_ns - turn_before_ns;
  // A worker that found nothing to do may have napped.
  if (gap_ns < kLateNs || turn_before_ns == 0 || !(polls_ || was_busy_)) [[likely]]
    return;
  context_.Count(abi::Counter::kLateTurns);
  tally_.counters[size_t(abi::Counter::kLateMicroseconds)] += gap_ns / 1000;
}

bool Worker::State::RunOnce(TimePoint now) {
  const uint64_t turn_before_ns = context_.now_ns;
  SetNow(now);
  CountLateTurn(turn_before_ns);
  bool busy = command_drain_.Run();
  busy |= DrainMessages();
  busy |= DrainInjected();
  busy |= DrainHandedOver();
  busy |= ReceiveBursts();
  busy |= timers_.Advance(now, kTimersPerTurn, [this](uint32_t flow) {
    if (slots_.IsLive(flow)) nodes::OnIceTimer(flow, context_);
  }) != 0;
  busy |= DrainLooped();
  tx_.FlushAll();
  context_.Count(abi::Counter::kLoopTurns);
  if (!busy) context_.Count(abi::Counter::kIdleTurns);
  Publish(busy);
  was_busy_ = busy;
  return busy;
}

bool Worker::State::DrainMessages() {
  bool busy = false;
  for (uint16_t from = 0; from < mesh_.workers(); ++from) {
    if (from == id_) continue;
    nodes::FlowMessage message;
    for (uint32_t n = 0; n < kMessagesPerTurn && mesh_.lane(from, id_).messages.TryPop(message); ++n) {
      nodes::HandleMessage(message, context_);
      busy = true;
    }
  }
  return busy;
}

bool Worker::State::DrainInjected() {
  return injects_.Drain(kInjectsPerTurn, [this](uint32_t type, MutableByteView record) {
    switch (abi::InjectKind(type)) {
      case abi::InjectKind::kToLeg:
        return nodes::Inject(record, context_);
      case abi::InjectKind::kFromListener:
        return nodes::InjectFromListener(record, context_);
      case abi::InjectKind::kRelayFromClient:
        return nodes::InjectFromRelayClient(record, context_);
    }
    ++tally_.drops[size_t(abi::DropReason::kInjectRefused)];
  }) != 0;
}

bool Worker::State::DrainHandedOver() {
  bool busy = false;
  for (uint16_t from = 0; from < mesh_.workers(); ++from) {
    if (from == id_) continue;
    const size_t count = mesh_.lane(from, id_).packets.PopBurst(handed_);
    if (count == 0) continue;
    batch_.Clear();
    for (const HandedPacket& handed : std::span(handed_).first(count))
      batch_.Add(handed.packet(), handed.hops());
    ProcessBatch();
    busy = true;
  }
  return busy;
}

bool Worker::State::DrainLooped() {
  // What the nodes add meanwhile waits for the next turn.
  uint32_t left = loops_.size();
  const bool busy = left != 0;
  while (left != 0) {
    batch_.Clear();
    io::Packet packet;
    for (; left != 0 && batch_.count < nodes::PacketBatch::kCapacity && loops_.Pop(packet); --left)
      batch_.Add(packet, 1);
    ProcessBatch();
  }
  return busy;
}

bool Worker::State::ReceiveBursts() {
  bool busy = false;
  for (io::PacketPort* port : ports_) {
    batch_.Clear();
    const size_t count = port->Receive(batch_.packets);
    if (count == 0) continue;
    for (size_t i = 0; i < count; ++i) batch_.meta[i].Begin(0);
    batch_.count = count;
    tally_.counters[size_t(abi::Counter::kReceivedPkts)] += count;
    ProcessBatch();
    busy = true;
  }
  return busy;
}

void Worker::State::ProcessBatch() {
  for (;;) {
    RunNodes();
    const size_t looping = SettleBatch();
    if (looping == 0) return;
    batch_.Clear();
    for (size_t i = 0; i < looping; ++i) batch_.Add(looped_[i].packet, looped_[i].hops);
  }
}

void Worker::State::RunNodes() {
  nodes::Classify(batch_, context_);
  nodes::StunListener(batch_, context_);
  nodes::TurnListener(batch_, context_);
  nodes::RelayFromPeers(batch_, context_);
  nodes::StunLeg(batch_, context_);
  nodes::DtlsPunt(batch_, context_);
  nodes::RtpReceive(batch_, context_);
  nodes::SrtpUnprotect(batch_, context_);
  nodes::MediaForward(batch_, context_);
  nodes::SrtpProtect(batch_, context_);
  nodes::Transmit(batch_, context_);
}

size_t Worker::State::SettleBatch() {
  size_t done_count = 0;
  size_t looping = 0;
  bool handed = false;
  for (size_t i = 0; i < batch_.count; ++i) {
    nodes::PacketMeta& meta = batch_.meta[i];
    const io::Packet& packet = batch_.packets[i];
    if (meta.verdict == nodes::Verdict::kHandOver) {
      HandOver(meta, packet);
      handed = true;
    }
    switch (meta.verdict) {
      case nodes::Verdict::kLoop:
        looped_[looping++] = {packet, uint8_t(meta.hops + 1)};
        break;
      case nodes::Verdict::kHandOver:
        break;
      case nodes::Verdict::kForward:
        if (!meta.ready) done_[done_count++] = packet;
        break;
      case nodes::Verdict::kPunt:
      case nodes::Verdict::kDrop:
      case nodes::Verdict::kConsumed:
        done_[done_count++] = packet;
        break;
    }
  }
  if (done_count != 0) ports_[0]->Free({done_.data(), done_count});
  if (handed) [[unlikely]] {
    for (uint16_t to = 0; to < mesh_.workers(); ++to) {
      if (to != id_) mesh_.lane(id_, to).packets.Publish();
    }
  }
  return looping;
}

void Worker::State::HandOver(nodes::PacketMeta& meta, const io::Packet& packet) {
  if (meta.owner < mesh_.workers() &&
      mesh_.lane(id_, meta.owner).packets.TryStage(HandedPacket(packet, meta.hops))) {
    return context_.Count(abi::Counter::kHandedOverPkts);
  }
  context_.Drop(meta, abi::DropReason::kHandoverRingFull);
}

/// The one drop that no node sees: the ports take the tags off.
uint64_t Worker::State::WrongVlanPkts() const {
  uint64_t packets = 0;
  for (const io::PacketPort* port : ports_) packets += port->stats().wrong_vlan_pkts;
  return packets;
}

void Worker::State::Publish(bool busy) {
  if (id_ == 0 && context_.now_ns - heartbeat_ns_ >= kHeartbeatNs) {
    heartbeat_ns_ = context_.now_ns;
    link_.header().dataplane_heartbeat_ns.store(context_.now_ns, std::memory_order_relaxed);
  }
  if (!busy && context_.now_ns - published_ns_ < kPublishNs) return;
  published_ns_ = context_.now_ns;
  tally_.counters[size_t(abi::Counter::kActiveFlows)] = command_drain_.active_flows();
  tally_.counters[size_t(abi::Counter::kActiveRelays)] = command_drain_.relays().active_relays();
  tally_.counters[size_t(abi::Counter::kSentPkts)] = tx_.sent_pkts();
  tally_.counters[size_t(abi::Counter::kSendFailedPkts)] = tx_.failed_pkts();
  if (has_vlans_) tally_.drops[size_t(abi::DropReason::kWrongVlan)] = wrong_vlan_before_ + WrongVlanPkts();
  abi::WorkerCounters& shared = link_.counters(id_);
  const std::atomic_ref<uint64_t> epoch(shared.epoch);
  const uint64_t odd = (epoch.load(std::memory_order_relaxed) | 1);
  epoch.store(odd, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);
  std::copy_n(tally_.counters, abi::kCounterInfoCount, shared.counters);
  std::copy_n(tally_.drops, abi::kDropReasonInfoCount, shared.drops);
  epoch.store(odd + 1, std::memory_order_release);
}

Worker::Worker(const WorkerParts& parts) : state_(std::make_unique<State>(parts)) {}
Worker::~Worker() = default;
uint32_t Worker::Adopt(TimePoint now) { return state_->Adopt(now); }
bool Worker::RunOnce(TimePoint now) { return state_->RunOnce(now); }

void PrepareLink(const abi::LinkRegion& link, Rng& rng) {
  uint8_t(&key)[16] = link.header().ice_key;
  if (std::ranges::any_of(key, [](uint8_t byte) { return byte != 0; })) return;
  rng.Fill(key);
}

}  // namespace linegate::worker
