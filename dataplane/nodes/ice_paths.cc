#include "dataplane/nodes/ice_paths.h"

#include <algorithm>
#include <cstring>

#include "dataplane/nodes/flow_egress.h"
#include "dataplane/nodes/stun_request.h"

namespace linegate::nodes {
namespace {

using abi::kNoPath;

bool SameIp(const abi::SocketAddress& a, const abi::SocketAddress& b) {
  return a.family == b.family && std::memcmp(a.address, b.address, sizeof a.address) == 0;
}

void EmitPath(abi::EventType type, uint32_t flow, uint8_t path, NodeContext& context) {
  const abi::FlowSlot& slot = context.slots[flow];
  const abi::ValidatedPath& entry = slot.ice.paths[path];
  context.Emit(type, abi::PathEvent{context.slots.RefOf(flow), slot.config.ingress.local[entry.local_index],
                                    entry.remote});
}

void Select(uint32_t flow, uint8_t path, NodeContext& context) {
  abi::IceState& ice = context.slots[flow].ice;
  FlowRuntime& runtime = context.runtime[flow];
  if (ice.selected != kNoPath) context.Count(abi::Counter::kPathChanges);
  ice.selected = path;
  ice.last_move_ns = context.now_ns;
  runtime.ice.deferred = kNoPath;
  if (runtime.verifying == path) runtime.verifying = kNoPath;
  EmitPath(abi::EventType::kPathSelected, flow, path, context);
  ReportPath(flow, context);
}

/// A nomination that needs no further proof.
void MoveOrDefer(uint32_t flow, uint8_t path, NodeContext& context) {
  const abi::IceState& ice = context.slots[flow].ice;
  FlowRuntime& runtime = context.runtime[flow];
  // Nothing to move away from (all addresses were taken away): nobody's stream is aimed anywhere.
  if (ice.selected == kNoPath || context.now_ns - ice.last_move_ns >= kMoveIntervalNs)
    return Select(flow, path, context);
  const uint8_t rival = runtime.ice.deferred != kNoPath ? runtime.ice.deferred : ice.selected;
  if (ice.paths[path].priority > ice.paths[rival].priority) runtime.ice.deferred = path;
}

void StartVerification(uint32_t flow, uint8_t path, NodeContext& context) {
  FlowRuntime& runtime = context.runtime[flow];
  if (runtime.verifying == path && runtime.ice.sends_left != 0) return;
  runtime.verifying = path;
  runtime.ice.sends_left = kVerificationSends;
  runtime.ice.interval_ns = kFirstRetransmitNs;
  runtime.ice.next_send_ns = context.now_ns;
  context.random.Fill(runtime.ice.transaction);
}

/// Sends our own check when it is due.
void DriveVerification(uint32_t flow, NodeContext& context) {
  FlowRuntime& runtime = context.runtime[flow];
  if (runtime.verifying == kNoPath || runtime.ice.sends_left == 0 ||
      context.now_ns < runtime.ice.next_send_ns)
    return;
  SendBindingRequest(flow, runtime.verifying, runtime.ice.transaction, context);
  --runtime.ice.sends_left;
  runtime.ice.next_send_ns = context.now_ns + runtime.ice.interval_ns;
  runtime.ice.interval_ns *= 2;
}

void Nominate(uint32_t flow, uint8_t path, NodeContext& context) {
  abi::IceState& ice = context.slots[flow].ice;
  FlowRuntime& runtime = context.runtime[flow];
  if (ice.nominated == 0) {
    ice.nominated = 1;
    if (ice.selected != path) Select(flow, path, context);
    return;
  }
  if (ice.selected == path) {
    // The peer's newest word: what else it nominated before is void.
    runtime.ice.deferred = kNoPath;
    runtime.verifying = kNoPath;
  } else if (ice.selected == kNoPath || SameIp(ice.paths[path].remote, ice.paths[ice.selected].remote)) {
    MoveOrDefer(flow, path, context);
  } else {
    StartVerification(flow, path, context);
    DriveVerification(flow, context);
  }
}

/// A free entry, or the one that was quiet longest and is not needed.
uint8_t EntryFor(uint32_t flow, NodeContext& context) {
  const abi::IceState& ice = context.slots[flow].ice;
  const FlowRuntime& runtime = context.runtime[flow];
  uint8_t oldest = kNoPath;
  for (uint8_t i = 0; i < abi::kMaxValidatedPaths; ++i) {
    if (ice.paths[i].state == 0) return i;
    if (i == ice.selected || i == runtime.verifying || i == runtime.ice.deferred) continue;
    if (oldest == kNoPath || ice.paths[i].last_check_ns < ice.paths[oldest].last_check_ns) oldest = i;
  }
  return oldest;
}

void DropPath(uint32_t flow, uint8_t path, NodeContext& context) {
  abi::FlowSlot& slot = context.slots[flow];
  FlowRuntime& runtime = context.runtime[flow];
  context.table.RemovePath(flow, path);
  runtime.known = {};
  if (runtime.verifying == path) runtime.verifying = kNoPath;
  if (runtime.ice.deferred == path) runtime.ice.deferred = kNoPath;
  if (slot.ice.selected == path) slot.ice.selected = kNoPath;
  abi::StoreBarrier();
  slot.ice.paths[path].state = 0;
  abi::StoreBarrier();
}

/// Finds or makes the entry of the check's address. kNoPath: it belongs to another leg that is alive.
uint8_t Learn(uint32_t flow, const VerifiedCheck& check, NodeContext& context) {
  abi::FlowSlot& slot = context.slots[flow];
  const Endpoint local = slot.config.ingress.local[check.local_index].ToEndpoint();
  const flow::PathMatch match = context.table.FindPath(local, check.remote.ToEndpoint());
  if (match.flow == flow) {
    abi::ValidatedPath& entry = slot.ice.paths[match.path];
    entry.priority = check.priority;
    entry.last_check_ns = context.now_ns;
    entry.next_hop = check.next_hop;
    return match.path;
  }
  if (match.flow != flow::kNoFlow) {
    const abi::IceState& other = context.slots[match.flow].ice;
    const bool alive = context.now_ns - other.paths[match.path].last_check_ns < kConsentNs;
    if (other.consent_lost == 0 && alive) return kNoPath;
    DropPath(match.flow, match.path, context);
  }
  const uint8_t path = EntryFor(flow, context);
  LG_ASSERT(path != kNoPath);
  if (slot.ice.paths[path].state != 0) DropPath(flow, path, context);
  abi::ValidatedPath entry;
  entry.local_index = check.local_index;
  entry.priority = check.priority;
  entry.remote = check.remote;
  entry.next_hop = check.next_hop;
  entry.last_check_ns = context.now_ns;
  slot.ice.paths[path] = entry;
  abi::StoreBarrier();
  slot.ice.paths[path].state = 1;
  context.table.AddPath(flow, path);
  EmitPath(abi::EventType::kPathValidated, flow, path, context);
  return path;
}

}  // namespace

bool OnVerifiedCheck(uint32_t flow, const VerifiedCheck& check, NodeContext& context) {
  const uint8_t path = Learn(flow, check, context);
  if (path == kNoPath) return false;
  abi::IceState& ice = context.slots[flow].ice;
  const bool begins = ice.consent_ns == 0 || ice.consent_lost != 0;
  ice.consent_ns = context.now_ns;
  ice.consent_lost = 0;
  const bool current = check.credentials == CredentialAge::kCurrent;
  if (current && check.nomination == Nomination::kUseCandidate) {
    Nominate(flow, path, context);
  } else if ((current && ice.nominated == 0 && ice.selected != path) || ice.selected == kNoPath) {
    Select(flow, path, context);
  }
  ReportPath(flow, context);
  if (begins || context.runtime[flow].verifying != kNoPath || context.runtime[flow].ice.deferred != kNoPath) {
    ArmIceTimer(flow, context);
  }
  return true;
}

void OnMediaFromUnprovenPath(uint32_t flow, uint8_t path, NodeContext& context) {
  const abi::IceState& ice = context.slots[flow].ice;
  const abi::ValidatedPath& old = ice.paths[ice.selected == kNoPath ? path : ice.selected];
  const uint64_t heard_ns = std::max(old.last_media_ns, old.last_check_ns);
  if (ice.selected == kNoPath || context.now_ns - heard_ns >= kSilenceNs) OnPathProven(flow, path, context);
}

uint8_t VerifyingPath(uint32_t flow, ByteView transaction_id, const NodeContext& context) {
  const FlowRuntime& runtime = context.runtime[flow];
  if (runtime.verifying == kNoPath || !std::ranges::equal(transaction_id, runtime.ice.transaction))
    return kNoPath;
  return runtime.verifying;
}

void OnPathProven(uint32_t flow, uint8_t path, NodeContext& context) {
  context.runtime[flow].verifying = kNoPath;
  MoveOrDefer(flow, path, context);
  ArmIceTimer(flow, context);
}

void OnIceTimer(uint32_t flow, NodeContext& context) {
  abi::IceState& ice = context.slots[flow].ice;
  FlowRuntime& runtime = context.runtime[flow];
  if (ice.consent_ns != 0 && ice.consent_lost == 0 && context.now_ns - ice.consent_ns >= kConsentNs) {
    ice.consent_lost = 1;
    ice.nominated = 0;
    ice.selected = kNoPath;  // the check that brings the leg back selects, and says so, again
    runtime.verifying = kNoPath;
    runtime.ice.deferred = kNoPath;
    context.Emit(abi::EventType::kConsentLost, abi::FlowEvent{context.slots.RefOf(flow)});
    ReportPath(flow, context);
  }
  if (runtime.ice.deferred != kNoPath && context.now_ns - ice.last_move_ns >= kMoveIntervalNs) {
    Select(flow, runtime.ice.deferred, context);
  }
  DriveVerification(flow, context);
  ArmIceTimer(flow, context);
}

void ArmIceTimer(uint32_t flow, NodeContext& context) {
  const abi::IceState& ice = context.slots[flow].ice;
  const FlowRuntime& runtime = context.runtime[flow];
  if (ice.consent_ns == 0 || ice.consent_lost != 0) return context.timers.Disarm(flow);
  uint64_t deadline_ns = ice.consent_ns + kConsentNs;
  if (runtime.verifying != kNoPath && runtime.ice.sends_left != 0)
    deadline_ns = std::min(deadline_ns, runtime.ice.next_send_ns);
  if (runtime.ice.deferred != kNoPath)
    deadline_ns = std::min(deadline_ns, ice.last_move_ns + kMoveIntervalNs);
  context.timers.Arm(flow, FromNanoseconds(deadline_ns));
}

void ForgetPaths(uint32_t flow, NodeContext& context) {
  for (uint8_t i = 0; i < abi::kMaxValidatedPaths; ++i) {
    if (context.slots[flow].ice.paths[i].state != 0) DropPath(flow, i, context);
  }
  context.timers.Disarm(flow);
}

}  // namespace linegate::nodes
