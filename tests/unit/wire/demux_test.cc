#include "dataplane/wire/demux.h"

#include <gtest/gtest.h>

#include <array>

namespace linegate::wire {
namespace {

PayloadClass Classify(uint8_t first, uint8_t second) {
  const std::array<uint8_t, 2> bytes = {first, second};
  return ClassifyPayload(bytes);
}

TEST(Demux, ClassifiesEveryFirstByteAsRfc7983Says) {
  for (int first = 0; first < 256; ++first) {
    const PayloadClass expected = first <= 3                    ? PayloadClass::kStun
                                  : first < 20                  ? PayloadClass::kUnknown
                                  : first <= 63                 ? PayloadClass::kDtls
                                  : first <= 79                 ? PayloadClass::kTurnChannel
                                  : first < 128 || first >= 192 ? PayloadClass::kUnknown
                                                                : PayloadClass::kRtp;
    EXPECT_EQ(Classify(uint8_t(first), 0), expected) << first;
  }
}

TEST(Demux, TellsRtcpFromRtpBySecondByte) {
  for (int second = 0; second < 256; ++second) {
    const bool rtcp = second >= 192 && second <= 223;
    EXPECT_EQ(Classify(0x80, uint8_t(second)), rtcp ? PayloadClass::kRtcp : PayloadClass::kRtp) << second;
  }
}

TEST(Demux, ShortPayloadsAreUnknown) {
  EXPECT_EQ(ClassifyPayload({}), PayloadClass::kUnknown);
  const std::array<uint8_t, 1> one = {0x80};
  EXPECT_EQ(ClassifyPayload(one), PayloadClass::kUnknown);
}

}  // namespace
}  // namespace linegate::wire
