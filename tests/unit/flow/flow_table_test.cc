#include "dataplane/flow/flow_table.h"

#include <gtest/gtest.h>

#include "tests/support/dataplane_calls.h"

namespace linegate::flow {
namespace {

using test::At;

settings::DataplaneSettings OneRealm() {
  settings::DataplaneSettings settings;
  settings::Realm realm;
  realm.interface = "b";
  realm.addresses = {At("10.90.2.1:1").address, At("[fd90:2::1]:1").address};
  realm.rtp_ports = {40000, 40007};
  settings.realms = {realm};
  return settings;
}

class Table : public testing::Test {
 protected:
  test::CountingRng rng_;
  PrfStream random_{rng_};
  std::vector<abi::FlowSlot> slots_{8};
  LocalPorts local_ports_{OneRealm()};
  FlowTable table_{slots_, local_ports_, random_};
};

TEST_F(Table, FindsBothPortsOfAPair) {
  slots_[3].config.ingress = test::RtpIngress(40000, At("10.90.2.2:6000"));
  table_.AddPorts(3);
  EXPECT_EQ(table_.FindPort(At("10.90.2.1:40000")).flow, 3u);
  EXPECT_EQ(table_.FindPort(At("10.90.2.1:40000")).component, 0);
  EXPECT_EQ(table_.FindPort(At("10.90.2.1:40001")).component, 1);
  EXPECT_EQ(table_.FindPort(At("10.90.2.1:40002")).flow, kNoFlow);
  EXPECT_EQ(table_.FindPort(At("10.90.2.7:40000")).flow, kNoFlow);
  table_.RemovePorts(3);
  EXPECT_EQ(table_.FindPort(At("10.90.2.1:40000")).flow, kNoFlow);
  EXPECT_EQ(table_.FindPort(At("10.90.2.1:40001")).flow, kNoFlow);
}

TEST_F(Table, AddressesDoNotShareTheirPorts) {
  slots_[3].config.ingress = test::RtpIngress(40000, At("10.90.2.2:6000"));
  slots_[4].config.ingress = slots_[3].config.ingress;
  for (uint16_t c = 0; c < 2; ++c)
    slots_[4].config.ingress.local[c] =
        abi::SocketAddress::From(At("[fd90:2::1]:" + std::to_string(40000 + c)));
  table_.AddPorts(3);
  table_.AddPorts(4);
  EXPECT_EQ(table_.FindPort(At("10.90.2.1:40001")).flow, 3u);
  EXPECT_EQ(table_.FindPort(At("[fd90:2::1]:40001")).flow, 4u);
  table_.RemovePorts(3);
  EXPECT_EQ(table_.FindPort(At("10.90.2.1:40001")).flow, kNoFlow);
  EXPECT_EQ(table_.FindPort(At("[fd90:2::1]:40001")).flow, 4u);
}

TEST_F(Table, WithRtcpMuxThereIsOnePort) {
  slots_[3].config.ingress = test::RtpIngress(40000, At("10.90.2.2:6000"));
  slots_[3].config.ingress.rtcp_mux = 1;
  table_.AddPorts(3);
  EXPECT_EQ(table_.FindPort(At("10.90.2.1:40001")).flow, kNoFlow);
  table_.RemovePorts(3);
}

TEST_F(Table, TellsLegsApartByBothEndpoints) {
  for (uint32_t flow : {1u, 2u}) {
    abi::FlowSlot& slot = slots_[flow];
    slot.config.ingress.local[0] = abi::SocketAddress::From(At("10.90.1.1:20000"));
    slot.config.ingress.local[1] = abi::SocketAddress::From(At("[fd90:1::1]:20000"));
    slot.ice.paths[2].remote = abi::SocketAddress::From(At("10.90.1.2:500" + std::to_string(flow)));
    table_.AddPath(flow, 2);
  }
  EXPECT_EQ(table_.FindPath(At("10.90.1.1:20000"), At("10.90.1.2:5001")).flow, 1u);
  EXPECT_EQ(table_.FindPath(At("10.90.1.1:20000"), At("10.90.1.2:5002")).flow, 2u);
  EXPECT_EQ(table_.FindPath(At("10.90.1.1:20000"), At("10.90.1.2:5002")).path, 2);
  EXPECT_EQ(table_.FindPath(At("10.90.1.1:20001"), At("10.90.1.2:5002")).flow, kNoFlow);
  table_.RemovePath(1, 2);
  EXPECT_EQ(table_.FindPath(At("10.90.1.1:20000"), At("10.90.1.2:5001")).flow, kNoFlow);
  EXPECT_EQ(table_.FindPath(At("10.90.1.1:20000"), At("10.90.1.2:5002")).flow, 2u);
}

}  // namespace
}  // namespace linegate::flow
