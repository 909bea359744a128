#include "dataplane/abi/spsc_ring.h"

#include <gtest/gtest.h>

#include <memory>
#include <new>
#include <thread>
#include <vector>

namespace linegate::abi {
namespace {

class SpscRingTest : public ::testing::Test {
 protected:
  static constexpr uint32_t kCapacity = 256;
  struct alignas(128) Memory {
    uint8_t bytes[sizeof(RingHeader) + kCapacity];
  };
  SpscRingTest() : memory_(std::make_unique<Memory>()) {
    header_ = new (memory_->bytes) RingHeader();
    header_->capacity_bytes = kCapacity;
    producer_ = RingProducer(header_, kCapacity);
    consumer_ = RingConsumer(header_, kCapacity);
  }
  std::vector<std::vector<uint8_t>> DrainAll(uint32_t limit = 100) {
    std::vector<std::vector<uint8_t>> records;
    consumer_.Drain(limit, [&](uint32_t, MutableByteView p) { records.emplace_back(p.begin(), p.end()); });
    return records;
  }
  std::unique_ptr<Memory> memory_;
  RingHeader* header_;
  RingProducer producer_;
  RingConsumer consumer_;
};

TEST_F(SpscRingTest, DeliversInOrderWithTypes) {
  const uint8_t a[] = {1, 2, 3}, b[] = {4};
  ASSERT_TRUE(producer_.TryWrite(7, a));
  ASSERT_TRUE(producer_.TryWrite(9, b));
  std::vector<uint32_t> types;
  EXPECT_EQ(consumer_.Drain(10, [&](uint32_t type, MutableByteView) { types.push_back(type); }), 2u);
  EXPECT_EQ(types, (std::vector<uint32_t>{7, 9}));
}

TEST_F(SpscRingTest, FullRingRefusesAndLosesNothing) {
  const std::vector<uint8_t> payload(24, 0xaa);
  int written = 0;
  while (producer_.TryWrite(1, payload)) ++written;
  EXPECT_EQ(written, 8);  // 256 / 32
  EXPECT_EQ(DrainAll().size(), 8u);
  EXPECT_TRUE(producer_.TryWrite(1, payload));
}

TEST_F(SpscRingTest, RecordsNeverStraddleTheWrap) {
  for (int i = 0; i < 1000; ++i) {
    const std::vector<uint8_t> payload(size_t(i % 57), uint8_t(i));
    ASSERT_TRUE(producer_.TryWrite(1, payload)) << i;
    auto records = DrainAll();
    ASSERT_EQ(records.size(), 1u);
    EXPECT_EQ(records[0], payload);
  }
}

TEST_F(SpscRingTest, AClaimWithoutCommitNeverHappened) {
  ASSERT_NE(producer_.TryClaim(1, 16).data(), nullptr);
  RingProducer successor(header_, kCapacity);
  const uint8_t payload[] = {5};
  ASSERT_TRUE(successor.TryWrite(2, payload));
  EXPECT_EQ(DrainAll().size(), 1u);
}

TEST_F(SpscRingTest, RefusesRecordsLargerThanHalf) {
  EXPECT_EQ(producer_.TryClaim(1, kCapacity / 2).data(), nullptr);
  EXPECT_EQ(producer_.TryClaim(1, 0xffffffff).data(), nullptr);
}

TEST_F(SpscRingTest, DrainLimitLeavesTheRest) {
  const uint8_t payload[] = {1};
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(producer_.TryWrite(1, payload));
  EXPECT_EQ(DrainAll(2).size(), 2u);
  EXPECT_EQ(DrainAll(10).size(), 3u);
  EXPECT_TRUE(consumer_.empty());
}

TEST_F(SpscRingTest, LyingLengthsAndCursorsEmptyTheRingAndCount) {
  const uint8_t payload[] = {1, 2, 3, 4};
  auto* first = reinterpret_cast<RecordHeader*>(header_ + 1);
  for (uint32_t lie : {0u, 7u, 4096u, 0xffffffffu, 200u}) {
    header_->head = 0, header_->tail = 0;
    ASSERT_TRUE(producer_.TryWrite(1, payload));
    first->length_bytes = lie;
    const uint64_t before = consumer_.corrupt();
    EXPECT_TRUE(DrainAll().empty()) << lie;
    EXPECT_EQ(consumer_.corrupt(), before + 1) << lie;
    EXPECT_TRUE(consumer_.empty());
  }
  header_->tail = header_->head + 10 * kCapacity;
  EXPECT_TRUE(DrainAll().empty());
  header_->tail = header_->head + 3;
  EXPECT_TRUE(DrainAll().empty());
}

TEST_F(SpscRingTest, TwoThreadsSeeEveryRecordOnce) {
  constexpr uint32_t kCount = 20000;
  std::thread writer([&] {
    for (uint32_t i = 0; i < kCount; ++i) {
      uint8_t payload[12] = {};
      StoreBe32(payload, i);
      while (!producer_.TryWrite(1, ByteView(payload, 4 + i % 9))) std::this_thread::yield();
    }
  });
  uint32_t expected = 0;
  while (expected < kCount) {
    if (consumer_.Drain(
            16, [&](uint32_t, MutableByteView p) { EXPECT_EQ(LoadBe32(p.data()), expected++); }) == 0) {
      std::this_thread::yield();
    }
  }
  writer.join();
  EXPECT_EQ(consumer_.corrupt(), 0u);
}

}  // namespace
}  // namespace linegate::abi
