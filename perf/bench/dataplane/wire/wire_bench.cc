// Cycles per packet of the codecs on the media path: BM_<Subject><Action>/<batch>/<payload bytes>.
#include <vector>

#include "dataplane/wire/frame_view.h"
#include "dataplane/wire/frame_writer.h"
#include "dataplane/wire/rtp_header.h"
#include "dataplane/wire/stun_message.h"
#include "drivers/crypto/openssl_hmac_sha1.h"
#include "perf/bench/measured_section.h"

namespace {

using namespace linegate;
using namespace linegate::wire;

constexpr size_t kBurst = 32;

struct Frame {
  std::vector<uint8_t> bytes;
  FrameHeader header;
  explicit Frame(size_t payload_bytes) {
    header.source = *Endpoint::Parse("10.90.1.2:5000");
    header.destination = *Endpoint::Parse("10.90.1.1:20000");
    bytes.resize(FrameHeaderBytes(header) + payload_bytes, 0x5a);
    bytes[FrameHeaderBytes(header)] = 0x80;
    WriteFrameHeader(bytes.data() + FrameHeaderBytes(header), payload_bytes, header);
  }
};

void BM_FrameParse(benchmark::State& state) {
  const Frame frame(size_t(state.range(0)));
  bench::MeasuredSection section;
  for (auto _ : state) {
    section.Run(state, kBurst, [&] {
      for (size_t i = 0; i < kBurst; ++i) {
        FrameView view;
        benchmark::DoNotOptimize(ParseFrame(frame.bytes, view));
        benchmark::DoNotOptimize(view);
      }
    });
  }
  section.Report(state);
}
BENCHMARK(BM_FrameParse)->Name("BM_FrameParse/32")->Arg(172)->UseManualTime();

void BM_FrameParseAndVerify(benchmark::State& state) {
  const Frame frame(size_t(state.range(0)));
  bench::MeasuredSection section;
  for (auto _ : state) {
    section.Run(state, kBurst, [&] {
      for (size_t i = 0; i < kBurst; ++i) {
        FrameView view;
        benchmark::DoNotOptimize(ParseFrame(frame.bytes, view));
        benchmark::DoNotOptimize(UdpChecksumValid(frame.bytes, view));
      }
    });
  }
  section.Report(state);
}
BENCHMARK(BM_FrameParseAndVerify)->Name("BM_FrameParseAndVerify/32")->Arg(172)->Arg(1200)->UseManualTime();

void BM_FrameWrite(benchmark::State& state) {
  const auto payload_bytes = size_t(state.range(0));
  Frame frame(payload_bytes);
  bench::MeasuredSection section;
  for (auto _ : state) {
    section.Run(state, kBurst, [&] {
      for (size_t i = 0; i < kBurst; ++i) {
        benchmark::DoNotOptimize(WriteFrameHeader(frame.bytes.data() + FrameHeaderBytes(frame.header),
                                                  payload_bytes, frame.header));
        benchmark::ClobberMemory();
      }
    });
  }
  section.Report(state);
}
BENCHMARK(BM_FrameWrite)->Name("BM_FrameWrite/32")->Arg(172)->Arg(1200)->UseManualTime();

void BM_RtpParse(benchmark::State& state) {
  const std::vector<uint8_t> packet(size_t(state.range(0)), 0x80);
  bench::MeasuredSection section;
  for (auto _ : state) {
    section.Run(state, kBurst, [&] {
      for (size_t i = 0; i < kBurst; ++i) benchmark::DoNotOptimize(RtpHeaderView::ParseHeader(packet));
    });
  }
  section.Report(state);
}
BENCHMARK(BM_RtpParse)->Name("BM_RtpParse/32")->Arg(172)->UseManualTime();

/// A whole connectivity check: parse, verify the HMAC, write the signed answer.
void BM_StunCheckAnswer(benchmark::State& state) {
  const std::array<uint8_t, 12> id = {1, 2, 3};
  const ByteView password = AsBytes("secretsecretsecretsecret");
  crypto::OpensslHmacSha1 hmac;
  std::array<uint8_t, 256> request_buffer;
  StunMessageWriter writer(request_buffer, StunClass::kRequest, StunMethod::kBinding, id);
  writer.AddText(StunAttribute::kUsername, "abcdefghijklmn:efgh");
  writer.AddU64(StunAttribute::kIceControlling, 1);
  writer.AddU32(StunAttribute::kPriority, 1);
  writer.AddMessageIntegrity(hmac, password);
  writer.AddFingerprint();
  const ByteView request = writer.Finish();
  bench::MeasuredSection section;
  for (auto _ : state) {
    section.Run(state, kBurst, [&] {
      for (size_t i = 0; i < kBurst; ++i) {
        const auto view = StunMessageView::Parse(request);
        benchmark::DoNotOptimize(view->VerifyIntegrity(hmac, password));
        std::array<uint8_t, 128> buffer;
        StunMessageWriter answer(buffer, StunClass::kSuccess, StunMethod::kBinding, view->transaction_id());
        answer.AddXorAddress(StunAttribute::kXorMappedAddress, Endpoint{IpAddress::V4(10, 90, 1, 2), 5000});
        answer.AddMessageIntegrity(hmac, password);
        answer.AddFingerprint();
        benchmark::DoNotOptimize(answer.Finish());
      }
    });
  }
  section.Report(state);
}
BENCHMARK(BM_StunCheckAnswer)->Name("BM_StunCheckAnswer/32/96")->UseManualTime();

}  // namespace
