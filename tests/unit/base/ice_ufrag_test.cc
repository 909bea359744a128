#include "dataplane/base/ice_ufrag.h"

#include <gtest/gtest.h>

#include <set>

#include "dataplane/base/prf_stream.h"

namespace linegate {
namespace {

class FixedRng final : public Rng {
 public:
  void Fill(std::span<uint8_t> out) override {
    for (uint8_t& byte : out) byte = next_++;
  }

 private:
  uint8_t next_ = 0;
};

constexpr uint8_t kKey[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

TEST(SipHash24, MatchesThePaper) {
  // Appendix A of "SipHash: a fast short-input PRF": 15 bytes 00..0e; and vectors 0 and 8 of the reference
  // code.
  uint8_t message[15];
  for (uint8_t i = 0; i < 15; ++i) message[i] = i;
  EXPECT_EQ(SipHash24(kKey, message), 0xa129ca6149be45e5u);
  EXPECT_EQ(SipHash24(kKey, {}), 0x726fdb47dd0e0e31u);
  EXPECT_EQ(SipHash24(kKey, ByteView(message).first(8)), 0x93f5f5799a932462u);
}

TEST(PrfStream, NeverRepeatsABlock) {
  FixedRng seed;
  PrfStream stream(seed);
  std::set<uint64_t> seen;
  for (int i = 0; i < 10'000; ++i) EXPECT_TRUE(seen.insert(stream.U64()).second);
}

TEST(IceUfrag, RoundTrips) {
  FixedRng rng;
  const IceUfragTarget targets[] = {{0, 0, 0}, {0, 1, 1}, {3, 4095, 77}, {255, kIceUfragMaxIndex, 0xfffff}};
  for (const IceUfragTarget& target : targets) {
    const std::string ufrag = MakeIceUfrag(kKey, target, rng);
    EXPECT_EQ(ufrag.size(), kIceUfragChars);
    const auto decoded = DecodeIceUfrag(kKey, ufrag);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(*decoded, target);
  }
}

TEST(IceUfrag, KeepsTheLowBitsOfTheGeneration) {
  FixedRng rng;
  const auto decoded = DecodeIceUfrag(kKey, MakeIceUfrag(kKey, {1, 2, 0xabc12345}, rng));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->generation, 0x12345u);
}

TEST(IceUfrag, HidesWhatItNames) {
  FixedRng rng;
  // Neighbouring slots share no prefix to speak of, and another key reads something else.
  const std::string a = MakeIceUfrag(kKey, {0, 7, 1}, rng);
  const std::string b = MakeIceUfrag(kKey, {0, 8, 1}, rng);
  size_t equal = 0;
  for (size_t i = 0; i < kIceUfragPrefixChars; ++i) equal += a[i] == b[i];
  EXPECT_LE(equal, 3u);
  uint8_t other_key[16] = {1};
  EXPECT_NE(*DecodeIceUfrag(other_key, a), (IceUfragTarget{0, 7, 1}));
}

TEST(IceUfrag, RefusesOtherLengthsAndAlphabets) {
  EXPECT_FALSE(DecodeIceUfrag(kKey, ""));
  EXPECT_FALSE(DecodeIceUfrag(kKey, "ABCDEFGHIJKLM"));
  EXPECT_FALSE(DecodeIceUfrag(kKey, "ABCDEFGHIJKLMNO"));
  EXPECT_FALSE(DecodeIceUfrag(kKey, "ABCDEFGHIJKLM="));
  EXPECT_FALSE(DecodeIceUfrag(kKey, std::string_view("ABCDEFG\0IJKLMN", 14)));
}

}  // namespace
}  // namespace linegate
