#include "dataplane/wire/dtls_record_peek.h"

#include <gtest/gtest.h>

#include "tests/support/packet_builder.h"

namespace linegate::wire {
namespace {

using test::FromHex;

const std::vector<uint8_t> kClientHello = FromHex(R"(
  16 feff          # handshake, DTLS 1.0 (as in a first ClientHello)
  0000             # epoch
  000000000000     # sequence number
  0010             # length 16
  01 000004 0000 000000 000004  fefd 0102   # ClientHello, 4 bytes of it
)");

TEST(DtlsRecordPeek, ParsesCapture) {
  const auto peek = DtlsRecordPeek::Parse(kClientHello);
  ASSERT_TRUE(peek);
  EXPECT_EQ(peek->type, DtlsRecordPeek::ContentType::kHandshake);
  EXPECT_EQ(peek->version, 0xfeff);
  EXPECT_EQ(peek->epoch, 0);
  EXPECT_EQ(peek->fragment_bytes, 16);
  EXPECT_TRUE(peek->client_hello);
}

TEST(DtlsRecordPeek, KnowsThatEncryptedHandshakeIsNoClientHello) {
  auto record = kClientHello;
  record[4] = 1;  // epoch 1
  EXPECT_FALSE(DtlsRecordPeek::Parse(record)->client_hello);
}

TEST(DtlsRecordPeek, RefusesOtherVersionsAndTypes) {
  auto record = kClientHello;
  record[1] = 0x03;  // TLS
  EXPECT_FALSE(DtlsRecordPeek::Parse(record));
  record = kClientHello;
  record[0] = 24;
  EXPECT_FALSE(DtlsRecordPeek::Parse(record));
}

TEST(DtlsRecordPeek, SurvivesEveryTruncation) {
  for (size_t length = 0; length < kClientHello.size(); ++length) {
    EXPECT_FALSE(DtlsRecordPeek::Parse(ByteView(kClientHello).first(length))) << length;
  }
}

}  // namespace
}  // namespace linegate::wire
