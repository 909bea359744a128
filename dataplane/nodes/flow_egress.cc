#include "dataplane/nodes/flow_egress.h"

#include <algorithm>

namespace linegate::nodes {
namespace {

/// `reached` = addresses and next hop of one component, as configured or reported.
EgressTarget TargetOf(const abi::SocketAddress& local, const abi::SocketAddress& remote,
                      const abi::NextHop& next_hop, uint8_t dscp, const NodeContext& context) {
  EgressTarget target;
  wire::FrameHeader header;
  header.source = local.ToEndpoint();
  header.destination = remote.ToEndpoint();
  if (remote.family == 0 || local.family != remote.family || header.destination.port == 0) return target;
  // 1:1 NAT: SDP of a hairpin call names our advertised address.
  header.destination.address = context.local_ports.Unadvertised(header.destination.address);
  target.known = true;
  target.internal = context.local_ports.IsOurAddress(header.destination.address);
  flow::LocalPort destination;
  if (target.internal && context.local_ports.Find(header.destination, destination))
    target.port_id = destination.port_id;
  if (!target.internal) target.port_id = next_hop.port_id;
  target.next_hop_known = target.internal || (next_hop.known != 0 && next_hop.port_id < context.ports.size());
  if (!target.next_hop_known) return target;
  header.source_mac = context.ports[target.port_id]->mac();
  std::copy_n(next_hop.mac, sizeof next_hop.mac, header.destination_mac.bytes.begin());
  header.tagged = next_hop.vlan != 0;
  header.vlan_tci = next_hop.vlan;
  header.dscp = dscp;
  target.headers = wire::FrameTemplate(header);
  return target;
}

/// Pre: `flow` is live here.
void StorePath(uint32_t flow, const abi::EgressPath& path, NodeContext& context) {
  abi::FlowSlot& slot = context.slots[flow];
  if (slot.egress.Read() == path) return;
  slot.egress.Write(path);
  RefreshEgress(flow, context);
}

/// The slot of the opposite direction if it lives here and agrees that it is; kNoFlow otherwise.
uint32_t LocalReverse(uint32_t flow, const NodeContext& context) {
  const abi::FlowRef& reverse = context.slots[flow].config.reverse;
  const abi::FlowSlot* slot = context.slots.Live(reverse);
  if (slot == nullptr || slot->config.reverse != context.slots.RefOf(flow)) return flow::kNoFlow;
  return reverse.index;
}

void SendPath(uint32_t flow, const abi::EgressPath& path, NodeContext& context) {
  const abi::FlowRef& reverse = context.slots[flow].config.reverse;
  if (!reverse) return;
  if (reverse.worker == context.worker) {
    const uint32_t other = LocalReverse(flow, context);
    if (other != flow::kNoFlow) StorePath(other, path, context);
    return;
  }
  const FlowMessage message{FlowMessage::Kind::kPath, reverse, context.slots.RefOf(flow), path};
  if (!context.messages.Post(reverse.worker, message)) context.Count(abi::Counter::kMessagesLost);
}

}  // namespace

void RefreshEgress(uint32_t flow, NodeContext& context) {
  const abi::FlowSlot& slot = context.slots[flow];
  const abi::Egress& egress = slot.config.egress;
  FlowRuntime& runtime = context.runtime[flow];
  if (egress.kind == abi::SideKind::kWebRtc) {
    const abi::EgressPath& path = slot.egress.Read();
    EgressTarget target;
    if (path.known != 0) target = TargetOf(path.local, path.remote, path.next_hop, egress.dscp, context);
    runtime.egress = {target, target};  // rtcp-mux always
    return;
  }
  const size_t rtcp = egress.rtcp_mux != 0 ? 0 : 1;
  runtime.egress[0] = TargetOf(egress.local[0], egress.remote[0], egress.next_hop, egress.dscp, context);
  runtime.egress[1] =
      TargetOf(egress.local[rtcp], egress.remote[rtcp], egress.next_hop, egress.dscp, context);
}

abi::EgressPath SelectedEgressPath(uint32_t flow, const NodeContext& context) {
  const abi::FlowSlot& slot = context.slots[flow];
  abi::EgressPath path;
  if (slot.ice.selected == abi::kNoPath || slot.ice.consent_lost != 0) return path;
  const abi::ValidatedPath& selected = slot.ice.paths[slot.ice.selected];
  path.known = 1;
  path.local = slot.config.ingress.local[selected.local_index];
  path.remote = selected.remote;
  path.next_hop = selected.next_hop;
  return path;
}

void ReportPath(uint32_t flow, NodeContext& context) {
  if (context.slots[flow].config.ingress.kind != abi::SideKind::kWebRtc) return;
  SendPath(flow, SelectedEgressPath(flow, context), context);
}

void WithdrawPath(uint32_t flow, NodeContext& context) {
  if (context.slots[flow].config.ingress.kind == abi::SideKind::kWebRtc) SendPath(flow, {}, context);
}

void RequestPath(uint32_t flow, NodeContext& context) {
  const abi::FlowRef& reverse = context.slots[flow].config.reverse;
  if (!reverse || context.slots[flow].config.egress.kind != abi::SideKind::kWebRtc) return;
  if (reverse.worker == context.worker) {
    const uint32_t other = LocalReverse(flow, context);
    if (other != flow::kNoFlow) StorePath(flow, SelectedEgressPath(other, context), context);
    return;
  }
  const FlowMessage message{FlowMessage::Kind::kPathWanted, reverse, context.slots.RefOf(flow), {}};
  if (!context.messages.Post(reverse.worker, message)) context.Count(abi::Counter::kMessagesLost);
}

void HandleMessage(const FlowMessage& message, NodeContext& context) {
  const abi::FlowSlot* slot = context.slots.Live(message.to);
  if (slot == nullptr || slot->config.reverse != message.from) return;
  if (message.kind == FlowMessage::Kind::kPath) {
    if (slot->config.egress.kind == abi::SideKind::kWebRtc)
      StorePath(message.to.index, message.path, context);
    return;
  }
  if (slot->config.ingress.kind == abi::SideKind::kWebRtc) ReportPath(message.to.index, context);
}

}  // namespace linegate::nodes
