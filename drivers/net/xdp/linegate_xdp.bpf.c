/* The XDP program of Linegate. Theory of operation:
 * UDP for one of our (address, port) pairs goes to the AF_XDP socket of its receive queue; everything else -
 * TCP, ICMP, ARP, other ports and addresses, VLAN-tagged frames - passes to the kernel untouched. With no
 * socket bound, packets for our ports are dropped and not passed: the kernel would answer each with ICMP port
 * unreachable, and phones end calls on that, while a dataplane restarts. First fragments for our ports are
 * dropped (the worker does not reassemble); later fragments carry no ports and pass, where they time out.
 *
 * The names are a contract with libxdp, which the AF_XDP driver of DPDK uses: it adopts an attached program
 * called xsk_def_prog with a map called xsks_map and an xsk_prog_version in section xdp_metadata. Without a
 * `refcnt` variable it never detaches it. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "xdp_abi.h"

struct {
  __uint(type, BPF_MAP_TYPE_XSKMAP);
  __uint(max_entries, LG_XDP_MAX_QUEUES);
  __type(key, __u32);
  __type(value, __u32);
} xsks_map SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, LG_XDP_MAX_PORTS);
  __type(key, struct LgPortKey);
  __type(value, __u8);
} lg_ports SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, LgXdp_count);
  __type(key, __u32);
  __type(value, __u64);
} lg_counters SEC(".maps");

__uint(xsk_prog_version, 1) SEC("xdp_metadata");
char _license[] SEC("license") = "Apache-2.0";

/* IPv6 extension headers that are walked before the packet is left to the kernel. */
#define MAX_EXTENSION_HEADERS 4
#define IPV4_FRAGMENT_OFFSET 0x1fff
#define IPV4_MORE_FRAGMENTS 0x2000
#define IPV6_FRAGMENT_OFFSET 0xfff8

struct Fragment6 {
  __u8 next_header;
  __u8 reserved;
  __be16 offset_and_flags;
  __be32 id;
};

static __always_inline void Count(__u32 counter) {
  __u64* value = bpf_map_lookup_elem(&lg_counters, &counter);
  if (value) ++*value;
}

static __always_inline int PassTruncated(void) {
  Count(LgXdp_kTruncated);
  return XDP_PASS;
}

/* The verdict once the UDP header is found; `key` holds family and address. */
static __always_inline int Decide(struct xdp_md* ctx, struct LgPortKey* key, void* transport,
                                  int is_fragment) {
  struct udphdr* udp = transport;
  if ((void*)(udp + 1) > (void*)(long)ctx->data_end) return PassTruncated();
  key->port_be = udp->dest;
  if (!bpf_map_lookup_elem(&lg_ports, key)) return XDP_PASS;
  if (is_fragment) {
    Count(LgXdp_kFragment);
    return XDP_DROP;
  }
  int verdict = bpf_redirect_map(&xsks_map, ctx->rx_queue_index, XDP_DROP);
  Count(verdict == XDP_REDIRECT ? LgXdp_kRedirected : LgXdp_kNoSocket);
  return verdict;
}

static __always_inline int HandleIpv4(struct xdp_md* ctx, void* network) {
  void* end = (void*)(long)ctx->data_end;
  struct iphdr* ip = network;
  if ((void*)(ip + 1) > end || ip->protocol != IPPROTO_UDP) return XDP_PASS;
  __u32 header_bytes = ip->ihl * 4;
  if (ip->version != 4 || header_bytes < sizeof *ip) return XDP_PASS;
  __u16 fragment = bpf_ntohs(ip->frag_off);
  if (fragment & IPV4_FRAGMENT_OFFSET) return XDP_PASS;
  struct LgPortKey key;
  __builtin_memset(&key, 0, sizeof key);
  key.family = 4;
  __builtin_memcpy(key.address, &ip->daddr, 4);
  return Decide(ctx, &key, network + header_bytes, fragment & IPV4_MORE_FRAGMENTS);
}

/* Hop-by-hop and destination options are stepped over (RFC 8200 section 4); anything else but UDP and a
 * fragment, a routing header above all, is the kernel's business. A fragment header makes it a fragment even
 * when it is whole. */
static __always_inline int HandleIpv6(struct xdp_md* ctx, void* network) {
  void* end = (void*)(long)ctx->data_end;
  struct ipv6hdr* ip = network;
  if ((void*)(ip + 1) > end || ip->version != 6) return XDP_PASS;
  struct LgPortKey key;
  key.family = 6;
  key.zero = 0;
  __builtin_memcpy(key.address, &ip->daddr, 16);
  __u8 next = ip->nexthdr;
  void* cursor = ip + 1;
  int is_fragment = 0;
#pragma unroll
  for (int i = 0; i <= MAX_EXTENSION_HEADERS; ++i) {
    if (next == IPPROTO_UDP) return Decide(ctx, &key, cursor, is_fragment);
    if (next == IPPROTO_HOPOPTS || next == IPPROTO_DSTOPTS) {
      struct ipv6_opt_hdr* option = cursor;
      if ((void*)(option + 1) > end) return XDP_PASS;
      next = option->nexthdr;
      cursor += (option->hdrlen + 1) * 8;
    } else if (next == IPPROTO_FRAGMENT) {
      struct Fragment6* fragment = cursor;
      if ((void*)(fragment + 1) > end) return XDP_PASS;
      if (bpf_ntohs(fragment->offset_and_flags) & IPV6_FRAGMENT_OFFSET) return XDP_PASS;
      is_fragment = 1;
      next = fragment->next_header;
      cursor = fragment + 1;
    } else {
      return XDP_PASS;
    }
  }
  return XDP_PASS;
}

SEC("xdp")
int xsk_def_prog(struct xdp_md* ctx) {
  struct ethhdr* ethernet = (void*)(long)ctx->data;
  if ((void*)(ethernet + 1) > (void*)(long)ctx->data_end) return XDP_PASS;
  /* RFC 1122 section 3.3.6: a unicast datagram inside a link-layer broadcast is not for us to answer. */
  if (ethernet->h_dest[0] & 1) return XDP_PASS;
  if (ethernet->h_proto == bpf_htons(ETH_P_IP)) return HandleIpv4(ctx, ethernet + 1);
  if (ethernet->h_proto == bpf_htons(ETH_P_IPV6)) return HandleIpv6(ctx, ethernet + 1);
  return XDP_PASS;
}
