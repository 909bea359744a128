// Streams as they come in practice, through a worker with the default engine against peers on libsrtp2: several sources at
// once, whole headers, rollover, loss, and sources that change under way.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "drivers/crypto/ipsec_mb_transform.h"
#include "drivers/crypto/libsrtp_transform.h"
#include "tests/support/dataplane_calls.h"
#include "tests/support/srtp_end.h"

namespace linegate::test {
namespace {

using abi::Counter;
using abi::DropReason;
using Bytes = std::vector<uint8_t>;

constexpr uint32_t kAudio = 0xa0d10, kVideo = 0x71de0, kRtx = 0x7712;

/// An RTP packet with CSRCs, a one-byte header extension (RFC 8285) and padding, as many as `variant` says.
Bytes Whole(uint16_t sequence, uint32_t ssrc, unsigned variant, size_t payload_bytes = 160) {
  const unsigned csrcs = variant % 4, extension_words = variant / 4 % 3, padding = variant / 12 % 2 * 8;
  Bytes packet = Rtp(0, sequence, sequence * 160u, ssrc, {});
  packet[0] = uint8_t(0x80 | csrcs | (extension_words != 0 ? 0x10 : 0) | (padding != 0 ? 0x20 : 0));
  for (unsigned n = 0; n < csrcs * 4; ++n) packet.push_back(uint8_t(0xc0 + n));
  if (extension_words != 0) {
    packet.insert(packet.end(), {0xbe, 0xde, 0, uint8_t(extension_words)});
    for (unsigned n = 0; n < extension_words * 4; ++n) packet.push_back(uint8_t(n == 0 ? 0x10 : 0));
  }
  for (size_t n = 0; n < payload_bytes; ++n) packet.push_back(uint8_t(n * 7 + sequence));
  for (unsigned n = 1; n < padding; ++n) packet.push_back(0);
  if (padding != 0) packet.push_back(uint8_t(padding));
  return packet;
}

class Sources : public testing::TestWithParam<srtp::Profile> {
 protected:
  Sources() {
    call_.out_config.egress.srtp = 1;
    call_.back_config.ingress.srtp = 1;
    call_.out_config.payload[1] = call_.back_config.payload[1] = {101, 101};
    call_.Program();
    call_.Connect(At("10.90.1.2:5000"));
    Install(browser_, call_.out, call_.back);
    Install(phone_, call_.back, call_.out);
  }
  void Install(const SrtpEnd& end, const abi::FlowRef& in, const abi::FlowRef& out) {
    ASSERT_EQ(bench_.Install(in, abi::KeyUse::kReceive, end.sends()), abi::CommandStatus::kDone);
    ASSERT_EQ(bench_.Install(out, abi::KeyUse::kSend, end.hears()), abi::CommandStatus::kDone);
  }
  /// Sends the clear packet from one end under `index`; what the other end makes of it, expecting `heard_index`.
  Bytes Through(bool from_browser, const Bytes& clear, uint64_t index, uint64_t heard_index) {
    SrtpEnd& sender = from_browser ? browser_ : phone_;
    const Bytes packet = sender.Protect(clear, index);
    from_browser ? call_.FromBrowser(packet) : call_.FromPhone(packet);
    bench_.Run();
    const auto sent = bench_.Sent(from_browser ? DataplaneBench::kPrivate : DataplaneBench::kPublic);
    if (sent.size() != 1) return {};
    return (from_browser ? phone_ : browser_).Unprotect(sent[0].payload, heard_index);
  }
  Bytes Through(bool from_browser, const Bytes& clear, uint64_t index) {
    return Through(from_browser, clear, index, index);
  }

