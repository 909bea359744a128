#include "controlplane/link/shm_link.h"

#include <algorithm>
#include <cstring>

namespace linegate::link {
namespace {

constexpr uint32_t kDrainLimit = 256;
constexpr Duration kHeartbeatLimit = std::chrono::milliseconds(500);

/// Copies a fixed-size record out of shared memory. nullopt: wrong size.
template <typename T>
std::optional<T> CopyRecord(ByteView payload) {
  if (payload.size() != sizeof(T)) return std::nullopt;
  T record;
  std::memcpy(static_cast<void*>(&record), payload.data(), sizeof record);
  return record;
}

/// A record and the payload behind it, out of shared memory.
template <typename Record>
struct Punt {
  Record record;
  std::array<uint8_t, abi::kPuntPayloadMax> payload;
  ByteView view() const { return ByteView(payload).first(record.payload_bytes); }
};

/// nullopt: sizes do not fit.
template <typename Record>
std::optional<Punt<Record>> CopyPunt(ByteView bytes) {
  std::optional<Punt<Record>> punt;
  if (bytes.size() < sizeof(Record)) return punt;
  punt.emplace();
  std::memcpy(static_cast<void*>(&punt->record), bytes.data(), sizeof(Record));
  const ByteView payload = bytes.subspan(sizeof(Record));
  if (punt->record.payload_bytes != payload.size() || payload.size() > abi::kPuntPayloadMax)
    return std::nullopt;
  std::copy(payload.begin(), payload.end(), punt->payload.begin());
  return punt;
}

}  // namespace

Result<ShmLink> ShmLink::Attach(const std::string& path, uint64_t config_hash, uint32_t workers,
                                uint32_t flows_per_worker, uint32_t relays_per_worker) {
  auto region =
      abi::Region::Attach(path, {abi::kLinkMagic, config_hash, workers, flows_per_worker, relays_per_worker});
  if (!region) return MakeUnexpected(std::move(region).error());
  const abi::LinkLayout layout(workers, flows_per_worker, relays_per_worker);
  if (region->size() < layout.total_bytes()) return Fail(path + ": shorter than its layout");
  return ShmLink(std::move(region).value(), layout);
}

ShmLink::ShmLink(abi::Region region, const abi::LinkLayout& layout)
    : region_(std::move(region)), region_view_(region_.data(), layout) {
  for (uint32_t w = 0; w < layout.workers(); ++w) {
    rings_.push_back({abi::RingProducer(region_view_.command_ring(w), abi::kCommandRingBytes),
                      abi::RingProducer(region_view_.inject_ring(w), abi::kInjectRingBytes),
                      abi::RingConsumer(region_view_.event_ring(w), abi::kEventRingBytes),
                      abi::RingConsumer(region_view_.punt_ring(w), abi::kPuntRingBytes)});
  }
  epoch_ = region_view_.header().dataplane_epoch.load(std::memory_order_acquire);
  first_sequence_ = region_view_.header().last_command_sequence.load(std::memory_order_acquire) + 1;
}

bool ShmLink::SendCommand(uint16_t worker, abi::CommandType type, ByteView command) {
  if (worker < rings_.size() && rings_[worker].commands.TryWrite(uint32_t(type), command)) return true;
  ++counters_.command_ring_full;
  return false;
}

template <typename Record>
bool ShmLink::WriteInject(uint16_t worker, abi::InjectKind kind, Record record, ByteView payload) {
  if (worker < rings_.size()) {
    MutableByteView room =
        rings_[worker].inject.TryClaim(uint32_t(kind), uint32_t(sizeof record + payload.size()));
    if (room.data() != nullptr) {
      record.payload_bytes = uint32_t(payload.size());
      std::memcpy(room.data(), &record, sizeof record);
      std::copy(payload.begin(), payload.end(), room.begin() + sizeof record);
      rings_[worker].inject.Commit();
      return true;
    }
  }
  ++counters_.inject_ring_full;
  return false;
}

bool ShmLink::Inject(uint16_t worker, const abi::InjectRecord& record, ByteView payload) {
  return WriteInject(worker, abi::InjectKind::kToLeg, record, payload);
}

bool ShmLink::InjectFromListener(uint16_t worker, const abi::ListenerInjectRecord& record, ByteView message) {
  return WriteInject(worker, abi::InjectKind::kFromListener, record, message);
}

bool ShmLink::InjectFromClient(const abi::RelayRef& relay, ByteView message) {
  abi::RelayInjectRecord record;
  record.relay = relay;
  return WriteInject(relay.worker, abi::InjectKind::kRelayFromClient, record, message);
}

void ShmLink::Poll(TimePoint now, LinkHandler& handler) {
  abi::LinkHeader& header = region_view_.header();
  header.controlplane_heartbeat_ns.store(ToNanoseconds(now), std::memory_order_relaxed);
  if (const uint64_t epoch = header.dataplane_epoch.load(std::memory_order_acquire); epoch != epoch_) {
    epoch_ = epoch;
    handler.OnDataplaneRestarted();
  }
  for (uint16_t w = 0; w < rings_.size(); ++w) {
    rings_[w].events.Drain(kDrainLimit,
                           [&](uint32_t type, MutableByteView p) { HandleEvent(w, type, p, handler); });
    rings_[w].punts.Drain(kDrainLimit,
                          [&](uint32_t type, MutableByteView p) { HandlePunt(w, type, p, handler); });
  }
}

void ShmLink::HandleEvent(uint16_t worker, uint32_t type, ByteView payload, LinkHandler& handler) {
  const auto type_name = abi::EventType(type);
  if (type_name == abi::EventType::kCommandDone) {
    if (auto done = CopyRecord<abi::CommandDone>(payload); done && done->flow.worker == worker)
      return handler.OnCommandDone(*done);
  } else if (type_name == abi::EventType::kPathValidated || type_name == abi::EventType::kPathSelected) {
    if (auto path = CopyRecord<abi::PathEvent>(payload); path && path->flow.worker == worker) {
      return type_name == abi::EventType::kPathSelected ? handler.OnPathSelected(*path)
                                                        : handler.OnPathValidated(*path);
    }
  } else if (type_name == abi::EventType::kConsentLost) {
    if (auto event = CopyRecord<abi::FlowEvent>(payload); event && event->flow.worker == worker) {
      return handler.OnConsentLost(event->flow);
    }
  }
  ++counters_.malformed_records;
}

void ShmLink::HandlePunt(uint16_t worker, uint32_t type, ByteView payload, LinkHandler& handler) {
  switch (abi::PuntKind(type)) {
    case abi::PuntKind::kDtls:
      if (const auto punt = CopyPunt<abi::PuntRecord>(payload); punt && punt->record.flow.worker == worker) {
        return handler.OnPuntedDtls(punt->record.flow, punt->record.local.ToEndpoint(),
                                    punt->record.remote.ToEndpoint(), punt->view());
      }
      break;
    case abi::PuntKind::kTurn:
      if (const auto punt = CopyPunt<abi::TurnPuntRecord>(payload))
        return handler.OnPuntedTurn(worker, punt->record, punt->view());
      break;
    case abi::PuntKind::kRelayToClient:
      if (const auto punt = CopyPunt<abi::RelayPuntRecord>(payload);
          punt && punt->record.relay.worker == worker) {
        return handler.OnRelayToClient(punt->record.relay, punt->view());
      }
      break;
  }
  ++counters_.malformed_records;
}

bool ShmLink::dataplane_up(TimePoint now) const {
  const TimePoint beat =
      FromNanoseconds(region_view_.header().dataplane_heartbeat_ns.load(std::memory_order_relaxed));
  return now - beat < kHeartbeatLimit;
}

std::array<uint8_t, 16> ShmLink::ice_key() const {
  std::array<uint8_t, 16> key;
  std::memcpy(key.data(), region_view_.header().ice_key, key.size());
  return key;
}

void ShmLink::NoteSequence(uint64_t sequence) {
  // A repeated command carries an old number, and the workers raise this word too.
  auto& last = region_view_.header().last_command_sequence;
  uint64_t seen = last.load(std::memory_order_relaxed);
  while (seen < sequence && !last.compare_exchange_weak(seen, sequence, std::memory_order_release)) {
  }
}

XdpDrops ShmLink::ReadXdpDrops() const {
  const abi::LinkHeader& header = region_view_.header();
  return {header.xdp_no_socket_pkts.load(std::memory_order_relaxed),
          header.xdp_fragment_pkts.load(std::memory_order_relaxed)};
}

void ShmLink::ReadCounters(uint16_t worker, abi::WorkerCounters& out) const {
  abi::ReadCounters(region_view_.counters(worker), out);
}

std::optional<abi::FlowStats> ShmLink::ReadFlowStats(const abi::FlowRef& flow) const {
  if (flow.worker >= workers() || flow.index >= region_view_.layout().flows_per_worker()) return std::nullopt;
  abi::FlowStats stats;
  std::memcpy(static_cast<void*>(&stats), &region_view_.flow_stats(flow.worker)[flow.index], sizeof stats);
  if (stats.generation != flow.generation) return std::nullopt;
  return stats;
}

std::optional<abi::RelayStats> ShmLink::ReadRelayStats(const abi::RelayRef& relay) const {
  if (relay.worker >= workers() || relay.index >= region_view_.layout().relays_per_worker())
    return std::nullopt;
  abi::RelayStats stats;
  std::memcpy(static_cast<void*>(&stats), &region_view_.relay_stats(relay.worker)[relay.index], sizeof stats);
  if (stats.generation != relay.generation) return std::nullopt;
  return stats;
}

}  // namespace linegate::link
