#pragma once
#include <cstdint>
#include <string_view>

namespace linegate::abi {

enum class Counter : uint16_t {
#define LG_COUNTER(symbol, id, name, text) symbol = id,
#include "dataplane/abi/counters.def"
#undef LG_COUNTER
};
enum class DropReason : uint16_t {
#define LG_DROP(symbol, id, name, text, reference) symbol = id,
#include "dataplane/abi/drop_reason.def"
#undef LG_DROP
};
inline constexpr uint32_t kMaxCounters = 128;
inline constexpr uint32_t kMaxDropReasons = 128;

struct CounterInfo {
  uint16_t id;
  std::string_view name;
  std::string_view text;
  std::string_view reference;
};
/// All of them, in id order; for operators' views.
extern const CounterInfo kCounterInfo[];
extern const uint32_t kCounterInfoCount;
extern const CounterInfo kDropReasonInfo[];
extern const uint32_t kDropReasonInfoCount;

/// One worker's counters in the link region. Written by the worker alone, once per loop turn, under the epoch: odd
/// while writing. A reader copies and retries while the epoch moved.
struct alignas(128) WorkerCounters {
  uint64_t epoch = 0;
  uint64_t reserved[15] = {};
  uint64_t counters[kMaxCounters] = {};
  uint64_t drops[kMaxDropReasons] = {};
};
static_assert(sizeof(WorkerCounters) == 128 + 8 * (kMaxCounters + kMaxDropReasons));

/// What one flow has carried, for operators and call records. Written by its worker alone; monotonic within a generation.
struct alignas(64) FlowStats {
  uint32_t generation = 0;
  uint32_t jitter_rtp_ticks = 0;  ///< RFC 3550 A.8
  uint64_t received_pkts = 0;
  uint64_t received_bytes = 0;
  uint64_t sent_pkts = 0;
  uint64_t sent_bytes = 0;
  uint64_t lost_pkts = 0;         ///< RFC 3550 A.3: expected - received on the ingress
  uint64_t last_received_ns = 0;  ///< CLOCK_MONOTONIC
  uint64_t rtcp_received_pkts = 0;
  // Up to here a cache line: what every packet writes.
  uint64_t dropped_pkts = 0;
  uint32_t last_drop_reason = 0;
  uint32_t reserved = 0;
  uint64_t reserved2[6] = {};
};
static_assert(sizeof(FlowStats) == 128);

/// What one TURN allocation has carried; bytes are application data. Written by its worker alone; monotonic within a
/// generation.
struct alignas(64) RelayStats {
  uint32_t generation = 0;
  uint32_t last_drop_reason = 0;
  uint64_t to_peer_pkts = 0;
  uint64_t to_peer_bytes = 0;
  uint64_t to_client_pkts = 0;
  uint64_t to_client_bytes = 0;
  uint64_t dropped_pkts = 0;
  uint64_t last_relayed_ns = 0;  ///< CLOCK_MONOTONIC
  uint64_t reserved = 0;
};
static_assert(sizeof(RelayStats) == 64);

}  // namespace linegate::abi
