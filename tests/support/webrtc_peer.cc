#include "tests/support/webrtc_peer.h"

#include <gtest/gtest.h>

#include "dataplane/wire/rtp_header.h"

namespace linegate::test {
namespace {

srtp::MasterKey MakeKey(srtp::Profile profile, CountingRng& rng) {
  srtp::MasterKey key;
  key.profile = profile;
  const auto traits = srtp::TraitsOf(profile);
  std::vector<uint8_t> bytes(traits->key_bytes + traits->salt_bytes);
  rng.Fill(bytes);
  key.key.Assign(ByteView(bytes).first(traits->key_bytes));
  key.salt.Assign(ByteView(bytes).subspan(traits->key_bytes));
  return key;
}

abi::IceCredentials Credentials(const std::string& local_ufrag, const std::string& local_pwd,
                                const std::string& remote_ufrag, const std::string& remote_pwd) {
  abi::IceCredentials ice;
  std::copy(local_ufrag.begin(), local_ufrag.end(), ice.local_ufrag);
  std::copy(local_pwd.begin(), local_pwd.end(), ice.local_pwd);
  std::copy(remote_ufrag.begin(), remote_ufrag.end(), ice.remote_ufrag);
  std::copy(remote_pwd.begin(), remote_pwd.end(), ice.remote_pwd);
  ice.remote_ufrag_length = uint8_t(remote_ufrag.size());
  ice.remote_pwd_length = uint8_t(remote_pwd.size());
  return ice;
}

}  // namespace

std::vector<uint8_t> Rtp(uint8_t payload_type, uint16_t sequence, uint32_t timestamp, uint32_t ssrc,
                         ByteView payload) {
  std::vector<uint8_t> packet(wire::kRtpFixedHeaderBytes);
  wire::RtpFixedHeader header;
  header.payload_type = payload_type;
  header.sequence_number = sequence;
  header.timestamp = timestamp;
  header.ssrc = ssrc;
  wire::WriteRtpHeader(std::span<uint8_t, 12>(packet.data(), 12), header);
  packet.insert(packet.end(), payload.begin(), payload.end());
  return packet;
}

std::vector<uint8_t> ReceiverReport(uint32_t sender, uint32_t about, uint32_t highest) {
  std::vector<uint8_t> packet(32);
  packet[0] = 0x81;
  packet[1] = 201;
  StoreBe16(packet.data() + 2, 7);
  StoreBe32(packet.data() + 4, sender);
  StoreBe32(packet.data() + 8, about);
  StoreBe32(packet.data() + 16, highest);
  return packet;
}

WebRtcPeer::WebRtcPeer(DataplaneBench& bench, const abi::FlowRef& flow, srtp::SrtpTransform& transform,
                       srtp::Profile profile)
    : bench_(bench),
      flow_(flow),
      transform_(transform),
      local_ufrag_(MakeIceUfrag(bench.ice_key(), {flow.worker, flow.index, flow.generation}, bench.rng())),
      local_pwd_(bench.rng().IceChars(abi::kLocalPwdLength)),
      remote_ufrag_(bench.rng().IceChars(4)),
      remote_pwd_(bench.rng().IceChars(24)),
      to_gateway_(MakeKey(profile, bench.rng())),
      from_gateway_(MakeKey(profile, bench.rng())) {
  protect_ = std::move(*transform_.CreateContext(to_gateway_, srtp::Direction::kProtect));
  unprotect_ = std::move(*transform_.CreateContext(from_gateway_, srtp::Direction::kUnprotect));
}

Endpoint WebRtcPeer::gateway(IpFamily family) const {
  return {*IpAddress::Parse(family == IpFamily::kIpv4 ? "10.90.1.1" : "fd90:1::1"),
          uint16_t(20000 + flow_.worker)};
}

abi::Ingress WebRtcPeer::MakeIngress() const {
  abi::Ingress ingress;
  ingress.kind = abi::SideKind::kWebRtc;
  ingress.rtcp_mux = 1;
  ingress.local[0] = abi::SocketAddress::From(gateway(IpFamily::kIpv4));
  ingress.local[1] = abi::SocketAddress::From(gateway(IpFamily::kIpv6));
  ingress.ice[0] = Credentials(local_ufrag_, local_pwd_, remote_ufrag_, remote_pwd_);
  ingress.ice[1] = previous_;
  return ingress;
}

abi::Ingress WebRtcPeer::RestartIce() {
  previous_ = Credentials(local_ufrag_, local_pwd_, remote_ufrag_, remote_pwd_);
  local_ufrag_ = MakeIceUfrag(bench_.ice_key(), {flow_.worker, flow_.index, flow_.generation}, bench_.rng());
  local_pwd_ = bench_.rng().IceChars(abi::kLocalPwdLength);
  return MakeIngress();
}

std::vector<uint8_t> WebRtcPeer::Check(const CheckOptions& options) {
  uint8_t transaction[12] = {};
  transaction[11] = next_transaction_++;
  uint8_t buffer[256];
  wire::StunMessageWriter writer(buffer, wire::StunClass::kRequest, wire::StunMethod::kBinding, transaction);
  writer.AddText(wire::StunAttribute::kUsername,
                 options.username.empty() ? local_ufrag_ + ":" + remote_ufrag_ : options.username);
  writer.AddU32(wire::StunAttribute::kPriority, options.priority);
  writer.AddU64(
      options.controlled ? wire::StunAttribute::kIceControlled : wire::StunAttribute::kIceControlling, 77);
  if (options.use_candidate) writer.AddFlag(wire::StunAttribute::kUseCandidate);
  if (options.unknown_attribute) writer.AddU32(wire::StunAttribute(0x7ffe), 1);
  if (options.integrity) {
    writer.AddMessageIntegrity(hmac_, AsBytes(options.password.empty() ? local_pwd_ : options.password));
  }
  writer.AddFingerprint();
  const ByteView message = writer.Finish();
  return {message.begin(), message.end()};
}

std::vector<uint8_t> WebRtcPeer::Answer(ByteView request) const {
  const auto view = wire::StunMessageView::Parse(request);
  EXPECT_TRUE(view && view->VerifyIntegrity(hmac_, AsBytes(remote_pwd_)));
  EXPECT_EQ(view->username().value_or(""), remote_ufrag_ + ":" + local_ufrag_);
  EXPECT_TRUE(view->ice_controlled().has_value());
  uint8_t buffer[128];
  wire::StunMessageWriter writer(buffer, wire::StunClass::kSuccess, wire::StunMethod::kBinding,
                                 view->transaction_id());
  writer.AddXorAddress(wire::StunAttribute::kXorMappedAddress, gateway());
  writer.AddMessageIntegrity(hmac_, AsBytes(remote_pwd_));
  writer.AddFingerprint();
  const ByteView message = writer.Finish();
  return {message.begin(), message.end()};
}

std::vector<uint8_t> WebRtcPeer::RunJob(std::vector<uint8_t> packet, srtp::PacketKind kind, uint64_t index,
                                        srtp::Direction direction) {
  srtp::CryptoJob job;
  job.length = uint32_t(packet.size());
  packet.resize(packet.size() + srtp::kMaxOverheadBytes);
  job.packet = packet.data();
  job.capacity = uint32_t(packet.size());
  job.kind = kind;
  job.index = index;
  job.header_bytes = kind == srtp::PacketKind::kRtp ? 12 : 8;
  job.ssrc = LoadBe32(packet.data() + (kind == srtp::PacketKind::kRtp ? 8 : 4));
  if (direction == srtp::Direction::kProtect) {
    job.context = protect_.get();
    transform_.Protect({&job, 1});
  } else {
    job.context = unprotect_.get();
    transform_.Unprotect({&job, 1});
  }
  if (job.status != srtp::JobStatus::kDone) return {};
  packet.resize(job.length);
  return packet;
}

std::vector<uint8_t> WebRtcPeer::Protect(std::vector<uint8_t> rtp, uint64_t index) {
  return RunJob(std::move(rtp), srtp::PacketKind::kRtp, index, srtp::Direction::kProtect);
}
std::vector<uint8_t> WebRtcPeer::ProtectRtcp(std::vector<uint8_t> rtcp, uint32_t index) {
  return RunJob(std::move(rtcp), srtp::PacketKind::kRtcp, index, srtp::Direction::kProtect);
}
std::vector<uint8_t> WebRtcPeer::Unprotect(std::vector<uint8_t> srtp, uint64_t index) {
  return RunJob(std::move(srtp), srtp::PacketKind::kRtp, index, srtp::Direction::kUnprotect);
}
std::vector<uint8_t> WebRtcPeer::UnprotectRtcp(std::vector<uint8_t> srtcp) {
  return RunJob(std::move(srtcp), srtp::PacketKind::kRtcp, 0, srtp::Direction::kUnprotect);
}

}  // namespace linegate::test
