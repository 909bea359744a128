#include "dataplane/base/rng.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace linegate {
namespace {

class CountingRng final : public Rng {
 public:
  void Fill(std::span<uint8_t> out) override {
    for (uint8_t& byte : out) byte = next_++;
  }

 private:
  uint8_t next_ = 0;
};

TEST(Rng, IceCharsAreOfTheIceAlphabet) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  SecureRng rng;
  const std::string text = rng.IceChars(256);
  EXPECT_EQ(text.size(), 256u);
  EXPECT_EQ(text.find_first_not_of(kAlphabet), std::string::npos);
}

TEST(Rng, HexIsTwoDigitsPerByte) {
  CountingRng rng;
  EXPECT_EQ(rng.Hex(3), "000102");
}

TEST(SecureRng, GivesDifferentBytesEachTime) {
  SecureRng rng;
  std::array<uint8_t, 32> a = {};
  std::array<uint8_t, 32> b = {};
  rng.Fill(a);
  rng.Fill(b);
  EXPECT_NE(a, b);
}

}  // namespace
}  // namespace linegate
