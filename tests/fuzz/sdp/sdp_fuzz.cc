// Session descriptions from strangers: parsing, meaning, and what we would write back. The description of a
// peer that is served must be one we can parse again.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "controlplane/sdp/codec_negotiation.h"
#include "controlplane/sdp/local_description.h"
#include "controlplane/sdp/sdp_parser.h"
#include "controlplane/sdp/sdp_writer.h"

namespace {

using namespace linegate;  // NOLINT: a fuzz target is a program

void Require(bool holds) {
  if (!holds) std::abort();
}

void RelayStream(const sdp::PeerDescription& peer) {
  sdp::PayloadRegistry registry;
  const auto offered = sdp::OfferCodecs(peer.audio.codecs, registry, sdp::PayloadSpace::kMuxSafe);
  const auto answer = sdp::AnswerCodecs(offered, peer.audio.codecs);
  Require(answer.to_answerer.size() <= sdp::kMaxRenames && answer.to_offerer.size() <= sdp::kMaxRenames);
  sdp::AudioStream stream = peer.audio;
  stream.codecs = answer.codecs;
  if (stream.codecs.empty()) return;
  Require(peer.crypto.served.size() <= sdp::kMaxCryptoLines &&
          peer.crypto.served.size() <= peer.crypto.count);
  // What was read is written so that it reads the same.
  for (const sdp::CryptoLine& line : peer.crypto.served) {
    const auto again = sdp::ParseCrypto(sdp::WriteCrypto(line));
    Require(again && again->tag == line.tag && again->key.profile == line.key.profile &&
            again->key.mki == line.key.mki &&
            std::ranges::equal(again->key.key.view(), line.key.key.view()) &&
            std::ranges::equal(again->key.salt.view(), line.key.salt.view()));
  }
  const sdp::LocalRtp rtp{{IpAddress::V4(10, 0, 0, 1), 40000}, 40001, peer.rtcp_mux, peer.crypto.served};
  Require(sdp::Parse(sdp::Write(sdp::DescribeRtp(peer.layout, stream, rtp, 1))).has_value());
  sdp::LocalWebRtc web;
  web.address = rtp.rtp;
  Require(sdp::Parse(sdp::Write(sdp::DescribeWebRtc(peer.layout, stream, web, 1))).has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto parsed = sdp::Parse(text);
  if (!parsed) return 0;
  const std::string written = sdp::Write(*parsed);
  // A maximal description may grow beyond a bound by the lines that Write adds.
  if (const auto again = sdp::Parse(written)) Require(sdp::Write(*again) == written);
  if (const auto peer = sdp::DescribeRtpPeer(text, sdp::kAnyAudio)) RelayStream(*peer);
  if (const auto peer = sdp::DescribeWebRtcPeer(text, sdp::kAnyAudio)) RelayStream(*peer);
  return 0;
}
