#pragma once
#include "dataplane/io/packet_port.h"

namespace linegate::drivers {

/// kUnfinished if the frame is UDP over IPv4 or IPv6 (no VLAN, no extension headers) whose checksum field
/// holds the bare pseudo-header sum: what a Linux sender leaves for offload hardware that veth and virtual
/// NICs do not have. Otherwise kUnknown. A finished checksum looks like this by chance once in 65,536: as
/// often as a damaged datagram passes verification, so nothing is lost by trusting it.
io::RxChecksum ProbeUnfinishedChecksum(ByteView frame);

}  // namespace linegate::drivers
