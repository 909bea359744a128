#pragma once
/* What the XDP program and its loader share. Plain C: compiled by clang for BPF and by g++ for the loader, so
 * the two cannot drift. A change of a map's key, value or size makes the loader replace pinned maps instead
 * of reusing them. */
#ifdef __cplusplus
#include <cstdint>
#define LG_XDP_U8 uint8_t
#define LG_XDP_U16 uint16_t
#else
#define LG_XDP_U8 __u8
#define LG_XDP_U16 __u16
#endif

/* Key of map lg_ports: one UDP port of one of our addresses.
 *
 *    0                16      18       19       20
 *   +-----------------+-------+--------+--------+
 *   | address         | port  | family | zero   |
 *   +-----------------+-------+--------+--------+
 * address: as on the wire; IPv4 in the first four bytes, the rest zero. port: network byte order. family: 4
 * or 6. */
struct LgPortKey {
  LG_XDP_U8 address[16];
  LG_XDP_U16 port_be;
  LG_XDP_U8 family;
  LG_XDP_U8 zero;
};

/* Two realms may each claim every port; the map allocates entries as they are added. */
#define LG_XDP_MAX_PORTS 131072
#define LG_XDP_MAX_QUEUES 128

/* Counters of map lg_counters, in order: symbol, name, what it counts. Append only. */
#define LG_XDP_COUNTERS(X)                                                         \
  X(kRedirected, "redirected", "handed to the worker's socket")                    \
  X(kNoSocket, "no_socket", "for our ports while no dataplane was bound: dropped") \
  X(kFragment, "fragment", "first fragment of a datagram for our ports: dropped")  \
  X(kTruncated, "truncated", "UDP over IP too short for its headers: left to the kernel")

enum LgXdpCounter {
#define LG_XDP_ENUM(symbol, name, text) LgXdp_##symbol,
  LG_XDP_COUNTERS(LG_XDP_ENUM)
#undef LG_XDP_ENUM
      LgXdp_count
};
