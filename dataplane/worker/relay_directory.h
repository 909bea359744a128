#pragma once
#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>

#include "dataplane/base/siphash.h"
#include "dataplane/nodes/turn_context.h"

namespace linegate::worker {

/// Which worker owns a client's 5-tuple, for all workers of the process (docs/decisions/0010-who-owns-a-turn-client.md).
///
/// Theory of operation. A hash table of buckets; an entry is one word: 48 bits of a keyed hash of the 5-tuple and the
/// owner. An owner adds and removes its own entries while it carries out a command; others read, and only packets that
/// their own table does not know. Bound to a bucket, an entry never moves, so that a reader needs no more than the word
/// itself. Two 5-tuples of one tag (2^-48) cost a packet of one of them a useless hand-over. A bucket that is full (16
/// entries where 4 are expected) leaves its client to the worker that the network card chose, which is the owner anyhow
/// unless its queues were set up anew.
class RelayDirectoryTable {
 public:
  static constexpr uint32_t kNobody = UINT32_MAX;

  explicit RelayDirectoryTable(uint32_t capacity)
      : buckets_(std::bit_ceil(capacity / kExpectedPerBucket + 1)),
        words_(std::make_unique<std::atomic<uint64_t>[]>(size_t{buckets_} * kPerBucket)) {}

  bool Add(uint64_t hash, uint16_t owner) {
    std::atomic<uint64_t>* const bucket = BucketOf(hash);
    for (uint32_t i = 0; i < kPerBucket; ++i) {
      uint64_t empty = 0;
      if (bucket[i].compare_exchange_strong(empty, WordOf(hash, owner), std::memory_order_relaxed))
        return true;
    }
    return false;
  }
  void Remove(uint64_t hash, uint16_t owner) {
    std::atomic<uint64_t>* const bucket = BucketOf(hash);
    for (uint32_t i = 0; i < kPerBucket; ++i) {
      uint64_t word = WordOf(hash, owner);
      if (bucket[i].compare_exchange_strong(word, 0, std::memory_order_relaxed)) return;
    }
  }
  uint32_t Find(uint64_t hash) const {
    const std::atomic<uint64_t>* const bucket = BucketOf(hash);
    for (uint32_t i = 0; i < kPerBucket; ++i) {
      const uint64_t word = bucket[i].load(std::memory_order_relaxed);
      if (word != 0 && (word >> 16) == (hash >> 16)) return uint32_t(word & 0xffff) - 1;
    }
    return kNobody;
  }

 private:
  static constexpr uint32_t kPerBucket = 16;
  static constexpr uint32_t kExpectedPerBucket = 4;
  static uint64_t WordOf(uint64_t hash, uint16_t owner) {
    return (hash & ~uint64_t{0xffff}) | uint64_t(owner + 1u);
  }
  std::atomic<uint64_t>* BucketOf(uint64_t hash) const {
    return &words_[((hash >> 16) & (buckets_ - 1)) * kPerBucket];
  }
  uint32_t buckets_;
  std::unique_ptr<std::atomic<uint64_t>[]> words_;
};

/// The directory as one worker sees it.
class WorkerRelayDirectory final : public nodes::RelayDirectory {
 public:
  /// `key`: the same in all workers, unknown to strangers.
  WorkerRelayDirectory(RelayDirectoryTable& table, uint16_t worker, uint16_t workers, SipKey key)
      : table_(table), worker_(worker), workers_(workers), key_(key) {}
  uint16_t OwnerOf(const abi::SocketAddress& local, const abi::SocketAddress& remote) const override {
    if (workers_ == 1) return worker_;
    const uint32_t owner = table_.Find(HashOf(local, remote));
    return owner < workers_ ? uint16_t(owner) : worker_;
  }
  void Add(const abi::SocketAddress& local, const abi::SocketAddress& remote) override {
    if (workers_ > 1) table_.Add(HashOf(local, remote), worker_);
  }
  void Remove(const abi::SocketAddress& local, const abi::SocketAddress& remote) override {
    if (workers_ > 1) table_.Remove(HashOf(local, remote), worker_);
  }

 private:
  uint64_t HashOf(const abi::SocketAddress& local, const abi::SocketAddress& remote) const {
    const abi::SocketAddress pair[2] = {local, remote};
    return SipHash24(key_, {reinterpret_cast<const uint8_t*>(pair), sizeof pair});
  }
  RelayDirectoryTable& table_;
  uint16_t worker_;
  uint16_t workers_;
  SipKey key_;
};

}  // namespace linegate::worker
