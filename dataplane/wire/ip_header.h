#pragma once
#include <cstddef>
#include <cstdint>

namespace linegate::wire {

inline constexpr size_t kIpv4MinHeaderBytes = 20;  // RFC 791 section 3.1
inline constexpr size_t kIpv6HeaderBytes = 40;     // RFC 8200 section 3
inline constexpr size_t kUdpHeaderBytes = 8;       // RFC 768

inline constexpr uint8_t kIpProtocolUdp = 17;
// IPv6 extension headers (RFC 8200 section 4).
inline constexpr uint8_t kIpv6HopByHop = 0;
inline constexpr uint8_t kIpv6Routing = 43;
inline constexpr uint8_t kIpv6Fragment = 44;
inline constexpr uint8_t kIpv6DestinationOptions = 60;

/// Extension headers accepted in front of UDP. RFC 8200 sets no limit; an attacker's chain of them is only
/// work.
inline constexpr size_t kMaxIpv6Extensions = 4;

inline constexpr uint8_t kDefaultHopLimit = 64;
/// Expedited forwarding (RFC 3246), the usual mark of voice (RFC 8837 table 1, audio).
inline constexpr uint8_t kDscpExpeditedForwarding = 46;

}  // namespace linegate::wire
