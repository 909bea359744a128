#pragma once
#include <span>

#include "dataplane/abi/flow_slot.h"
#include "dataplane/base/byte_view.h"

namespace linegate::nodes {

/// Where we renumbered a stream (srtp::TransmitIndex::offset), what its receiver says about sequence numbers
/// is translated back for the sender: report blocks of SR and RR (RFC 3550 section 6.4) and generic NACK (RFC
/// 4585 section 6.2.1). transport-cc counts with numbers of its own and needs none. Pre: `compound` was
/// parsed.
void TranslateReports(MutableByteView compound, std::span<const abi::TransmitSource> sources);

/// False for nearly every call: nothing was renumbered.
bool AnyRenumbered(std::span<const abi::TransmitSource> sources);

}  // namespace linegate::nodes
