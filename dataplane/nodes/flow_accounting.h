#pragma once
#include "dataplane/nodes/node_context.h"
#include "dataplane/wire/rtp_header.h"

namespace linegate::nodes {

/// What FlowStats says of media that was accepted on the ingress of `meta.flow`.
inline void RecordRtp(const PacketMeta& meta, const wire::RtpHeaderView& header, NodeContext& context) {
  abi::FlowStats& stats = context.stats[meta.flow];
  ++stats.received_pkts;
  stats.received_bytes += meta.payload_bytes;
  stats.last_received_ns = context.now_ns;
  context.runtime[meta.flow].stream.Record(header, context.media_clock, stats);
}

inline void RecordRtcp(const PacketMeta& meta, NodeContext& context) {
  abi::FlowStats& stats = context.stats[meta.flow];
  ++stats.rtcp_received_pkts;
  stats.last_received_ns = context.now_ns;
}

/// What left towards the egress of `meta.flow`, as it goes out.
inline void RecordSent(const PacketMeta& meta, NodeContext& context) {
  if (meta.component != 0) return context.Count(abi::Counter::kRtcpForwardedPkts);
  abi::FlowStats& stats = context.stats[meta.flow];
  ++stats.sent_pkts;
  stats.sent_bytes += meta.payload_bytes;
  context.Count(abi::Counter::kForwardedPkts);
}

}  // namespace linegate::nodes