  std::unique_ptr<crypto::IpsecMbTransform> engine_ = *crypto::IpsecMbTransform::Create();
  crypto::LibsrtpTransform libsrtp_;
  DataplaneBench bench_{1, engine_.get()};
  GatewayCall call_{bench_, *engine_, Flow(0), Flow(1)};
  SrtpEnd browser_{libsrtp_, MasterKeyFrom(1, GetParam()), MasterKeyFrom(2, GetParam())};
  SrtpEnd phone_{libsrtp_, MasterKeyFrom(3, GetParam()), MasterKeyFrom(4, GetParam())};
};

TEST_P(Sources, AudioVideoAndRetransmissionsAtOnceWithWholeHeaders) {
  std::map<uint32_t, uint64_t> next = {{kAudio, 65500}, {kVideo, 7}, {kRtx, 40000}};
  for (unsigned round = 0; round < 120; ++round) {
    for (auto& [ssrc, index] : next) {
      ++index;
      const Bytes clear = Whole(srtp::SequenceNumberOf(index), ssrc, round, ssrc == kVideo ? 1100 : 160);
      ASSERT_EQ(Through(true, clear, index), clear) << ssrc << " " << round;
      ASSERT_EQ(Through(false, clear, index), clear) << ssrc << " " << round;
    }
  }
  EXPECT_EQ(bench_.all_drops(), 0u);
  for (uint32_t extra = 1; extra <= 3; ++extra) Through(true, Whole(1, extra, 0), 1);
  EXPECT_EQ(bench_.drops(DropReason::kTooManySsrcs), 2u)
      << "four sources a leg, and this is the second stranger";
  const Bytes clear = Whole(srtp::SequenceNumberOf(next[kAudio] + 1), kAudio, 5);
  EXPECT_EQ(Through(true, clear, next[kAudio] + 1), clear) << "the others go on";
}

TEST_P(Sources, RollsOverInEachDirectionAlsoAfterLoss) {
  for (const bool from_browser : {true, false}) {
    const uint32_t ssrc = from_browser ? kAudio : kVideo;
    const auto pass = [&](uint64_t index) {
      const Bytes clear = Whole(srtp::SequenceNumberOf(index), ssrc, unsigned(index));
      EXPECT_EQ(Through(from_browser, clear, index), clear) << from_browser << " " << index;
    };
    for (uint64_t index = 65530; index < 65545; ++index) pass(index);  // every packet
    for (uint64_t index : {95000, 125000, 131060, 131065}) pass(index);
    pass(131090);  // what lies between, the wrap with it, is lost
    pass(131068);  // late, from before the wrap
    pass(131072);  // and the first one behind it
    pass(160000);
    pass(180000);          // many lost, no wrap
    pass(180000 + 32700);  // nearly half of all numbers lost, the wrap among them
    pass(180000 + 32600);
  }
  EXPECT_EQ(bench_.all_drops(), 0u);
}

TEST_P(Sources, NothingIsLostOrRepeatedUnderLossReorderingAndCopies) {
  std::mt19937 random(11);
  for (const bool from_browser : {true, false}) {
    const uint32_t ssrc = from_browser ? kAudio : kVideo;
    std::vector<uint64_t> order;
    for (uint64_t index = 65000; index < 66500; ++index) {
      if (random() % 10 == 0) continue;
      order.push_back(index);
      if (random() % 8 == 0) order.push_back(index);
    }
    for (size_t n = 1; n < order.size(); ++n) {
      const size_t back = std::min<size_t>(n, random() % 20);
      if (random() % 6 == 0) std::swap(order[n], order[n - back]);
    }
    std::map<uint64_t, int> heard;
    for (const uint64_t index : order) {
      const Bytes clear = Whole(srtp::SequenceNumberOf(index), ssrc, unsigned(index));
      if (Through(from_browser, clear, index) == clear) ++heard[index];
    }
    for (const uint64_t index : order) EXPECT_EQ(heard[index], 1) << from_browser << " " << index;
  }
}

// Mission G11: media moves to a media server and back, in the middle of the call.
TEST_P(Sources, AMediaServerTakesOverAndGivesBack) {
  std::mt19937 random(5);
  std::map<uint32_t, uint64_t>
      highest;  // towards the browser, by SSRC, as a receiver counts (RFC 3711 section 3.3.1)
  size_t heard = 0;
  const auto to_browser = [&](SrtpEnd& server, uint16_t sequence, uint64_t index, uint32_t ssrc) {
    call_.FromPhone(server.Protect(Rtp(0, sequence, random(), ssrc, Bytes(160, 3)), index));
    bench_.Run();
    for (const SentDatagram& sent : bench_.Sent(DataplaneBench::kPublic)) {
      const uint16_t number = LoadBe16(sent.payload.data() + 2);
      const bool known = highest.contains(ssrc);
      const uint64_t estimate = known ? srtp::EstimatePacketIndex(highest[ssrc], number) : number;
      EXPECT_TRUE(!known || estimate > highest[ssrc])
          << "it went back from " << highest[ssrc] << " to " << estimate;
      EXPECT_FALSE(browser_.Unprotect(sent.payload, estimate).empty()) << estimate;
      highest[ssrc] = std::max(highest[ssrc], estimate);
      ++heard;
    }
  };
  const uint64_t path_before = bench_.slot(call_.out).ice.paths[0].last_check_ns;
  for (uint16_t n = 0; n < 50; ++n) to_browser(phone_, uint16_t(65520 + n), 65520u + n, kAudio);

  // A re-INVITE names another address, and the server's own key and source.
  SrtpEnd server(libsrtp_, MasterKeyFrom(5, GetParam()), phone_.hears());
  call_.phone = At("10.90.2.9:7000");
  call_.back_config.ingress = RtpIngress(40000, call_.phone);
  call_.back_config.ingress.srtp = 1;
  call_.out_config.egress = RtpEgress(40000, call_.phone);
  call_.out_config.egress.srtp = 1;
  call_.Program();
  ASSERT_EQ(bench_.Install(call_.back, abi::KeyUse::kReceive, server.sends()), abi::CommandStatus::kDone);
  for (uint32_t announcement = 1; announcement <= 3; ++announcement) {  // each with a source of its own
    const auto first = uint16_t(random() % 60000);
    for (uint16_t n = 0; n < 30; ++n)
      to_browser(server, uint16_t(first + n), first + n, 0x5e0000 + announcement);
  }
  EXPECT_EQ(heard, 50u + 3 * 30);

  // It goes back to the phone, which begins again under its old SSRC, with lower numbers and a new key.
  SrtpEnd again(libsrtp_, MasterKeyFrom(6, GetParam()), phone_.hears());
  ASSERT_EQ(bench_.Install(call_.back, abi::KeyUse::kReceive, again.sends()), abi::CommandStatus::kDone);
  for (uint16_t n = 0; n < 50; ++n) to_browser(again, uint16_t(20 + n), 20u + n, kAudio);
  EXPECT_EQ(heard, 50u + 3 * 30 + 49) << "the first packet of the restart is taken for a copy";
  EXPECT_EQ(bench_.counter(Counter::kTransmitRenumbered), 1u);

  // To the browser it was one transport all the time, and its own stream was renumbered for nobody.
  EXPECT_EQ(bench_.slot(call_.out).ice.paths[0].last_check_ns, path_before);
  const Bytes clear = Whole(900, kAudio, 0);
  EXPECT_EQ(Through(true, clear, 900), clear);
}

INSTANTIATE_TEST_SUITE_P(Profiles, Sources,
                         testing::Values(srtp::Profile::kAes256CmHmacSha1_80, srtp::Profile::kAeadAes256Gcm,
                                         srtp::Profile::kNullHmacSha1_80, srtp::Profile::kAes128CmHmacSha1_80,
                                         srtp::Profile::kAes128CmHmacSha1_32, srtp::Profile::kAeadAes128Gcm),
                         [](const testing::TestParamInfo<srtp::Profile>& suite) {
                           return std::string(srtp::TraitsOf(suite.param)->name);
                         });

}  // namespace
}  // namespace linegate::test
