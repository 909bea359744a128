#pragma once
#include <cstddef>
#include <cstdint>

namespace linegate::wire {

//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-------------------------------------------------------------- +
// |                    destination MAC (6 bytes)                  |
// +                               +-------------------------------+
// |                               |      source MAC (6 bytes)     |
// +-------------------------------+                               +
// |                                                               |
// +-------------------------------+-------------------------------+
// | 0x8100 and TCI (only tagged)  |          EtherType            |
// +-------------------------------+-------------------------------+
inline constexpr size_t kEthernetHeaderBytes = 14;
inline constexpr size_t kVlanTagBytes = 4;

inline constexpr uint16_t kEtherTypeIpv4 = 0x0800;
inline constexpr uint16_t kEtherTypeArp = 0x0806;
inline constexpr uint16_t kEtherTypeVlan =
    0x8100;  ///< IEEE 802.1Q C-tag; one tag is accepted, S-tags are not
inline constexpr uint16_t kEtherTypeIpv6 = 0x86dd;

/// The VLAN identifier of a tag control information word (the rest is priority and DEI).
constexpr uint16_t VlanIdOf(uint16_t tci) { return tci & 0x0fff; }

}  // namespace linegate::wire
