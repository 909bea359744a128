#pragma once
#include <array>
#include <cstdint>

#include "dataplane/io/packet_port.h"

namespace linegate::nodes {

/// Frames made here, outside of a batch, whose destination is one of our own addresses: the worker classifies them later in
/// its turn, as if they had been received. Of fixed size; whoever finds it full drops.
class LoopQueue {
 public:
  static constexpr uint32_t kCapacity = 256;

  bool Push(const io::Packet& packet) {
    if (tail_ - head_ == kCapacity) return false;
    packets_[tail_++ % kCapacity] = packet;
    return true;
  }
  bool Pop(io::Packet& packet) {
    if (tail_ == head_) return false;
    packet = packets_[head_++ % kCapacity];
    return true;
  }
  uint32_t size() const { return tail_ - head_; }

 private:
  std::array<io::Packet, kCapacity> packets_;
  uint32_t head_ = 0;
  uint32_t tail_ = 0;
};

}  // namespace linegate::nodes
