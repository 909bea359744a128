#pragma once
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/base/check.h"
#include "dataplane/nodes/node_context.h"
#include "dataplane/nodes/transmit.h"
#include "dataplane/worker/relay_directory.h"

namespace linegate::worker {

/// Fixed-size queue between two threads of this process, one producer and one consumer. Each side keeps a
/// copy of the other's cursor and reads the shared one only when the copy is used up. A consumer that waits
/// reads the producer's cursor again and again, so that every change of it costs the producer a transfer of its cache
/// line: bursts are staged and published at once.
template <typename T, uint32_t kCapacity>
class SpscQueue {
 public:
  static_assert((kCapacity & (kCapacity - 1)) == 0);
  /// The consumer sees the item after Publish. False: full.
  bool TryStage(const T& item) {
    if (staged_ - head_seen_ == kCapacity) {
      head_seen_ = head_.load(std::memory_order_acquire);
      if (staged_ - head_seen_ == kCapacity) return false;
    }
    items_[staged_++ % kCapacity] = item;
    return true;
  }
  void Publish() {
    if (staged_ != tail_.load(std::memory_order_relaxed)) tail_.store(staged_, std::memory_order_release);
  }
  bool TryPush(const T& item) {
    if (!TryStage(item)) return false;
    Publish();
    return true;
  }
  bool TryPop(T& item) { return PopBurst({&item, 1}) == 1; }
  /// Fills `out` from the front; returns how many.
  size_t PopBurst(std::span<T> out) {
    const uint32_t head = head_.load(std::memory_order_relaxed);
    if (head == tail_seen_) {
      tail_seen_ = tail_.load(std::memory_order_acquire);
      if (head == tail_seen_) return 0;
    }
    const auto count = uint32_t(std::min<size_t>(tail_seen_ - head, out.size()));
    // They are in the producer's cache: all on their way before the first is waited for.
    for (uint32_t i = 0; i < count; i += kItemsPerLine) __builtin_prefetch(&items_[(head + i) % kCapacity]);
    for (uint32_t i = 0; i < count; ++i) out[i] = items_[(head + i) % kCapacity];
    head_.store(head + count, std::memory_order_release);
    return count;
  }

 private:
  static constexpr uint32_t kItemsPerLine = sizeof(T) >= 64 ? 1 : 64 / sizeof(T);

  alignas(128) std::atomic<uint32_t> tail_{0};
  alignas(128) uint32_t staged_ = 0;  ///< the producer's own, off the line that the consumer polls
  uint32_t head_seen_ = 0;
  alignas(128) std::atomic<uint32_t> head_{0};
  uint32_t tail_seen_ = 0;
  alignas(128) T items_[kCapacity];
};

/// A frame for the worker that owns its flow, as small as may be: what counts is how many cache lines change cores.
class HandedPacket {
 public:
  static constexpr uint32_t kMaxPorts = 1u << 12;

  HandedPacket() = default;
  /// Pre: `hops` <= nodes::kMaxInternalHops, the packet's port is below kMaxPorts.
  HandedPacket(const io::Packet& packet, uint8_t hops)
      : data_(packet.data),
        buffer_(packet.buffer),
        length_(packet.length),
        headroom_(packet.headroom),
        tailroom_(packet.tailroom),
        port_id_(uint16_t(packet.port_id % kMaxPorts)),
        rx_checksum_(uint16_t(packet.rx_checksum) & 3),
        hops_(uint16_t(hops & 3)) {}

  io::Packet packet() const {
    return {data_, length_, headroom_, tailroom_, port_id_, io::RxChecksum(rx_checksum_), buffer_};
  }
  uint8_t hops() const { return uint8_t(hops_); }

 private:
  uint8_t* data_ = nullptr;
  void* buffer_ = nullptr;
  uint16_t length_ = 0;
  uint16_t headroom_ = 0;
  uint16_t tailroom_ = 0;
  uint16_t port_id_ : 12 = 0;
  uint16_t rx_checksum_ : 2 = 0;
  uint16_t hops_ : 2 = 0;
};
static_assert(sizeof(HandedPacket) == 24 && nodes::kMaxInternalHops <= 3);

/// All queues between the workers of this process: one pair for each ordered pair of workers; and who owns which TURN client. Made by app/
/// before the workers, outlives them. Buffers travel with their packets: the receiving worker sends or frees
/// them through its own ports, so all workers' ports share one buffer pool (or pools that any thread may free
/// to).
class HandoverMesh {
 public:
  static constexpr uint32_t kPackets = 1024;
  static constexpr uint32_t kMessages = 256;
  struct Lane {
    SpscQueue<HandedPacket, kPackets> packets;
    SpscQueue<nodes::FlowMessage, kMessages> messages;
  };

  explicit HandoverMesh(uint16_t workers, uint32_t relays_per_worker = 0)
      : workers_(workers), relay_directory_(workers * relays_per_worker) {
    for (uint32_t i = 0; i < uint32_t{workers} * workers; ++i) {
      lanes_.push_back(i % workers == i / workers ? nullptr : std::make_unique<Lane>());
    }
  }
  uint16_t workers() const { return workers_; }
  RelayDirectoryTable& relay_directory() { return relay_directory_; }
  /// Pre: from != to, both below workers().
  Lane& lane(uint16_t from, uint16_t to) const {
    LG_ASSERT(from != to);
    return *lanes_[size_t{from} * workers_ + to];
  }

 private:
  uint16_t workers_;
  RelayDirectoryTable relay_directory_;
  std::vector<std::unique_ptr<Lane>> lanes_;
};

}  // namespace linegate::worker
