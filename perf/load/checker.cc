#include "perf/load/checker.h"

#include <x86intrin.h>

#include <algorithm>

#include "dataplane/srtp/packet_index.h"
#include "dataplane/wire/demux.h"
#include "dataplane/wire/frame_view.h"
#include "dataplane/wire/rtp_header.h"
#include "dataplane/wire/stun_message.h"
#include "dataplane/wire/turn_channel_data.h"

namespace linegate::load {
namespace {

constexpr size_t kStampOffset = 42 + 12;  // in a frame of ours, untagged IPv4 without options

// So many packets lost in a row look like a source that began anew (TransmitIndex): the device may number anew, too.
constexpr uint64_t kRenumberedFrom = 0x8000;

using Side = CallPlan::Side;

}  // namespace

Checker::Checker(const CallPlan& plan, const LoadOptions& options, crypto::IpsecMbTransform& transform)
    : plan_(plan), options_(options), transform_(transform), streams_(plan.calls()) {
  if (!ReceivesSrtp(options.suite)) return;
  const auto add = [this](const srtp::MasterKey& key) {
    contexts_.push_back(*transform_.CreateContext(key, srtp::Direction::kUnprotect));
  };
  if (plan.ReceiveKey(0) == nullptr) {
    add(GeneratorKey(options.profile));
  } else {
    for (uint32_t call = 0; call < plan.calls(); ++call) add(*plan.ReceiveKey(call));
  }
}

void Checker::Reset() {
  received_ = checked_ = bad_ = 0;
  faults_.clear();
  latency_ = {};
}

void Checker::Look(std::span<io::Packet> packets, uint64_t round) {
  const bool stamps_are_clear =
      contexts_.empty() && options_.suite != Suite::kStunBinding && options_.rtcp_every == 0;
  const size_t stamp_offset =
      kStampOffset + (options_.suite == Suite::kTurnPeer ? wire::kChannelDataHeaderBytes : 0);
  const uint64_t now = __rdtsc();
  for (io::Packet& packet : packets) {
    if (stamps_are_clear && packet.length >= stamp_offset + kStampBytes) {
      uint64_t sent;
      std::memcpy(&sent, packet.data + stamp_offset, sizeof sent);
      latency_.Add(now - sent);
    }
    if (++received_ % kSampleEvery == 0) CheckOne(packet, round);
  }
}

void Checker::CheckOne(io::Packet& packet, uint64_t round) {
  ++checked_;
  const std::string fault = Fault(packet, round);
  if (fault.empty()) return;
  ++bad_;
  ++faults_[fault];
}

std::string Checker::Fault(io::Packet& packet, uint64_t round) {
  wire::FrameView frame;
  if (wire::ParseFrame(packet.bytes(), frame) != wire::FrameError::kNone) return "frame";
  // A kernel that sends over veth leaves the sum to be finished by a device that never comes.
  if (packet.rx_checksum != io::RxChecksum::kUnfinished &&
      (frame.udp_checksum_absent || !wire::UdpChecksumValid(packet.bytes(), frame)))
    return "UDP checksum";
  if (frame.destination_mac != kPeerMac) return "MAC address";
  const MutableByteView payload = packet.mutable_bytes().subspan(frame.payload_offset, frame.payload_bytes);
  const wire::PayloadClass kind = wire::ClassifyPayload(payload);
  if (kind == wire::PayloadClass::kStun) {
    const auto message = wire::StunMessageView::Parse(payload);
    if (!message || message->message_class() != wire::StunClass::kSuccess) return "STUN answer";
    return message->xor_mapped_address() == frame.destination ? "" : "mapped address";
  }
  const uint32_t call = CallPlan::CallOf(frame.destination.address);
  const uint16_t component = kind == wire::PayloadClass::kRtcp && !plan_.IsBrowser(Side::kSecond) ? 1 : 0;
  if (call >= plan_.calls()) return "call";
  Endpoint to = plan_.Peer(call, Side::kSecond), from = plan_.Gateway(call, Side::kSecond);
  to.port = uint16_t(to.port + component), from.port = uint16_t(from.port + component);
  if (frame.destination != to || frame.source != from) return "addresses";
  if (kind == wire::PayloadClass::kRtcp) return RtcpFault(payload, call);
  if (options_.suite == Suite::kTurnPeer) {
    const auto message = wire::ChannelDataView::Parse(payload);
    if (!message || message->channel != CallPlan::kChannel) return "ChannelData";
    return MediaFault(payload.subspan(wire::kChannelDataHeaderBytes, message->data.size()), call, round);
  }
  return MediaFault(payload, call, round);
}

bool Checker::Decrypt(MutableByteView& payload, srtp::PacketKind kind, uint32_t call, uint32_t ssrc,
                      uint64_t index) {
  if (contexts_.empty()) return true;
  srtp::CryptoJob job;
  job.context = contexts_[contexts_.size() == 1 ? 0 : call].get();
  job.packet = payload.data();
  job.length = job.capacity = uint32_t(payload.size());
  job.header_bytes = kind == srtp::PacketKind::kRtp ? 12 : 8;
  job.ssrc = ssrc;
  job.index = index;
  job.kind = kind;
  transform_.Unprotect({&job, 1});
  if (job.status != srtp::JobStatus::kDone) return false;
  payload = payload.first(job.length);
  return true;
}

std::string Checker::RtcpFault(MutableByteView payload, uint32_t call) {
  const uint32_t ssrc = CallPlan::SsrcOf(call, Side::kFirst);
  if (payload.size() < 8 || LoadBe32(payload.data() + 4) != ssrc) return "RTCP sender";
  if (!Decrypt(payload, srtp::PacketKind::kRtcp, call, ssrc, 0)) return "SRTCP tag";
  const bool same =
      payload.size() == 32 && LoadBe32(payload.data() + 8) == CallPlan::SsrcOf(call, Side::kSecond);
  return same ? "" : "RTCP content";
}

std::string Checker::MediaFault(MutableByteView payload, uint32_t call, uint64_t round) {
  const auto header = wire::RtpHeaderView::ParseHeader(payload);
  if (!header || header->header_bytes() != 12) return "RTP header";
  if (header->ssrc() != CallPlan::SsrcOf(call, Side::kFirst)) return "SSRC";
  Stream& stream = streams_[call];
  const uint64_t before = stream.begun && !contexts_.empty() ? stream.srtp_index : round;
  const uint64_t srtp_index = srtp::EstimatePacketIndex(before, header->sequence_number());
  if (!Decrypt(payload, srtp::PacketKind::kRtp, call, header->ssrc(), srtp_index)) return "SRTP tag";
  if (payload.size() != 12 + options_.payload_bytes) return "length";
  const uint8_t* const content = payload.data() + 12;
  Stamp stamp;
  std::memcpy(&stamp.sent_tsc, content, 8);
  std::memcpy(&stamp.index, content + 8, 8);
  std::memcpy(&stamp.call, content + 16, 4);
  if (stamp.call != call) return "payload of another call";
  if (LoadBe32(payload.data() + 4) != uint32_t(stamp.index * 160)) return "timestamp";
  for (size_t i = kStampBytes; i < options_.payload_bytes; ++i) {
    if (content[i] != PatternByte(i)) return "payload";
  }
  if (stream.begun && stamp.index <= stream.newest) return "order";
  const auto offset = uint16_t(header->sequence_number() - stamp.index);
  const bool may_renumber = stamp.index - stream.newest >= kRenumberedFrom && !contexts_.empty();
  if (offset != stream.offset && !may_renumber) return "sequence";
  stream = {.begun = true, .offset = offset, .newest = stamp.index, .srtp_index = srtp_index};
  if (!contexts_.empty() || options_.rtcp_every != 0) latency_.Add(__rdtsc() - stamp.sent_tsc);
  return "";
}

}  // namespace linegate::load
