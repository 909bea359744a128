#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/base/byte_view.h"
#include "dataplane/base/net_address.h"

namespace linegate::io {

/// What the port knows of a received packet's UDP checksum.
enum class RxChecksum : uint8_t {
  kUnknown,     ///< not looked at: verify in software
  kGood,        ///< verified by the port
  kUnfinished,  ///< never computed (CHECKSUM_PARTIAL over veth): neither verify it nor update it incrementally
};

/// One frame and the buffer that holds it. Plain data; whoever holds a Packet owns its buffer until it gives it to
/// Send or Free. `data` may be moved by up to `headroom` bytes down and the frame may grow by `tailroom` bytes.
struct Packet {
  uint8_t* data = nullptr;  ///< first byte of the Ethernet header
  uint16_t length = 0;      ///< frame bytes, without FCS
  uint16_t headroom = 0;    ///< bytes free before `data`
  uint16_t tailroom = 0;    ///< bytes free behind `data + length`
  uint16_t port_id = 0;     ///< port it came from or leaves by: an index into the worker's port table
  RxChecksum rx_checksum = RxChecksum::kUnknown;
  void* buffer = nullptr;  ///< the driver's handle (an mbuf); opaque here

  ByteView bytes() const { return {data, length}; }
  MutableByteView mutable_bytes() { return {data, length}; }
};

inline constexpr size_t kMaxBurst = 32;

struct PortStats {
  uint64_t received_pkts = 0;
  uint64_t sent_pkts = 0;
  uint64_t send_failed_pkts = 0;  ///< the port took no more; buffers were freed
  uint64_t wrong_vlan_pkts =
      0;  ///< arrived on another VLAN than the port's, or on none; not in received_pkts
};

/// One queue pair of one network port, owned by one worker. Theory of operation: all packets of a worker live in
/// buffers that every port of that worker can send and free, so a frame received on one port is rewritten in place
/// and sent by another. Calls are per burst; nothing here allocates, locks or blocks.
class PacketPort {
 public:
  virtual ~PacketPort() = default;
  /// Fills `out` from the front; returns how many. The caller owns them.
  virtual size_t Receive(std::span<Packet> out) = 0;
  /// Takes ownership of all of `packets` (what the port cannot take is freed and counted). Writes `data`/`length`
  /// back into the buffer first. Returns how many were accepted.
  virtual size_t Send(std::span<const Packet> packets) = 0;
  /// A fresh empty buffer with at least 64 bytes of headroom and 1,600 bytes of room, for locally made packets.
  /// False when the pool is empty.
  virtual bool Allocate(Packet& out) = 0;
  virtual void Free(std::span<const Packet> packets) = 0;
  virtual MacAddress mac() const = 0;
  virtual PortStats stats() const = 0;
};

/// For ports that work in bursts: `send` gets at most kMaxBurst packets at a time and returns how many it took; so does
/// this in all.
template <typename SendBurst>
size_t SendInBursts(std::span<const Packet> packets, SendBurst&& send) {
  size_t sent = 0;
  while (!packets.empty()) {
    const size_t burst = std::min(packets.size(), kMaxBurst);
    sent += send(packets.first(burst));
    packets = packets.subspan(burst);
  }
  return sent;
}

}  // namespace linegate::io
