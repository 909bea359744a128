#include "controlplane/sdp/codec_negotiation.h"

#include <gmock/gmock.h>

namespace linegate::sdp {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const Codec kOpus{111, "opus", 48000, "2", {"useinbandfec=1"}};
const Codec kPcmu{0, "PCMU", 8000, "", {}};
const Codec kPcma{8, "PCMA", 8000, "", {}};
const Codec kEvent{126, "telephone-event", 8000, "", {}};

Codec At(Codec codec, uint8_t payload_type) {
  codec.payload_type = payload_type;
  return codec;
}

std::vector<std::pair<int, int>> Numbers(const std::vector<OfferedCodec>& offered) {
  std::vector<std::pair<int, int>> numbers;
  for (const OfferedCodec& entry : offered)
    numbers.emplace_back(entry.source_payload_type, entry.codec.payload_type);
  return numbers;
}

std::vector<std::pair<int, int>> Numbers(const std::vector<PayloadRename>& renames) {
  std::vector<std::pair<int, int>> numbers;
  for (const PayloadRename& rename : renames) numbers.emplace_back(rename.from, rename.to);
  return numbers;
}
using P = std::pair<int, int>;

TEST(OfferCodecs, KeepOrderNumbersAndFmtp) {
  PayloadRegistry other;
  const auto offered = OfferCodecs({kOpus, kPcmu, kEvent}, other, PayloadSpace::kAny);
  EXPECT_THAT(Numbers(offered), ElementsAre(P{111, 111}, P{0, 0}, P{126, 126}));
  EXPECT_EQ(offered[0].codec.fmtp, kOpus.fmtp);
}

TEST(OfferCodecs, RenumberWhatReadsAsRtcpWithMux) {
  PayloadRegistry other;
  const auto offered = OfferCodecs({At(kOpus, 72), kPcmu, At(kEvent, 96)}, other, PayloadSpace::kMuxSafe);
  EXPECT_THAT(Numbers(offered), ElementsAre(P{72, 97}, P{0, 0}, P{96, 96}));
  PayloadRegistry sip;
  EXPECT_THAT(Numbers(OfferCodecs({At(kOpus, 72)}, sip, PayloadSpace::kAny)), ElementsAre(P{72, 72}));
}

TEST(OfferCodecs, NeverGiveANumberOfTheLegASecondMeaning) {
  PayloadRegistry leg;
  leg.Learn({At(kOpus, 101), kPcmu});
  // The other side calls telephone-event 101 and opus 96: opus keeps the leg's number, telephone-event gets a
  // free one.
  EXPECT_THAT(Numbers(OfferCodecs({At(kOpus, 96), kPcmu, At(kEvent, 101)}, leg, PayloadSpace::kMuxSafe)),
              ElementsAre(P{96, 101}, P{0, 0}, P{101, 96}));
  EXPECT_THAT(Numbers(OfferCodecs({At(kEvent, 101), kPcmu}, leg, PayloadSpace::kMuxSafe)),
              ElementsAre(P{101, 96}, P{0, 0}));  // and keeps it
}

TEST(OfferCodecs, TwoFormatsOfOneEncodingKeepTwoNumbers) {
  PayloadRegistry leg;
  Codec stereo = At(kOpus, 112);
  stereo.fmtp = {"stereo=1"};
  leg.Learn({stereo});
  EXPECT_THAT(Numbers(OfferCodecs({kOpus, stereo}, leg, PayloadSpace::kMuxSafe)),
              ElementsAre(P{111, 111}, P{112, 112}));
}

TEST(AnswerCodecs, ComeInTheAnswerersOrderWithTheOfferersNumbers) {
  PayloadRegistry other;
  const auto offered = OfferCodecs({kOpus, At(kPcma, 8), kPcmu, kEvent}, other, PayloadSpace::kAny);
  const auto answer = AnswerCodecs(offered, {kPcmu, kPcma, kEvent});
  ASSERT_EQ(answer.codecs.size(), 3u);
  EXPECT_EQ(answer.codecs[0].name, "PCMU");
  EXPECT_EQ(answer.codecs[2].payload_type, 126);
  EXPECT_THAT(Numbers(answer.to_answerer), ElementsAre(P{0, 0}, P{8, 8}, P{126, 126}));
}

TEST(AnswerCodecs, AnswererMayNumberOtherwise) {
  PayloadRegistry other;
  const auto offered = OfferCodecs({kPcmu, kEvent}, other, PayloadSpace::kAny);
  const auto answer = AnswerCodecs(offered, {kPcmu, At(kEvent, 101)});
  EXPECT_THAT(Numbers(answer.to_answerer), ElementsAre(P{0, 0}, P{126, 101}));
  EXPECT_THAT(Numbers(answer.to_offerer), ElementsAre(P{0, 0}, P{126, 126}, P{101, 126}));
}

TEST(AnswerCodecs, TakeTheAnswerersFmtp) {
  PayloadRegistry other;
  const auto offered = OfferCodecs({kOpus}, other, PayloadSpace::kAny);
  Codec answered = kOpus;
  answered.fmtp = {"maxaveragebitrate=20000"};
  EXPECT_EQ(AnswerCodecs(offered, {answered}).codecs[0].fmtp, answered.fmtp);
}

TEST(AnswerCodecs, IgnoreWhatWasNotOffered) {
  PayloadRegistry other;
  const auto offered = OfferCodecs({kOpus, kEvent}, other, PayloadSpace::kAny);
  EXPECT_THAT(AnswerCodecs(offered, {kPcmu, kPcma}).codecs, IsEmpty());
  // A number that is right and an encoding that is not is no match either.
  EXPECT_THAT(AnswerCodecs(offered, {At(kPcmu, 111)}).codecs, IsEmpty());
}

TEST(AnswerCodecs, TelephoneEventOfAnotherClockIsLeftOut) {
  PayloadRegistry other;
  const auto offered = OfferCodecs({kOpus, kPcmu, kEvent}, other, PayloadSpace::kAny);
  const auto answer = AnswerCodecs(offered, {kOpus, kEvent});
  ASSERT_EQ(answer.codecs.size(), 1u);
  EXPECT_THAT(Numbers(answer.to_answerer), ElementsAre(P{111, 111}));
}

TEST(AnswerCodecs, NeverExceedWhatAFlowHolds) {
  std::vector<Codec> many;
  for (uint8_t i = 96; i < 127; ++i) many.push_back({i, "x" + std::to_string(i), 8000, "", {}});
  PayloadRegistry other;
  const auto offered = OfferCodecs(many, other, PayloadSpace::kAny);
  std::vector<Codec> renumbered = many;
  for (Codec& codec : renumbered) codec.payload_type = uint8_t(codec.payload_type - 61);
  const auto answer = AnswerCodecs(offered, renumbered);
  EXPECT_LE(answer.to_offerer.size(), kMaxRenames);
  EXPECT_EQ(answer.codecs.size(), answer.to_answerer.size());
}

TEST(ChooseForSelf, TakesTheFirstAcceptedCodecAndItsTelephoneEvent) {
  const auto chosen =
      ChooseForSelf({At(kEvent, 101), {18, "G729", 8000, "", {}}, kPcma, kOpus}, IsBrowserCodec);
  ASSERT_EQ(chosen.size(), 2u);
  EXPECT_EQ(chosen[0].name, "PCMA");
  EXPECT_EQ(chosen[1].payload_type, 101);
}

}  // namespace
}  // namespace linegate::sdp
