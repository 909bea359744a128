#include "dataplane/base/secret.h"

#include <gtest/gtest.h>

#include <array>
#include <new>
#include <vector>

namespace linegate {
namespace {

TEST(ConstantTimeEqual, ComparesLengthAndEveryByte) {
  const std::vector<uint8_t> a = {1, 2, 3, 4};
  EXPECT_TRUE(ConstantTimeEqual(a, a));
  EXPECT_TRUE(ConstantTimeEqual({}, {}));
  EXPECT_FALSE(ConstantTimeEqual(a, ByteView(a).first(3)));
  for (size_t i = 0; i < a.size(); ++i) {
    std::vector<uint8_t> b = a;
    b[i] ^= 0x80;
    EXPECT_FALSE(ConstantTimeEqual(a, b)) << "byte " << i;
  }
}

TEST(Wipe, ZeroesMemory) {
  std::array<uint8_t, 5> bytes = {1, 2, 3, 4, 5};
  Wipe(bytes.data(), 3);
  EXPECT_EQ(bytes, (std::array<uint8_t, 5>{0, 0, 0, 4, 5}));
}

TEST(SecretBytes, KeepsWhatItWasGiven) {
  const std::array<uint8_t, 3> key = {7, 8, 9};
  const SecretBytes<16> secret{ByteView(key)};
  EXPECT_TRUE(ConstantTimeEqual(secret.view(), key));
  EXPECT_FALSE(secret.empty());
  EXPECT_TRUE(SecretBytes<16>().empty());
}

TEST(SecretBytes, ReassignmentForgetsTheTail) {
  const std::array<uint8_t, 4> longer = {1, 2, 3, 4};
  const std::array<uint8_t, 1> shorter = {9};
  SecretBytes<4> secret{ByteView(longer)};
  secret.Assign(shorter);
  EXPECT_EQ(secret.view().size(), 1u);
  EXPECT_EQ(secret.view().data()[1], 0);  // within the object's own storage
}

TEST(SecretBytes, ZeroesItselfWhenDestroyed) {
  alignas(SecretBytes<16>) std::array<uint8_t, sizeof(SecretBytes<16>)> storage = {};
  std::array<uint8_t, 16> key;
  key.fill(0xaa);
  auto* secret = new (storage.data()) SecretBytes<16>{ByteView(key)};
  secret->~SecretBytes<16>();
  for (size_t i = 0; i < 16; ++i) EXPECT_EQ(storage[i], 0) << i;
}

}  // namespace
}  // namespace linegate
