#include "perf/load/traffic.h"

#include <x86intrin.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "dataplane/wire/frame_writer.h"
#include "dataplane/wire/stun_message.h"
#include "dataplane/wire/turn_channel_data.h"

namespace linegate::load {
namespace {

constexpr size_t kHeaderBytes = 42;  // Ethernet, IPv4, UDP
constexpr size_t kUdpOffset = 34;
constexpr size_t kRtpBytes = 12;
constexpr size_t kRtcpBytes = 32;
constexpr size_t kAhead = 16;  // templates and buffers prefetched

void WriteStamp(uint8_t* payload, const Stamp& stamp) {
  std::memcpy(payload, &stamp.sent_tsc, 8);
  std::memcpy(payload + 8, &stamp.index, 8);
  std::memcpy(payload + 16, &stamp.call, 4);
}

}  // namespace

srtp::MasterKey GeneratorKey(srtp::Profile profile) {
  const auto traits = *srtp::TraitsOf(profile);
  std::array<uint8_t, srtp::kMaxKeyBytes + srtp::kMaxSaltBytes> bytes;
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = uint8_t(0xa5 + 7 * i);
  srtp::MasterKey key;
  key.profile = profile;
  key.key.Assign(ByteView(bytes).first(traits.key_bytes));
  key.salt.Assign(ByteView(bytes).subspan(srtp::kMaxKeyBytes, traits.salt_bytes));
  return key;
}

Traffic::Traffic(const CallPlan& plan, const LoadOptions& options, const DeviceLink* device,
                 crypto::IpsecMbTransform& transform)
    : plan_(plan), options_(options), device_(device), transform_(transform), order_(plan.calls()) {
  for (size_t i = 0; i < pattern_.size(); ++i) pattern_[i] = PatternByte(i);
  if (options.suite == Suite::kTurnChannel) channel_bytes_ = wire::kChannelDataHeaderBytes;
  media_bytes_ = channel_bytes_ + kRtpBytes + options.payload_bytes;
  if (SendsSrtp(options.suite)) {
    media_bytes_ += srtp::TraitsOf(options.profile)->rtp_tag_bytes;
    context_ = *transform_.CreateContext(GeneratorKey(options.profile), srtp::Direction::kProtect);
  }
  std::iota(order_.begin(), order_.end(), 0u);
  std::shuffle(order_.begin(), order_.end(), std::mt19937(1));
  MakeTemplates();
}

void Traffic::MakeTemplates() {
  templates_.resize(plan_.calls());
  std::vector<uint8_t> room(wire::kMaxFrameHeaderBytes + media_bytes_);
  for (uint32_t call = 0; call < plan_.calls(); ++call) {
    wire::FrameHeader header;
    header.source_mac = kPeerMac;
    header.destination_mac = plan_.gateway_mac();
    header.source = plan_.Peer(call, CallPlan::Side::kFirst);
    header.destination = plan_.Gateway(call, CallPlan::Side::kFirst);
    uint8_t* const payload = room.data() + wire::kMaxFrameHeaderBytes;
    uint8_t* const frame = wire::WriteFrameHeader(payload, media_bytes_, header);
    Template& made = templates_[call];
    std::copy_n(frame, kHeaderBytes, made.headers.begin());
    StoreBe16(made.headers.data() + kUdpOffset + 6, 0);
    made.ssrc = CallPlan::SsrcOf(call, CallPlan::Side::kFirst);
    made.sum = {};
    made.sum.Add(header.source.address.bytes());
    made.sum.Add(header.destination.address.bytes());
    made.sum.AddU16(wire::kIpProtocolUdp);
    made.sum.AddU16(uint16_t(media_bytes_ + 8));
    made.sum.Add(ByteView(made.headers).subspan(kUdpOffset));
  }
}

bool Traffic::CheckIsDue() {
  if (options_.check_every == 0 || made_ < next_check_) return false;
  next_check_ = made_ + options_.check_every;
  return true;
}

void Traffic::PrepareMedia(io::Packet& packet, uint32_t call, uint64_t index) const {
  const Template& made = templates_[call];
  uint8_t* const rtp = packet.data + kHeaderBytes + channel_bytes_;
  std::memcpy(packet.data, made.headers.data(), kHeaderBytes);
  if (channel_bytes_ != 0) {
    wire::WriteChannelDataHeader(
        std::span<uint8_t, wire::kChannelDataHeaderBytes>(packet.data + kHeaderBytes, channel_bytes_),
        CallPlan::kChannel, media_bytes_ - channel_bytes_);
  }
  rtp[0] = 0x80, rtp[1] = 0;
  StoreBe16(rtp + 2, uint16_t(index));
  StoreBe32(rtp + 4, uint32_t(index * 160));
  StoreBe32(rtp + 8, made.ssrc);
  WriteStamp(rtp + kRtpBytes, {__rdtsc(), index, call});
  std::memcpy(rtp + kRtpBytes + kStampBytes, pattern_.data() + kStampBytes,
              options_.payload_bytes - kStampBytes);
  packet.length = uint16_t(kHeaderBytes + media_bytes_);
}

void Traffic::FinishMedia(io::Packet& packet, uint32_t call) const {
  wire::ChecksumAccumulator sum = templates_[call].sum;
  sum.Add({packet.data + kHeaderBytes, media_bytes_});
  const uint16_t checksum = sum.Finish();
  StoreBe16(packet.data + kUdpOffset + 6, checksum == 0 ? 0xffff : checksum);
}

void Traffic::FinishSlow(io::Packet& packet, uint8_t* payload, size_t bytes, uint32_t call,
                         uint16_t component) const {
  wire::FrameHeader header;
  header.source_mac = kPeerMac;
  header.destination_mac = plan_.gateway_mac();
  header.source = plan_.Peer(call, CallPlan::Side::kFirst);
  header.destination = plan_.Gateway(call, CallPlan::Side::kFirst);
  if (options_.suite == Suite::kStunBinding) header.destination = plan_.stun_listener();
  if (!plan_.IsBrowser(CallPlan::Side::kFirst))
    header.source.port = uint16_t(header.source.port + component),
    header.destination.port = uint16_t(header.destination.port + component);
  packet.data = wire::WriteFrameHeader(payload, bytes, header);
  packet.length = uint16_t(payload + bytes - packet.data);
}

void Traffic::PrepareRtcp(io::Packet& packet, uint32_t call) {
  uint8_t* const rtcp = packet.data + wire::kMaxFrameHeaderBytes;
  std::fill_n(rtcp, kRtcpBytes, uint8_t{0});
  rtcp[0] = 0x81, rtcp[1] = 201;  // RR with one block
  StoreBe16(rtcp + 2, kRtcpBytes / 4 - 1);
  StoreBe32(rtcp + 4, CallPlan::SsrcOf(call, CallPlan::Side::kFirst));
  StoreBe32(rtcp + 8, CallPlan::SsrcOf(call, CallPlan::Side::kSecond));
  size_t bytes = kRtcpBytes;
  if (context_ != nullptr) {
    srtp::CryptoJob job;
    job.context = context_.get();
    job.packet = rtcp;
    job.length = kRtcpBytes;
    job.capacity = packet.tailroom - uint32_t(wire::kMaxFrameHeaderBytes);
    job.header_bytes = 8;
    job.ssrc = LoadBe32(rtcp + 4);
    job.index = ++srtcp_index_;
    job.kind = srtp::PacketKind::kRtcp;
    transform_.Protect({&job, 1});
    bytes = job.length;
  }
  FinishSlow(packet, rtcp, bytes, call, 1);
}

void Traffic::PrepareBinding(io::Packet& packet, uint32_t call) {
  uint8_t* const message = packet.data + wire::kMaxFrameHeaderBytes;
  uint8_t transaction[12] = {};
  StoreBe64(transaction + 4, ++transaction_);
  wire::StunMessageWriter writer({message, 64}, wire::StunClass::kRequest, wire::StunMethod::kBinding,
                                 transaction);
  FinishSlow(packet, message, writer.Finish().size(), call, 0);
}

bool Traffic::MakeCheck(drivers::DpdkPort& port, uint32_t call, CallPlan::Side side, io::Packet& out) {
  if (device_ == nullptr || !port.Allocate(out)) return false;
  uint8_t transaction[12] = {};
  StoreBe64(transaction + 4, ++transaction_);
  uint8_t* const message = out.data + wire::kMaxFrameHeaderBytes;
  wire::StunMessageWriter writer({message, 256}, wire::StunClass::kRequest, wire::StunMethod::kBinding,
                                 transaction);
  writer.AddText(wire::StunAttribute::kUsername, device_->UfragOf(call, side) + ":load");
  writer.AddU32(wire::StunAttribute::kPriority, 1);
  writer.AddU64(wire::StunAttribute::kIceControlling, 77);
  writer.AddFlag(wire::StunAttribute::kUseCandidate);
  writer.AddMessageIntegrity(hmac_, std::array<uint8_t, abi::kLocalPwdLength>{});
  writer.AddFingerprint();
  const ByteView finished = writer.Finish();
  wire::FrameHeader header;
  header.source_mac = kPeerMac;
  header.destination_mac = plan_.gateway_mac();
  header.source = plan_.Peer(call, side);
  header.destination = plan_.Gateway(call, side);
  out.data = wire::WriteFrameHeader(message, finished.size(), header);
  out.length = uint16_t(message + finished.size() - out.data);
  return true;
}

void Traffic::TakeBack(size_t count) {
  const uint64_t next = round_ * order_.size() + position_ - count;
  round_ = next / order_.size();
  position_ = size_t(next % order_.size());
}

size_t Traffic::MakeBurst(drivers::DpdkPort& port, std::span<io::Packet> out) {
  std::array<srtp::CryptoJob, io::kMaxBurst> jobs;
  std::array<uint32_t, io::kMaxBurst> calls;
  std::array<bool, io::kMaxBurst> media;
  size_t count = 0, job_count = 0;
  for (; count < out.size() && port.Allocate(out[count]); ++count) {
    const uint32_t call = order_[position_];
    const uint64_t index = round_;
    if (++position_ == order_.size()) position_ = 0, ++round_;
    const size_t ahead = position_ + kAhead < order_.size() ? position_ + kAhead : 0;
    __builtin_prefetch(&templates_[order_[ahead]]);
    calls[count] = call;
    media[count] = false;
    ++made_;
    if (options_.suite == Suite::kStunBinding) {
      PrepareBinding(out[count], call);
    } else if (options_.rtcp_every != 0 && made_ >= next_rtcp_) {
      next_rtcp_ = made_ + options_.rtcp_every;
      PrepareRtcp(out[count], call);
    } else {
      PrepareMedia(out[count], call, index);
      media[count] = true;
      if (context_ == nullptr) continue;
      uint8_t* const rtp = out[count].data + kHeaderBytes;
      jobs[job_count++] = {.context = context_.get(),
                           .packet = rtp,
                           .length = uint32_t(kRtpBytes + options_.payload_bytes),
                           .capacity = 1600,
                           .header_bytes = kRtpBytes,
                           .ssrc = LoadBe32(rtp + 8),
                           .index = index};
    }
  }
  if (job_count != 0) transform_.Protect({jobs.data(), job_count});
  for (size_t i = 0; i < count; ++i) {
    if (media[i]) FinishMedia(out[i], calls[i]);
  }
  return count;
}

}  // namespace linegate::load
