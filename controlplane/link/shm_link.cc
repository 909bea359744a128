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

bool ShmLink::Inject(uint16_t worker, const abi::InjectRecord& record, ByteView payload) {
  if (worker < rings_.size()) {
    MutableByteView room = rings_[worker].inject.TryClaim(uint32_t(abi::InjectKind::kToLeg),
                                                          uint32_t(sizeof record + payload.size()));
    if (room.data() != nullptr) {
      abi::InjectRecord header = record;
      header.payload_bytes = uint32_t(payload.size());
      std::memcpy(room.data(), &header, sizeof header);
      std::copy(payload.begin(), payload.end(), room.begin() + sizeof header);
      rings_[worker].inject.Commit();
      return true;
    }
  }
  ++counters_.inject_ring_full;
  return false;
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
  abi::PuntRecord record;
  if (abi::PuntKind(type) != abi::PuntKind::kDtls || payload.size() < sizeof record) {
    ++counters_.malformed_records;
    return;
  }
  std::memcpy(static_cast<void*>(&record), payload.data(), sizeof record);
  if (record.payload_bytes != payload.size() - sizeof record || record.payload_bytes > abi::kPuntPayloadMax ||
      record.flow.worker != worker) {
    ++counters_.malformed_records;
    return;
  }
  std::array<uint8_t, abi::kPuntPayloadMax> datagram;
  std::copy_n(payload.begin() + sizeof record, record.payload_bytes, datagram.begin());
  handler.OnPuntedDtls(record.flow, record.local.ToEndpoint(), record.remote.ToEndpoint(),
                       ByteView(datagram).first(record.payload_bytes));
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

}  // namespace linegate::link
