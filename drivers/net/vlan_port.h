#pragma once
#include <cstdint>

#include "dataplane/io/packet_port.h"

namespace linegate::drivers {

/// One VLAN of another port (IEEE 802.1Q).
///
/// Theory of operation. The other side is a trunk: frames carry a tag of type 0x8100. Receive passes on those of this VLAN,
/// with the tag taken off, so that nothing behind it knows of VLANs; it frees and counts all others: untagged, of another
/// VLAN, priority-tagged (VLAN 0), service tags (0x88a8). Send puts the tag back, priority 0. The tag is moved in place: it
/// costs 12 bytes copied in a cache line that is needed anyhow.
///
/// Kernel interfaces need none of this: there a VLAN is an interface of its own.
class VlanPort final : public io::PacketPort {
 public:
  static constexpr uint16_t kFirst = 1;
  static constexpr uint16_t kLast = 4094;

  /// `trunk` outlives this port and is used through it alone. Pre: kFirst <= `vlan` <= kLast.
  VlanPort(io::PacketPort& trunk, uint16_t vlan);

  /// May return 0 although the trunk had frames, when none of them was of this VLAN.
  size_t Receive(std::span<io::Packet> out) override;
  size_t Send(std::span<const io::Packet> packets) override;
  bool Allocate(io::Packet& out) override { return trunk_.Allocate(out); }
  void Free(std::span<const io::Packet> packets) override { trunk_.Free(packets); }
  MacAddress mac() const override { return trunk_.mac(); }
  io::PortStats stats() const override;

 private:
  bool TakeTagOff(io::Packet& packet) const;
  size_t SendBurst(std::span<const io::Packet> packets);

  io::PacketPort& trunk_;
  const uint16_t vlan_;
  uint64_t wrong_vlan_pkts_ = 0;
  uint64_t no_room_pkts_ = 0;
};

}  // namespace linegate::drivers
