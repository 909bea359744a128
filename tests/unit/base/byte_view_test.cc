#include "dataplane/base/byte_view.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace linegate {
namespace {

TEST(ByteView, LoadsAndStoresNetworkOrder) {
  const std::array<uint8_t, 8> bytes = {1, 2, 3, 4, 5, 6, 7, 8};
  EXPECT_EQ(LoadBe16(bytes.data()), 0x0102);
  EXPECT_EQ(LoadBe32(bytes.data()), 0x01020304u);
  EXPECT_EQ(LoadBe64(bytes.data()), 0x0102030405060708u);
  std::array<uint8_t, 8> out = {};
  StoreBe64(out.data(), 0x0102030405060708u);
  EXPECT_EQ(out, bytes);
  StoreBe32(out.data(), 0xa1a2a3a4u);
  StoreBe16(out.data() + 4, 0xb1b2);
  EXPECT_EQ(out, (std::array<uint8_t, 8>{0xa1, 0xa2, 0xa3, 0xa4, 0xb1, 0xb2, 7, 8}));
}

TEST(ByteView, LoadsFromUnalignedAddresses) {
  const std::array<uint8_t, 9> bytes = {0, 1, 2, 3, 4, 5, 6, 7, 8};
  EXPECT_EQ(LoadBe64(bytes.data() + 1), 0x0102030405060708u);
}

TEST(BigEndian, KeepsWireOrderAndConvertsExplicitly) {
  const auto value = Be32::FromHost(0x01020304);
  EXPECT_EQ(value.host(), 0x01020304u);
  uint8_t bytes[4];
  std::memcpy(bytes, &value, 4);
  EXPECT_EQ(bytes[0], 1);
  EXPECT_EQ(bytes[3], 4);
  EXPECT_EQ(Be16::FromHost(7), Be16::FromHost(7));
  EXPECT_FALSE(Be16::FromHost(7) == Be16::FromHost(0x700));
}

TEST(Bounded, ReadsAtCompileTimeOffsets) {
  const std::vector<uint8_t> bytes = {0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88};
  const auto view = Bounded<8>::Of(bytes);
  EXPECT_EQ(view.U8<7>(), 0x88);
  EXPECT_EQ(view.U16<6>(), 0x7788);
  EXPECT_EQ(view.U32<2>(), 0x33445566u);
  EXPECT_EQ(view.U64<0>(), 0x1122334455667788u);
  EXPECT_EQ((view.Bytes<1, 2>()[1]), 0x33);
}

TEST(ByteView, ConvertsTextBothWays) { EXPECT_EQ(AsText(AsBytes("abc")), "abc"); }

}  // namespace
}  // namespace linegate
