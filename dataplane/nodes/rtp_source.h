#pragma once
#include "dataplane/nodes/node_context.h"

namespace linegate::nodes {

/// Who may send to an RTP port: the address that SDP names, or, where the flow latches, whoever sent the first good packet.
/// What is good differs: a well-formed packet on a plain leg, one with the right tag on an encrypted one.
struct RtpSource {
  size_t index = 0;     ///< which of the flow's expected addresses
  bool learns = false;  ///< still to be learned
  bool allowed = false;

  static RtpSource Of(const PacketMeta& meta, const FlowRuntime& runtime) {
    RtpSource source;
    if (meta.known_source) [[likely]] {
      source.allowed = true;
      return source;
    }
    // With rtcp-mux RTCP comes from where RTP comes from (RFC 5761).
    source.index = runtime.rtcp_mux ? 0 : meta.component;
    source.learns = (runtime.to_learn & (1u << source.index)) != 0;
    source.allowed = source.learns || meta.frame.source == runtime.expected[source.index];
    return source;
  }
  void Learn(const PacketMeta& meta, abi::FlowSlot& slot, FlowRuntime& runtime) const {
    slot.source[index] = abi::SocketAddress::From(meta.frame.source);
    abi::StoreBarrier();
    slot.latched = uint16_t(slot.latched | (1u << index));
    runtime.to_learn = uint8_t(runtime.to_learn & ~(1u << index));
    runtime.expected[index] = meta.frame.source;
  }
};

}  // namespace linegate::nodes
