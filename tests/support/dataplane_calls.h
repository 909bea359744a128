#pragma once
#include <gtest/gtest.h>

#include "tests/support/webrtc_peer.h"

namespace linegate::test {

inline abi::FlowRef Flow(uint32_t index, uint32_t generation = 1, uint16_t worker = 0) {
  return {index, generation, worker, 0};
}

inline abi::FlowConfig BaseConfig() {
  abi::FlowConfig config;
  config.send_rtp = 1;
  config.send_rtcp = 1;
  config.payload_count = 2;
  config.payload[0] = {0, 0};
  config.payload[1] = {126, 101};
  return config;
}

inline abi::NextHop NextHopTo(uint16_t port) {
  abi::NextHop hop;
  hop.port_id = port;
  hop.mac[0] = 2;
  hop.mac[5] = 0x55;
  hop.known = 1;
  return hop;
}

/// RTP side: our pair at 10.90.2.1:`local_port`, the peer's at `remote` and the port above.
inline abi::Ingress RtpIngress(uint16_t local_port, const Endpoint& remote) {
  const IpAddress local = *IpAddress::Parse("10.90.2.1");
  abi::Ingress ingress;
  ingress.kind = abi::SideKind::kRtp;
  for (uint16_t c = 0; c < 2; ++c) {
    ingress.local[c] = abi::SocketAddress::From({local, uint16_t(local_port + c)});
    ingress.expected[c] = abi::SocketAddress::From({remote.address, uint16_t(remote.port + c)});
  }
  return ingress;
}
inline abi::Egress RtpEgress(uint16_t local_port, const Endpoint& remote) {
  const abi::Ingress ingress = RtpIngress(local_port, remote);
  abi::Egress egress;
  egress.kind = abi::SideKind::kRtp;
  egress.dscp = 46;
  for (int c = 0; c < 2; ++c) {
    egress.local[c] = ingress.local[c];
    egress.remote[c] = ingress.expected[c];
  }
  egress.next_hop = NextHopTo(DataplaneBench::kPrivate);
  return egress;
}

/// Browser <-> RTP phone: flow `out` from the browser to the phone, flow `back` the other way.
class GatewayCall {
 public:
  GatewayCall(DataplaneBench& bench, srtp::SrtpTransform& transform, const abi::FlowRef& out_flow,
              const abi::FlowRef& back_flow, uint16_t local_port = 40000,
              const Endpoint& phone_address = At("10.90.2.2:6000"))
      : out(out_flow),
        back(back_flow),
        phone(phone_address),
        browser(bench, out_flow, transform),
        bench_(bench) {
    out_config = BaseConfig();
    out_config.reverse = back;
    out_config.ingress = browser.MakeIngress();
    out_config.egress = RtpEgress(local_port, phone);
    back_config = BaseConfig();
    back_config.payload[1] = {101, 126};
    back_config.reverse = out;
    back_config.ingress = RtpIngress(local_port, phone);
    back_config.egress.kind = abi::SideKind::kWebRtc;
    gateway_rtp = back_config.ingress.local[0].ToEndpoint();
    gateway_rtcp = back_config.ingress.local[1].ToEndpoint();
  }
  void Program() {
    EXPECT_EQ(bench_.Program(out, out_config), abi::CommandStatus::kDone);
    EXPECT_EQ(bench_.Program(back, back_config), abi::CommandStatus::kDone);
  }
  void Connect(const Endpoint& from) {
    address = from;
    bench_.Receive(DataplaneBench::kPublic, from, browser.gateway(from.address.family()),
                   browser.Check({.use_candidate = true}), out.worker);
    bench_.Run();
    EXPECT_EQ(bench_.Sent(DataplaneBench::kPublic).size(), 1u) << "the check is answered";
  }
  void InstallKeys() {
    EXPECT_EQ(bench_.Install(out, abi::KeyUse::kReceive, browser.to_gateway()), abi::CommandStatus::kDone);
    EXPECT_EQ(bench_.Install(back, abi::KeyUse::kSend, browser.from_gateway()), abi::CommandStatus::kDone);
  }
  void FromBrowser(ByteView packet) {
    bench_.Receive(DataplaneBench::kPublic, address, browser.gateway(address.address.family()), packet,
                   out.worker);
  }
  void FromPhone(ByteView packet) {
    bench_.Receive(DataplaneBench::kPrivate, phone, gateway_rtp, packet, back.worker);
  }

  abi::FlowRef out, back;
  Endpoint phone;
  WebRtcPeer browser;
  abi::FlowConfig out_config, back_config;
  Endpoint gateway_rtp, gateway_rtcp;
  Endpoint address;

 private:
  DataplaneBench& bench_;
};

}  // namespace linegate::test
