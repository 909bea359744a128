#include "dataplane/flow/flow_slots.h"

#include <gtest/gtest.h>

#include <functional>

#include "tests/support/dataplane_calls.h"

namespace linegate::flow {
namespace {

using abi::CommandStatus;
using test::At;
using test::DataplaneBench;
using test::Flow;

TEST(FlowSlots, RefusesConfigurationsThatMakeNoSense) {
  crypto::NullTransform transform;
  DataplaneBench bench(2, &transform);
  const abi::FlowRef ref = Flow(3);
  test::WebRtcPeer browser(bench, ref, transform);
  test::WebRtcPeer other(bench, Flow(4), transform);
  struct Row {
    const char* description;
    std::function<void(abi::FlowConfig&)> change;
    CommandStatus status = CommandStatus::kBadConfig;
  };
  const Row rows[] = {
      {"unchanged", [](abi::FlowConfig&) {}, CommandStatus::kDone},
      {"no egress yet", [](abi::FlowConfig& c) { c.egress = {}; }, CommandStatus::kDone},
      {"unknown service", [](abi::FlowConfig& c) { c.service = abi::FlowService(9); }},
      {"echo that is not its own reverse", [](abi::FlowConfig& c) { c.service = abi::FlowService::kEcho; }},
      {"no ingress", [](abi::FlowConfig& c) { c.ingress.kind = abi::SideKind::kNone; }},
      {"unknown ingress", [](abi::FlowConfig& c) { c.ingress.kind = abi::SideKind(7); }},
      {"unknown egress", [](abi::FlowConfig& c) { c.egress.kind = abi::SideKind(7); }},
      {"a flag that is none", [](abi::FlowConfig& c) { c.send_rtp = 2; }},
      {"too many payload types", [](abi::FlowConfig& c) { c.payload_count = 17; }},
      {"payload type of 8 bits", [](abi::FlowConfig& c) { c.payload[0].to = 128; }},
      {"DSCP of 7 bits", [](abi::FlowConfig& c) { c.egress.dscp = 64; }},
      {"WebRTC port of another worker",
       [](abi::FlowConfig& c) { c.ingress.local[0] = abi::SocketAddress::From(At("10.90.1.1:20001")); }},
      {"address that is not ours",
       [](abi::FlowConfig& c) { c.ingress.local[0] = abi::SocketAddress::From(At("10.90.1.9:20000")); }},
      {"no address at all", [](abi::FlowConfig& c) { c.ingress.local[0] = c.ingress.local[1] = {}; }},
      {"no credentials", [](abi::FlowConfig& c) { c.ingress.ice[0] = {}; }},
      {"ufrag of another slot", [&](abi::FlowConfig& c) { c.ingress.ice[0] = other.MakeIngress().ice[0]; }},
      {"remote ufrag too long", [](abi::FlowConfig& c) { c.ingress.ice[0].remote_ufrag_length = 33; }},
      {"egress from a port that is not ours",
       [](abi::FlowConfig& c) { c.egress.local[0] = abi::SocketAddress::From(At("10.90.2.1:9")); }},
      {"egress that mixes families",
       [](abi::FlowConfig& c) { c.egress.remote[0] = abi::SocketAddress::From(At("[fd90:2::2]:6000")); }},
      {"egress to port 0",
       [](abi::FlowConfig& c) { c.egress.remote[0] = abi::SocketAddress::From(At("10.90.2.2:0")); }},
      {"RTP ingress on the port of another worker",
       [](abi::FlowConfig& c) { c.ingress = test::RtpIngress(40100, At("10.90.2.2:6000")); }},
      {"RTP ingress outside of the range",
       [](abi::FlowConfig& c) { c.ingress = test::RtpIngress(41000, At("10.90.2.2:6000")); }},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.description);
    abi::FlowConfig config = test::BaseConfig();
    config.ingress = browser.MakeIngress();
    config.egress = test::RtpEgress(40000, At("10.90.2.2:6000"));
    row.change(config);
    EXPECT_EQ(bench.Program(ref, config), row.status);
  }
}

}  // namespace
}  // namespace linegate::flow
