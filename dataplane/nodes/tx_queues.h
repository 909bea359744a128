#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/io/packet_port.h"

namespace linegate::nodes {

/// Frames on their way out, gathered per port so that a port is called once per burst.
class TxQueues {
 public:
  explicit TxQueues(std::span<io::PacketPort* const> ports) : ports_(ports), queues_(ports.size()) {}

  /// Takes the packet's buffer. Pre: `port_id` < number of ports.
  void Push(uint16_t port_id, const io::Packet& packet) { Claim(port_id) = packet; }
  /// The same for a packet that the caller writes into the place that it gets.
  io::Packet& Claim(uint16_t port_id) {
    Queue& queue = queues_[port_id];
    if (queue.count == queue.packets.size()) [[unlikely]]
      Flush(port_id);
    return queue.packets[queue.count++];
  }
  void FlushAll() {
    for (uint16_t port_id = 0; port_id < queues_.size(); ++port_id) {
      if (queues_[port_id].count != 0) Flush(port_id);
    }
  }
  /// Counts on from what an earlier process counted.
  void Continue(uint64_t sent_pkts, uint64_t failed_pkts) {
    sent_pkts_ = sent_pkts;
    failed_pkts_ = failed_pkts;
  }
  uint64_t sent_pkts() const { return sent_pkts_; }
  uint64_t failed_pkts() const { return failed_pkts_; }

 private:
  struct Queue {
    std::array<io::Packet, 2 * io::kMaxBurst> packets;
    size_t count = 0;
  };
  void Flush(uint16_t port_id) {
    Queue& queue = queues_[port_id];
    const size_t accepted = ports_[port_id]->Send({queue.packets.data(), queue.count});
    sent_pkts_ += accepted;
    failed_pkts_ += queue.count - accepted;
    queue.count = 0;
  }
  std::span<io::PacketPort* const> ports_;
  std::vector<Queue> queues_;
  uint64_t sent_pkts_ = 0;
  uint64_t failed_pkts_ = 0;
};

}  // namespace linegate::nodes
