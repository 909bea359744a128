#include "dataplane/nodes/reflect.h"

#include <array>

namespace linegate::nodes {
namespace {

/// 8000 Hz / 400 Hz. 20 ms hold 8 periods.
constexpr size_t kPeriodSamples = 20;
/// round(8000 sin(2 pi i / 20)), -9 dBm0 (full scale is +3.17 dBm0).
constexpr std::array<int16_t, kPeriodSamples> kSine = {0,     2472,  4702,  6472,  7608,  8000,  7608,
                                                       6472,  4702,  2472,  0,     -2472, -4702, -6472,
                                                       -7608, -8000, -7608, -6472, -4702, -2472};

/// ITU-T G.711 table 2a/2b, 16-bit linear.
constexpr uint8_t ToPcmu(int16_t sample) {
  constexpr int kBias = 0x84;
  const int sign = sample < 0 ? 0x80 : 0;
  int magnitude = (sample < 0 ? -sample : sample) + kBias;
  int exponent = 7;
  for (int mask = 0x4000; (magnitude & mask) == 0 && exponent > 0; mask >>= 1) --exponent;
  const int mantissa = (magnitude >> (exponent + 3)) & 0x0f;
  return uint8_t(~(sign | exponent << 4 | mantissa));
}

/// ITU-T G.711 table 1a/1b, 16-bit linear.
constexpr uint8_t ToPcma(int16_t sample) {
  const int sign = sample >= 0 ? 0x80 : 0;
  const int magnitude = sample < 0 ? -sample - 1 : sample;
  int exponent = 7;
  for (int mask = 0x4000; (magnitude & mask) == 0 && exponent > 0; mask >>= 1) --exponent;
  const int mantissa = (magnitude >> (exponent == 0 ? 4 : exponent + 3)) & 0x0f;
  return uint8_t((sign | exponent << 4 | mantissa) ^ 0x55);
}

template <uint8_t (*kEncode)(int16_t)>
constexpr std::array<uint8_t, kPeriodSamples> MakePeriod() {
  std::array<uint8_t, kPeriodSamples> period = {};
  for (size_t i = 0; i < kPeriodSamples; ++i) period[i] = kEncode(kSine[i]);
  return period;
}
constexpr auto kPcmuPeriod = MakePeriod<ToPcmu>();
constexpr auto kPcmaPeriod = MakePeriod<ToPcma>();
static_assert(ToPcmu(0) == 0xff && ToPcma(0) == 0xd5);

/// A packet of 20 ms, to leave a sensible distance where the caller's numbering jumps.
constexpr uint32_t PacketTicks(uint8_t payload_type) { return payload_type < 96 ? 160 : 960; }

}  // namespace

void Reflect(MutableByteView packet, uint32_t own_ssrc, abi::ReflectState& state, PrfStream& random) {
  const uint16_t sequence = LoadBe16(packet.data() + 2);
  const uint32_t timestamp = LoadBe32(packet.data() + 4);
  const uint32_t ssrc = LoadBe32(packet.data() + 8);
  if (state.started == 0) {
    // RFC 3550 section 5.1 wants random starts; the lower half of the numbers, so that an early loss cannot
    // be taken for a rollover (RFC 3711 section 3.3.1).
    state.sequence_offset = uint16_t((random.U32() & 0x7fff) - sequence);
    state.timestamp_offset = random.U32();
    state.last_sequence = uint16_t(sequence + state.sequence_offset - 1);
    state.started = 1;
  } else if (ssrc != state.input_ssrc) {
    state.sequence_offset = uint16_t(state.last_sequence + 1 - sequence);
    state.timestamp_offset = state.last_timestamp + PacketTicks(packet[1] & 0x7f) - timestamp;
  }
  state.input_ssrc = ssrc;
  const auto out_sequence = uint16_t(sequence + state.sequence_offset);
  const uint32_t out_timestamp = timestamp + state.timestamp_offset;
  if (int16_t(out_sequence - state.last_sequence) > 0) {
    state.last_sequence = out_sequence;
    state.last_timestamp = out_timestamp;
  }
  wire::RtpHeaderEditor editor(packet);
  editor.set_ssrc(own_ssrc);
  editor.set_sequence_number(out_sequence);
  editor.set_timestamp(out_timestamp);
}

void FillTone(MutableByteView payload, uint8_t payload_type, uint32_t timestamp) {
  const auto& period = payload_type == 8 ? kPcmaPeriod : kPcmuPeriod;
  size_t phase = timestamp % kPeriodSamples;
  for (uint8_t& sample : payload) {
    sample = period[phase];
    phase = phase + 1 == kPeriodSamples ? 0 : phase + 1;
  }
}

}  // namespace linegate::nodes
