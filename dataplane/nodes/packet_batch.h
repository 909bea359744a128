#pragma once
#include <array>
#include <cstdint>

#include "dataplane/abi/counters.h"
#include "dataplane/flow/flow_table.h"
#include "dataplane/flow/local_ports.h"
#include "dataplane/flow/relay_table.h"
#include "dataplane/io/packet_port.h"
#include "dataplane/nodes/job_burst.h"
#include "dataplane/nodes/verdict.h"
#include "dataplane/wire/frame_view.h"
#include "dataplane/wire/frame_writer.h"
#include "dataplane/wire/plain_udp.h"

namespace linegate::nodes {

/// What every packet begins with.
struct PacketState {
  Verdict verdict = Verdict::kForward;
  abi::DropReason reason = abi::DropReason::kNone;
  Route route = Route::kStunListener;
  uint8_t hops = 0;             ///< how often it was looped inside
  uint8_t component = 0;        ///< media: 0 RTP, 1 RTCP
  uint8_t path = abi::kNoPath;  ///< WebRTC ingress: which validated address it came from
  bool ready = false;           ///< `out`, `out_port`, `payload` are complete: to be sent
  flow::LocalPortKind local_kind = flow::LocalPortKind::kStunListener;  ///< classify
  bool guessed = false;       ///< classify: `flow` is KnownFlows' guess
  bool known_source = false;  ///< it came from where the flow's media was accepted from before
  bool open = false;          ///< `out` was made by FrameTemplate::Open: `ip` goes with it
  bool internal = false;      ///< `out` leads to one of our own addresses: loop, or hand over
  uint16_t owner = 0;         ///< kHandOver: to which worker
  uint16_t out_port = 0;
  uint16_t payload_bytes = 0;  ///< UDP payload as it is now
  uint16_t rtp_header_bytes = 0;
  uint32_t flow = flow::kNoFlow;    ///< slot whose ingress received it
  uint32_t relay = flow::kNoRelay;  ///< TURN allocation it belongs to
  uint32_t lookup = 0;      ///< classify: what its table is asked with, a hash or LocalPort::rtp_index
  uint64_t tuple_hash = 0;  ///< of a plain packet: KnownFlows'
  uint8_t* payload = nullptr;
  const wire::FrameTemplate* out = nullptr;  ///< headers to be sent: the flow's, or PacketBatch::own_headers
};
static_assert(sizeof(PacketState) <= 64, "a cache line, so that beginning costs one store of that size");

/// What the nodes know of one packet.
struct PacketMeta : PacketState {
  wire::PlainUdp plain;   ///< udp_bytes == 0: not of that kind
  wire::IpFields ip;      ///< with `open`
  wire::FrameView frame;  ///< as received; not made of a packet with `known_source`

  /// Forgets the packet that was here before; what only some packets have is left to those who make it.
  void Begin(uint8_t looped) {
    static_cast<PacketState&>(*this) = {};
    hops = looped;
    plain.udp_bytes = 0;
  }
  ByteView payload_view() const { return {payload, payload_bytes}; }
  MutableByteView mutable_payload() { return {payload, payload_bytes}; }
};

/// Positions in a batch, in order.
struct IndexList {
  std::array<uint8_t, io::kMaxBurst> items;
  uint8_t count = 0;
  void Add(size_t i) { items[count++] = uint8_t(i); }
  const uint8_t* begin() const { return items.data(); }
  const uint8_t* end() const { return items.data() + count; }
};

/// One burst on its way through the nodes: parallel arrays, one list of positions per route.
struct PacketBatch {
  static constexpr size_t kCapacity = io::kMaxBurst;
  std::array<io::Packet, kCapacity> packets;
  std::array<PacketMeta, kCapacity> meta;
  std::array<IndexList, kRouteCount> routes;
  IndexList clear;    ///< media in the clear, authenticated or from the expected source: for media_forward
  IndexList protect;  ///< media towards a WebRTC leg: for srtp_protect
  std::array<wire::FrameTemplate, kCapacity> own_headers;  ///< of packets whose headers no flow keeps
  JobBurst jobs;                                           ///< of the node that runs
  size_t count = 0;

  void Clear() {
    count = 0;
    for (IndexList& list : routes) list.count = 0;
    clear.count = 0;
    protect.count = 0;
  }
  /// Adds a packet that was looped `hops` times. Pre: not full.
  void Add(const io::Packet& packet, uint8_t hops) {
    packets[count] = packet;
    meta[count].Begin(hops);
    ++count;
  }
  /// Packet `i` leaves with `header`, which nobody keeps ready, by port `port_id`.
  void SetHeader(size_t i, const wire::FrameHeader& header, uint16_t port_id, bool internal) {
    own_headers[i] = wire::FrameTemplate(header);
    meta[i].out = &own_headers[i];
    meta[i].out_port = port_id;
    meta[i].internal = internal;
  }
  const IndexList& on(Route route) const { return routes[size_t(route)]; }
  void SetRoute(size_t i, Route route) {
    meta[i].route = route;
    routes[size_t(route)].Add(i);
  }
  /// Bytes writable from the payload of packet `i` to the end of its buffer.
  size_t capacity(size_t i) const {
    return size_t(packets[i].data + packets[i].length + packets[i].tailroom - meta[i].payload);
  }
};

}  // namespace linegate::nodes
