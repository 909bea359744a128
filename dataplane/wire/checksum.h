#pragma once
#include <bit>
#include <cstdint>
#include <cstring>

#include "dataplane/base/byte_view.h"
#include "dataplane/base/net_address.h"

namespace linegate::wire {

/// One's complement addition of 64-bit words.
inline uint64_t AddWords(uint64_t a, uint64_t b) {
  const uint64_t sum = a + b;
  return sum + (sum < b);
}

/// A one's complement sum of words as one of 16 bits, native order. Each half is added to the other, whose carry comes
/// round: the upper half is the sum.
inline uint16_t FoldSum(uint64_t sum) {
  sum += std::rotr(sum, 32);
  auto half = uint32_t(sum >> 32);
  half += std::rotr(half, 16);
  return uint16_t(half >> 16);
}

/// `sum` and the four native 64-bit words at `bytes`.
inline uint64_t AddFourWords(uint64_t sum, const uint8_t* bytes) {
#if defined(__x86_64__)
  // An instruction a word; no compiler makes a chain of carries out of comparisons.
  asm("addq 0(%1), %0\n\t"
      "adcq 8(%1), %0\n\t"
      "adcq 16(%1), %0\n\t"
      "adcq 24(%1), %0\n\t"
      "adcq $0, %0"
      : "+r"(sum)
      : "r"(bytes), "m"(*reinterpret_cast<const uint8_t(*)[32]>(bytes))
      : "cc");
#else
  uint64_t words[4];
  std::memcpy(words, bytes, sizeof words);
  for (const uint64_t word : words) sum = AddWords(sum, word);
#endif
  return sum;
}

/// One's complement sum of native 64-bit words (RFC 1071 section 2 (B): byte order does not matter until the
/// end, (A): nor does the width). Two sums side by side, so that their carries do not wait for each other.
/// Bytes missing to a whole word count as zero (section 1).
inline uint64_t SumWords(const uint8_t* bytes, size_t size) {
  const auto word_at = [](const uint8_t* p) {
    uint64_t word;
    std::memcpy(&word, p, sizeof word);
    return word;
  };
  const bool has_word = size >= 8;
  uint64_t sum = 0;
  uint64_t other = 0;
  for (; size >= 64; bytes += 64, size -= 64) {
    sum = AddFourWords(sum, bytes);
    other = AddFourWords(other, bytes + 32);
  }
  if ((size & 32) != 0) sum = AddFourWords(sum, bytes), bytes += 32;
  if ((size & 16) != 0) other = AddWords(AddWords(other, word_at(bytes)), word_at(bytes + 8)), bytes += 16;
  if ((size & 8) != 0) sum = AddWords(sum, word_at(bytes)), bytes += 8;
  if ((size &= 7) == 0) return AddWords(sum, other);
  uint64_t rest = 0;
  if (has_word && std::endian::native == std::endian::little) {
    rest =
        word_at(bytes + size - 8) >> (64 - 8 * size);  // what stands before them was added and is shifted out
  } else {
    std::memcpy(&rest, bytes, size);
  }
  return AddWords(AddWords(sum, rest), other);
}

/// Internet checksum (RFC 1071) over several ranges. Every range but the last must have an even length.
class ChecksumAccumulator {
 public:
  ChecksumAccumulator() = default;
  /// Goes on from a sum that was taken before.
  explicit ChecksumAccumulator(uint64_t sum) : sum_(sum) {}
  void Add(ByteView bytes) { AddSum(SumWords(bytes.data(), bytes.size())); }
  void AddU16(uint16_t host_order) { AddSum(__builtin_bswap16(host_order)); }
  uint64_t sum() const { return sum_; }
  /// The one's complement of the sum in host order, ready for StoreBe16. Over a range that contains a correct
  /// checksum it is 0.
  uint16_t Finish() const { return uint16_t(~__builtin_bswap16(FoldSum(sum_))); }

 private:
  void AddSum(uint64_t value) { sum_ = AddWords(sum_, value); }
  uint64_t sum_ = 0;
};

uint16_t InternetChecksum(ByteView bytes);

/// For an IPv4 header (20 to 60 bytes) whose checksum field is zero; over a received header: 0 if it is
/// correct.
inline uint16_t Ipv4HeaderChecksum(ByteView header) {
  ChecksumAccumulator sum;
  sum.Add(header);
  return sum.Finish();
}

/// Checksum to store in a UDP header, over pseudo header (RFC 768; RFC 8200 section 8.1) and `datagram` (UDP
/// header, its checksum field zero, and payload). Never 0: a computed 0 is sent as 0xffff.
uint16_t UdpChecksum(const IpAddress& source, const IpAddress& destination, ByteView datagram);

/// True if the checksum in `datagram` is right. Does not treat an absent (zero) checksum specially.
[[nodiscard]] bool UdpChecksumMatches(const IpAddress& source, const IpAddress& destination,
                                      ByteView datagram);

}  // namespace linegate::wire
