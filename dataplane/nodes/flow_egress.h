#pragma once
#include "dataplane/nodes/node_context.h"

namespace linegate::nodes {

/// Makes FlowRuntime::egress of `flow` from its configuration (RTP side) or from the leg's path (WebRTC
/// side). After every change of either.
void RefreshEgress(uint32_t flow, NodeContext& context);

/// Where packets towards the leg that is the ingress of `flow` go now: its selected path, or nowhere.
abi::EgressPath SelectedEgressPath(uint32_t flow, const NodeContext& context);

/// Tells the opposite direction of `flow` its selected path: at once when it lives on this worker, else by a
/// message. Repeated with every verified check, because a message may be lost and the other flow may have
/// been made later.
void ReportPath(uint32_t flow, NodeContext& context);

/// The leg of `flow` is going away: nothing is sent to it any more.
void WithdrawPath(uint32_t flow, NodeContext& context);

/// Asks the opposite direction for the path that packets of `flow` shall take (it may know one already).
void RequestPath(uint32_t flow, NodeContext& context);

/// A message from another worker.
void HandleMessage(const FlowMessage& message, NodeContext& context);

}  // namespace linegate::nodes
