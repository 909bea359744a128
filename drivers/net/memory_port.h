#pragma once
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "dataplane/io/packet_port.h"

namespace linegate::drivers {

/// The buffers that every MemoryPort of one worker shares, as a mempool does for real ports. Detects what a
/// mempool would not: freeing twice, and leaks (`free_count() == capacity()` when a test ends).
class MemoryPool {
 public:
  static constexpr uint16_t kHeadroom = 128;
  static constexpr uint16_t kRoom = 2048;

  explicit MemoryPool(size_t buffers);
  MemoryPool(const MemoryPool&) = delete;
  MemoryPool& operator=(const MemoryPool&) = delete;

  size_t capacity() const { return buffers_.size(); }
  size_t free_count() const { return free_.size(); }
  /// Fills `out` with an empty frame. False when the pool is empty or Exhaust() is in force.
  bool Take(io::Packet& out);
  void Return(const io::Packet& packet);
  /// Takes every free buffer away, as if others held them, until Refill().
  void Exhaust() { exhausted_ = true; }
  void Refill() { exhausted_ = false; }

 private:
  struct Buffer {
    alignas(64) uint8_t bytes[kHeadroom + kRoom];
    bool taken = false;
  };
  std::vector<std::unique_ptr<Buffer>> buffers_;
  std::vector<Buffer*> free_;
  bool exhausted_ = false;
};

/// A PacketPort for tests. Theory of operation: `Inject` puts a frame on the wire towards the port, `Receive`
/// copies it into a buffer of the pool; `Send` copies what it accepts to a list that `TakeSent` hands out,
/// and returns the buffer to the pool. Not thread-safe: test and worker share one thread.
class MemoryPort final : public io::PacketPort {
 public:
  /// `pool` outlives the port. `port_id` is what received packets carry.
  MemoryPort(MemoryPool& pool, uint16_t port_id, MacAddress mac);

  /// Queues a frame for Receive; the checksum state is what the port pretends to know of it.
  /// Pre: `frame.size() <= MemoryPool::kRoom`.
  void Inject(ByteView frame, io::RxChecksum checksum = io::RxChecksum::kUnknown);
  size_t pending_receive() const { return inbound_.size(); }
  /// All frames sent since the last call, oldest first.
  std::vector<std::vector<uint8_t>> TakeSent();
  size_t sent_waiting() const { return sent_.size(); }
  /// Send accepts this many more frames in all, then refuses (a full transmit ring).
  void LimitSend(size_t frames) { send_budget_ = frames; }
  void UnlimitSend() { send_budget_ = SIZE_MAX; }

  size_t Receive(std::span<io::Packet> out) override;
  size_t Send(std::span<const io::Packet> packets) override;
  bool Allocate(io::Packet& out) override;
  void Free(std::span<const io::Packet> packets) override;
  MacAddress mac() const override { return mac_; }
  io::PortStats stats() const override { return stats_; }

 private:
  struct Inbound {
    std::vector<uint8_t> bytes;
    io::RxChecksum checksum;
  };
  MemoryPool& pool_;
  const uint16_t port_id_;
  const MacAddress mac_;
  std::deque<Inbound> inbound_;
  std::vector<std::vector<uint8_t>> sent_;
  size_t send_budget_ = SIZE_MAX;
  io::PortStats stats_;
};

}  // namespace linegate::drivers
