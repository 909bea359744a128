#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/abi/flow_slot.h"
#include "dataplane/abi/link_region.h"
#include "dataplane/abi/relay_slot.h"
#include "dataplane/base/rng.h"
#include "dataplane/base/time.h"
#include "dataplane/io/packet_port.h"
#include "dataplane/nodes/node_context.h"
#include "dataplane/settings/settings.h"
#include "dataplane/srtp/transform.h"
#include "dataplane/wire/stun_message.h"
#include "dataplane/worker/handover.h"

namespace linegate::worker {

/// What a worker borrows; all of it outlives the worker.
struct WorkerParts {
  uint16_t id = 0;
  const settings::DataplaneSettings& settings;
  /// Initialised, with LinkHeader::ice_key filled. The worker reads and writes the part of worker `id` alone.
  abi::LinkRegion link;
  /// This worker's `flows_per_worker` slots of the vault; zeroed or from an earlier life (Adopt).
  std::span<abi::FlowSlot> slots;
  /// Index = port id = position in settings::InterfacesOf(settings).
  std::span<io::PacketPort* const> ports;
  srtp::SrtpTransform& transform;
  wire::HmacSha1& hmac;
  HandoverMesh& mesh;
  Rng& rng;  ///< used in the constructor only, for seeds
  /// This worker's `relays_per_worker` relay slots of the vault, as `slots`.
  std::span<abi::RelaySlot> relays = {};
};

/// One poll-mode worker: owns its flows and runs every packet of theirs to completion (design D4).
///
/// Theory of operation. RunOnce is one turn: commands, messages of other workers and injected datagrams (each
/// bounded), packets handed over, one burst from each port, timers, counters. A burst passes the nodes in
/// this order:
///
///   classify -> stun, turn -> punt -> rtp_receive -> srtp_unprotect -> media_forward -> srtp_protect -> transmit
///
/// A frame that transmit finds addressed to ourselves comes back as a new burst of the same turn (or goes
/// over the hand-over ring to its owner), at most kMaxInternalHops times. One thread; nothing in a turn
/// allocates except the cipher contexts of a key command; nothing locks, logs, throws or calls the system
/// except the ports themselves.
class Worker {
 public:
  explicit Worker(const WorkerParts& parts);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Takes over what stands in the slots: once, before the first RunOnce. Rebuilds tables and cipher
  /// contexts; every SRTP index up to the stored marks counts as used. Returns how many flows live on.
  uint32_t Adopt(TimePoint now);

  /// One turn of the loop. True: there was something to do (the caller's idle strategy asks).
  bool RunOnce(TimePoint now);

 private:
  class State;
  std::unique_ptr<State> state_;
};

/// Draws LinkHeader::ice_key if the region is new (all zero).
void PrepareLink(const abi::LinkRegion& link, Rng& rng);

}  // namespace linegate::worker
