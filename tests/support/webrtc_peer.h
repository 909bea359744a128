#pragma once
#include <string>
#include <vector>

#include "tests/support/dataplane_bench.h"

namespace linegate::test {

/// RTP without CSRCs and extension.
std::vector<uint8_t> Rtp(uint8_t payload_type, uint16_t sequence, uint32_t timestamp, uint32_t ssrc,
                         ByteView payload);
/// A Receiver Report of `sender` about `about` with the extended highest sequence number.
std::vector<uint8_t> ReceiverReport(uint32_t sender, uint32_t about, uint32_t highest);

struct CheckOptions {
  bool use_candidate = false;
  uint32_t priority = 1000;
  std::string username = {};  ///< empty: the right one
  std::string password = {};  ///< empty: the right one
  bool controlled = false;
  bool unknown_attribute = false;
  bool integrity = true;
};

/// A browser's end of one WebRTC leg: its ICE credentials, keys and SRTP engine, against the leg whose
/// ingress is `flow`.
class WebRtcPeer {
 public:
  WebRtcPeer(DataplaneBench& bench, const abi::FlowRef& flow, srtp::SrtpTransform& transform,
             srtp::Profile profile = srtp::Profile::kAes128CmHmacSha1_80);

  /// The flow's ingress: the WebRTC port of its worker over both families, with these credentials.
  abi::Ingress MakeIngress() const;
  Endpoint gateway(IpFamily family = IpFamily::kIpv4) const;
  const std::string& local_ufrag() const { return local_ufrag_; }  ///< the gateway's
  const std::string& local_pwd() const { return local_pwd_; }
  const std::string& remote_pwd() const { return remote_pwd_; }
  /// The gateway's side of an ICE restart: new credentials, what was current becomes previous.
  abi::Ingress RestartIce();

  std::vector<uint8_t> Check(const CheckOptions& options = {});
  /// A success response to one of the gateway's own Binding requests.
  std::vector<uint8_t> Answer(ByteView request) const;

  /// Keys that browser -> gateway and gateway -> browser are encrypted with.
  const srtp::MasterKey& to_gateway() const { return to_gateway_; }
  const srtp::MasterKey& from_gateway() const { return from_gateway_; }
  std::vector<uint8_t> Protect(std::vector<uint8_t> rtp, uint64_t index);
  std::vector<uint8_t> ProtectRtcp(std::vector<uint8_t> rtcp, uint32_t index);
  /// The clear packet; empty if the tag is wrong for `index`.
  std::vector<uint8_t> Unprotect(std::vector<uint8_t> srtp, uint64_t index);
  std::vector<uint8_t> UnprotectRtcp(std::vector<uint8_t> srtcp);

 private:
  std::vector<uint8_t> RunJob(std::vector<uint8_t> packet, srtp::PacketKind kind, uint64_t index,
                              srtp::Direction direction);
  DataplaneBench& bench_;
  abi::FlowRef flow_;
  srtp::SrtpTransform& transform_;
  std::string local_ufrag_, local_pwd_, remote_ufrag_, remote_pwd_;
  abi::IceCredentials previous_;
  srtp::MasterKey to_gateway_, from_gateway_;
  std::unique_ptr<srtp::CryptoContext> protect_, unprotect_;
  crypto::OpensslHmacSha1 mutable hmac_;
  uint8_t next_transaction_ = 1;
};

}  // namespace linegate::test
