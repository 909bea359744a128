#pragma once
#include <atomic>
#include <cstdint>
#include <cstring>
#include <span>

#include "dataplane/base/byte_view.h"

namespace linegate::abi {

/// Theory of operation. A single-producer single-consumer ring of variable-length records between two processes.
///
///   RingHeader | capacity_bytes of records
///   record = { uint32 length_bytes, uint32 type, payload }, start aligned to 8; type 0 = padding up to the wrap
///
/// `tail` (producer) and `head` (consumer) count bytes since creation and never wrap; position = counter & (capacity-1).
/// A record is visible only when Commit has stored `tail` with release, so a producer that dies between TryClaim and
/// Commit leaves nothing behind and its successor simply claims again. A full ring is a counted result, never a wait.
/// The consumer copies before it validates: lengths come from another process and are checked against the ring.
struct RingHeader {
  alignas(128) std::atomic<uint64_t> tail{0};
  alignas(128) std::atomic<uint64_t> head{0};
  alignas(128) uint32_t capacity_bytes = 0;
  uint32_t reserved[31] = {};
};
static_assert(sizeof(RingHeader) == 384 && std::atomic<uint64_t>::is_always_lock_free);

struct RecordHeader {
  uint32_t length_bytes;
  uint32_t type;
};

constexpr uint32_t AlignRecord(uint32_t bytes) { return (bytes + 7u) & ~7u; }
constexpr uint64_t RingBytes(uint32_t capacity_bytes) { return sizeof(RingHeader) + capacity_bytes; }

class RingProducer {
 public:
  RingProducer() = default;
  /// Pre: `header` is initialised and stays mapped; `capacity_bytes` is the trusted configured value.
  RingProducer(RingHeader* header, uint32_t capacity_bytes)
      : header_(header), data_(reinterpret_cast<uint8_t*>(header + 1)), capacity_(capacity_bytes) {}

  /// Room for one record of `payload_bytes`; empty when the ring is full or the record larger than half the ring.
  /// Followed by Commit, or by nothing at all (then the claim never happened).
  MutableByteView TryClaim(uint32_t type, uint32_t payload_bytes) {
    const uint32_t need = AlignRecord(uint32_t(sizeof(RecordHeader)) + payload_bytes);
    if (need > capacity_ / 2 || payload_bytes > capacity_) return {};
    const uint64_t tail = header_->tail.load(std::memory_order_relaxed);
    const uint64_t head = header_->head.load(std::memory_order_acquire);
    const uint32_t position = uint32_t(tail & (capacity_ - 1));
    const uint32_t to_end = capacity_ - position;
    const uint32_t padding = need > to_end ? to_end : 0;
    if (tail - head + padding + need > capacity_) return {};
    if (padding != 0) WriteHeader(position, padding, 0);
    const uint32_t start = padding != 0 ? 0 : position;
    WriteHeader(start, uint32_t(sizeof(RecordHeader)) + payload_bytes, type);
    pending_tail_ = tail + padding + need;
    return {data_ + start + sizeof(RecordHeader), payload_bytes};
  }
  void Commit() { header_->tail.store(pending_tail_, std::memory_order_release); }

  /// Copies one record in. False: ring full.
  bool TryWrite(uint32_t type, ByteView payload) {
    MutableByteView room = TryClaim(type, uint32_t(payload.size()));
    if (room.data() == nullptr) return false;
    if (!payload.empty()) std::memcpy(room.data(), payload.data(), payload.size());
    Commit();
    return true;
  }

 private:
  void WriteHeader(uint32_t position, uint32_t length_bytes, uint32_t type) {
    const RecordHeader record{length_bytes, type};
    std::memcpy(data_ + position, &record, sizeof record);
  }
  RingHeader* header_ = nullptr;
  uint8_t* data_ = nullptr;
  uint32_t capacity_ = 0;
  uint64_t pending_tail_ = 0;
};

class RingConsumer {
 public:
  RingConsumer() = default;
  RingConsumer(RingHeader* header, uint32_t capacity_bytes)
      : header_(header), data_(reinterpret_cast<uint8_t*>(header + 1)), capacity_(capacity_bytes) {}

  /// Calls `handler(type, MutableByteView payload)` for at most `limit` records; the payload lies in shared memory, may
  /// be wiped, and is released when the handler returns. Returns how many records were handled. A record whose length
  /// does not fit (a broken producer) empties the ring and counts in corrupt().
  template <typename Handler>
  uint32_t Drain(uint32_t limit, Handler&& handler) {
    uint64_t head = header_->head.load(std::memory_order_relaxed);
    const uint64_t tail = header_->tail.load(std::memory_order_acquire);
    if (tail == head) return 0;
    if (tail - head > capacity_ || ((tail | head) & 7) != 0) return Discard(tail);
    uint32_t handled = 0;
    while (handled < limit && head != tail) {
      const uint32_t position = uint32_t(head & (capacity_ - 1));
      RecordHeader record;
      std::memcpy(&record, data_ + position, sizeof record);
      const uint32_t span = AlignRecord(record.length_bytes);
      if (record.length_bytes < sizeof record || record.length_bytes > capacity_ ||
          span > capacity_ - position || span > tail - head) {
        return handled + Discard(tail);
      }
      if (record.type != 0) {
        handler(record.type,
                MutableByteView(data_ + position + sizeof record, record.length_bytes - sizeof record));
        ++handled;
      }
      head += span;
      header_->head.store(head, std::memory_order_release);
    }
    return handled;
  }
  bool empty() const {
    return header_->tail.load(std::memory_order_acquire) == header_->head.load(std::memory_order_relaxed);
  }
  uint64_t corrupt() const { return corrupt_; }

 private:
  uint32_t Discard(uint64_t tail) {
    ++corrupt_;
    header_->head.store(tail, std::memory_order_release);
    return 0;
  }
  RingHeader* header_ = nullptr;
  uint8_t* data_ = nullptr;
  uint32_t capacity_ = 0;
  uint64_t corrupt_ = 0;
};

}  // namespace linegate::abi
