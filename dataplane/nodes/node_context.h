#pragma once
#include <cstdint>
#include <span>

#include "dataplane/abi/counters.h"
#include "dataplane/abi/flow_event.h"
#include "dataplane/abi/spsc_ring.h"
#include "dataplane/base/prf_stream.h"
#include "dataplane/base/time.h"
#include "dataplane/flow/flow_slots.h"
#include "dataplane/flow/flow_table.h"
#include "dataplane/flow/local_ports.h"
#include "dataplane/flow/timer_wheel.h"
#include "dataplane/io/packet_port.h"
#include "dataplane/nodes/flow_runtime.h"
#include "dataplane/nodes/known_flows.h"
#include "dataplane/nodes/loop_queue.h"
#include "dataplane/nodes/packet_batch.h"
#include "dataplane/nodes/turn_context.h"
#include "dataplane/nodes/tx_queues.h"
#include "dataplane/srtp/transform.h"
#include "dataplane/wire/stun_message.h"

namespace linegate::nodes {

/// A fact for a flow that lives on another worker.
struct FlowMessage {
  enum class Kind : uint32_t {
    kPath,        ///< `path` is where packets towards the leg go now
    kPathWanted,  ///< tell me: `to` is the flow whose ingress the leg is
  };
  Kind kind = Kind::kPath;
  abi::FlowRef to;
  abi::FlowRef from;
  abi::EgressPath path;
};

/// Carries facts to other workers; they may be lost when a ring is full, so senders repeat them.
class MessageSink {
 public:
  virtual ~MessageSink() = default;
  virtual bool Post(uint16_t worker, const FlowMessage& message) = 0;
};

/// A worker's counters while it runs; published to shared memory by worker/.
struct Tally {
  uint64_t counters[abi::kMaxCounters] = {};
  uint64_t drops[abi::kMaxDropReasons] = {};
};

/// All that the nodes of one worker share. One thread; everything is owned by the Worker that outlives it.
struct NodeContext {
  uint16_t worker;
  TimePoint now;
  uint64_t now_ns;
  MediaClock media_clock;  ///< of `now`
  const flow::LocalPorts& local_ports;
  flow::FlowSlots& slots;
  flow::FlowTable& table;
  KnownFlows& known_flows;
  std::span<FlowRuntime> runtime;
  std::span<abi::FlowStats> stats;
  flow::TimerWheel& timers;
  Tally& tally;
  abi::RingProducer& events;
  abi::RingProducer& punts;
  MessageSink& messages;
  std::span<io::PacketPort* const> ports;
  TxQueues& tx;
  wire::HmacSha1& hmac;
  srtp::SrtpTransform& transform;
  PrfStream& random;
  TurnContext& turn;
  LoopQueue& loops;
  TokenBucket& stun_errors;  ///< all error responses of this worker
  uint64_t tie_breaker;      ///< ICE-CONTROLLED of our own checks (RFC 8445 section 5.2)

  void Count(abi::Counter counter) { ++tally.counters[size_t(counter)]; }
  void Drop(PacketMeta& meta, abi::DropReason reason) {
    meta.verdict = Verdict::kDrop;
    meta.reason = reason;
    ++tally.drops[size_t(reason)];
    if (meta.relay != flow::kNoRelay) {
      ++turn.stats[meta.relay].dropped_pkts;
      turn.stats[meta.relay].last_drop_reason = uint32_t(reason);
    }
    if (meta.flow == flow::kNoFlow) return;
    ++stats[meta.flow].dropped_pkts;
    stats[meta.flow].last_drop_reason = uint32_t(reason);
  }
  template <typename Event>
  void Emit(abi::EventType type, const Event& event) {
    const ByteView bytes(reinterpret_cast<const uint8_t*>(&event), sizeof event);
    if (!events.TryWrite(uint32_t(type), bytes)) Count(abi::Counter::kEventsLost);
  }
};

/// Media of packet `i` was accepted: its like will be recognised. `path` = KnownTuple's.
inline void RememberTuple(const PacketBatch& batch, size_t i, uint8_t path, NodeContext& context) {
  const PacketMeta& meta = batch.meta[i];
  if (meta.known_source || meta.component != 0 || meta.plain.udp_bytes == 0) return;
  context.runtime[meta.flow].known = {meta.plain.tuple, batch.packets[i].port_id, path};
  context.known_flows.Remember(meta.tuple_hash, meta.flow);
}

}  // namespace linegate::nodes
