#pragma once
#include "dataplane/abi/flow_slot.h"
#include "dataplane/base/prf_stream.h"
#include "dataplane/wire/rtp_header.h"

namespace linegate::nodes {

/// Test numbers (design D12): a caller's packet becomes one of our own stream. SSRC is ours; sequence number
/// and timestamp keep their distances and go on without a gap when the caller's source changes.
void Reflect(MutableByteView packet, uint32_t own_ssrc, abi::ReflectState& state, PrfStream& random);

/// Fills `payload` with 400 Hz at 8 kHz in PCMU (0) or PCMA (8), the phase continuing with the RTP timestamp.
void FillTone(MutableByteView payload, uint8_t payload_type, uint32_t timestamp);

}  // namespace linegate::nodes
