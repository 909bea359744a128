#pragma once
#include "dataplane/nodes/node_context.h"

namespace linegate::nodes {

/// RTP and RTCP in the clear, on a flow's own ports. Only from the address that SDP names, or, where the flow
/// latches, from whoever sent the first well-formed packet. Leaves good packets on PacketBatch::clear.
void RtpReceive(PacketBatch& batch, NodeContext& context);

/// SRTP and SRTCP from validated addresses, or on an encrypted RTP leg's own ports from where RtpReceive takes packets: one
/// engine call per burst, but for the few legs with ReceiveKeyExtras, whose packets go one by one. Theory of operation: fill (keys there?
/// header sound? index by RFC 3711 section 3.3.1; seen before?), submit, retire (tag good? seen meanwhile?
/// record, then forward). A packet whose tag is wrong changes nothing: no source, no window, no rollover
/// counter, no address. Leaves good packets, decrypted, on PacketBatch::clear.
void SrtpUnprotect(PacketBatch& batch, NodeContext& context);

}  // namespace linegate::nodes
