#include "drivers/net/vlan_port.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "dataplane/base/check.h"

namespace linegate::drivers {
namespace {

constexpr size_t kAddressBytes = 12;  // destination and source, which stay in front of the tag
constexpr size_t kTagBytes = 4;
constexpr size_t kEtherTypeBytes = 2;
constexpr uint16_t kTagType = 0x8100;
constexpr uint16_t kVlanMask = 0x0fff;

}  // namespace

VlanPort::VlanPort(io::PacketPort& trunk, uint16_t vlan) : trunk_(trunk), vlan_(vlan) {
  LG_FATAL(vlan >= kFirst && vlan <= kLast);
}

bool VlanPort::TakeTagOff(io::Packet& packet) const {
  if (packet.length < kAddressBytes + kTagBytes + kEtherTypeBytes) return false;
  if (LoadBe16(packet.data + kAddressBytes) != kTagType) return false;
  if ((LoadBe16(packet.data + kAddressBytes + 2) & kVlanMask) != vlan_) return false;
  std::memmove(packet.data + kTagBytes, packet.data, kAddressBytes);
  packet.data += kTagBytes;
  packet.headroom += kTagBytes;
  packet.length -= kTagBytes;
  return true;
}

size_t VlanPort::Receive(std::span<io::Packet> out) {
  const size_t received = trunk_.Receive(out);
  size_t kept = 0;
  for (size_t i = 0; i < received; ++i) {
    if (TakeTagOff(out[i])) [[likely]] {
      out[kept++] = out[i];
    } else {
      trunk_.Free({&out[i], 1});
      ++wrong_vlan_pkts_;
    }
  }
  return kept;
}

size_t VlanPort::SendBurst(std::span<const io::Packet> packets) {
  std::array<io::Packet, io::kMaxBurst> tagged;
  size_t count = 0;
  for (io::Packet packet : packets) {
    if (packet.headroom < kTagBytes || packet.length < kAddressBytes) [[unlikely]] {
      trunk_.Free({&packet, 1});
      ++no_room_pkts_;
      continue;
    }
    packet.data -= kTagBytes;
    packet.headroom -= kTagBytes;
    packet.length += kTagBytes;
    std::memmove(packet.data, packet.data + kTagBytes, kAddressBytes);
    StoreBe16(packet.data + kAddressBytes, kTagType);
    StoreBe16(packet.data + kAddressBytes + 2, vlan_);
    tagged[count++] = packet;
  }
  return trunk_.Send({tagged.data(), count});
}

size_t VlanPort::Send(std::span<const io::Packet> packets) {
  return io::SendInBursts(packets, [this](std::span<const io::Packet> burst) { return SendBurst(burst); });
}

io::PortStats VlanPort::stats() const {
  io::PortStats stats = trunk_.stats();
  stats.received_pkts -= wrong_vlan_pkts_;
  stats.wrong_vlan_pkts += wrong_vlan_pkts_;
  stats.send_failed_pkts += no_room_pkts_;
  return stats;
}

}  // namespace linegate::drivers
