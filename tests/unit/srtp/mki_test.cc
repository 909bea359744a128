#include "dataplane/srtp/mki.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace linegate::srtp {
namespace {

using Bytes = std::vector<uint8_t>;

const Mki kTwoBytes{2, {0xab, 0xcd}};

/// 20 bytes, each its own position.
Bytes Packet() {
  Bytes packet(20);
  std::iota(packet.begin(), packet.end(), uint8_t(0));
  return packet;
}

Bytes Inserted(const MkiCodec& codec, PacketKind kind) {
  Bytes packet = Packet();
  auto length = uint32_t(packet.size());
  packet.resize(packet.size() + kMaxMkiBytes);
  codec.Insert(packet.data(), length, kind);
  packet.resize(length);
  return packet;
}

/// Packet() with the MKI in front of its last `behind` bytes.
Bytes Expected(size_t behind) {
  Bytes packet = Packet();
  packet.insert(packet.end() - std::ptrdiff_t(behind), {0xab, 0xcd});
  return packet;
}

TEST(MkiCodec, StandsInFrontOfTheTag) {
  const MkiCodec whole(kTwoBytes, Profile::kAes128CmHmacSha1_80);
  EXPECT_EQ(Inserted(whole, PacketKind::kRtp), Expected(10));
  EXPECT_EQ(Inserted(whole, PacketKind::kRtcp), Expected(10));
  const MkiCodec truncated(kTwoBytes, Profile::kAes256CmHmacSha1_32);
  EXPECT_EQ(Inserted(truncated, PacketKind::kRtp), Expected(4));
  EXPECT_EQ(Inserted(truncated, PacketKind::kRtcp), Expected(10)) << "SRTCP keeps its 80 bits";
}

TEST(MkiCodec, StandsAtTheEndWhereTheTagIsPartOfTheCiphertext) {
  const MkiCodec aead(kTwoBytes, Profile::kAeadAes128Gcm);
  EXPECT_EQ(Inserted(aead, PacketKind::kRtp), Expected(0));
  EXPECT_EQ(Inserted(aead, PacketKind::kRtcp), Expected(0));
}

TEST(MkiCodec, RoundTripsAtEveryLength) {
  for (const Profile profile : {Profile::kAes128CmHmacSha1_80, Profile::kAes128CmHmacSha1_32,
                                Profile::kAeadAes256Gcm, Profile::kNullHmacSha1_80}) {
    for (uint8_t length = 1; length <= kMaxMkiBytes; ++length) {
      const MkiCodec codec(Mki{length, {1, 2, 3, 4, 5, 6, 7, 8}}, profile);
      for (const PacketKind kind : {PacketKind::kRtp, PacketKind::kRtcp}) {
        Bytes packet = Inserted(codec, kind);
        auto bytes = uint32_t(packet.size());
        EXPECT_EQ(bytes, 20u + length);
        ASSERT_TRUE(codec.Remove(packet.data(), bytes, kind));
        packet.resize(bytes);
        EXPECT_EQ(packet, Packet());
      }
    }
  }
}

TEST(MkiCodec, LeavesAPacketWithAnotherMkiAlone) {
  const MkiCodec codec(kTwoBytes, Profile::kAes128CmHmacSha1_80);
  const MkiCodec other(Mki{2, {0xab, 0xce}}, Profile::kAes128CmHmacSha1_80);
  Bytes packet = Inserted(other, PacketKind::kRtp);
  const Bytes before = packet;
  auto length = uint32_t(packet.size());
  EXPECT_FALSE(codec.Remove(packet.data(), length, PacketKind::kRtp));
  EXPECT_EQ(packet, before);
  EXPECT_EQ(length, before.size());
}

TEST(MkiCodec, SurvivesEveryTruncation) {
  for (const Profile profile : {Profile::kAes128CmHmacSha1_80, Profile::kAeadAes128Gcm}) {
    const MkiCodec codec(kTwoBytes, profile);
    const Bytes whole = Inserted(codec, PacketKind::kRtp);
    for (uint32_t length = 0; length < whole.size(); ++length) {
      Bytes packet(whole.begin(), whole.begin() + length);  // its own allocation: a reader beyond it is seen
      uint32_t bytes = length;
      EXPECT_FALSE(codec.Remove(packet.data(), bytes, PacketKind::kRtp)) << length;
      EXPECT_EQ(bytes, length);
    }
  }
}

TEST(MkiCodec, WithoutAnMkiNothingIsDone) {
  EXPECT_FALSE(MkiCodec());
  EXPECT_FALSE(MkiCodec({}, Profile::kAeadAes128Gcm));
  EXPECT_EQ(Inserted(MkiCodec({}, Profile::kAes128CmHmacSha1_80), PacketKind::kRtp), Packet());
}

}  // namespace
}  // namespace linegate::srtp
