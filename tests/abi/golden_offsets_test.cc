// The layout as other builds know it. A failure here means: bump kAbiMajor, change LAYOUT.md and this table together.
#include <gtest/gtest.h>

#include <cstddef>

#include "dataplane/abi/flow_command.h"
#include "dataplane/abi/flow_event.h"
#include "dataplane/abi/link_region.h"
#include "dataplane/abi/punt_record.h"
#include "dataplane/abi/relay_slot.h"

namespace linegate::abi {
namespace {

TEST(GoldenOffsets, RegionHeader) {
  EXPECT_EQ(offsetof(RegionHeader, version), 0u);
  EXPECT_EQ(offsetof(RegionHeader, magic), 4u);
  EXPECT_EQ(offsetof(RegionHeader, total_bytes), 8u);
  EXPECT_EQ(offsetof(RegionHeader, boot_id), 16u);
  EXPECT_EQ(offsetof(RegionHeader, config_hash), 32u);
  EXPECT_EQ(offsetof(RegionHeader, worker_count), 40u);
  EXPECT_EQ(offsetof(RegionHeader, flows_per_worker), 44u);
  EXPECT_EQ(offsetof(RegionHeader, relays_per_worker), 48u);
  EXPECT_EQ(offsetof(RegionHeader, size_table), 56u);
}

TEST(GoldenOffsets, LinkHeaderKeepsEachCursorOnItsOwnLines) {
  EXPECT_EQ(offsetof(LinkHeader, dataplane_heartbeat_ns), 0u);
  EXPECT_EQ(offsetof(LinkHeader, controlplane_heartbeat_ns), 128u);
  EXPECT_EQ(offsetof(LinkHeader, dataplane_epoch), 256u);
  EXPECT_EQ(offsetof(LinkHeader, dataplane_pid), 264u);
  EXPECT_EQ(offsetof(LinkHeader, last_command_sequence), 384u);
  EXPECT_EQ(offsetof(LinkHeader, ice_key), 392u);
  EXPECT_EQ(offsetof(LinkHeader, xdp_no_socket_pkts), 408u);
  EXPECT_EQ(offsetof(LinkHeader, xdp_fragment_pkts), 416u);
  EXPECT_EQ(offsetof(RingHeader, tail), 0u);
  EXPECT_EQ(offsetof(RingHeader, head), 128u);
  EXPECT_EQ(offsetof(RingHeader, capacity_bytes), 256u);
}

TEST(GoldenOffsets, Commands) {
  EXPECT_EQ(offsetof(CommandHeader, sequence), 0u);
  EXPECT_EQ(offsetof(CommandHeader, flow), 8u);
  EXPECT_EQ(offsetof(ProgramFlow, config), 24u);
  EXPECT_EQ(offsetof(FlowConfig, reverse), 12u);
  EXPECT_EQ(offsetof(FlowConfig, ingress), 24u);
  EXPECT_EQ(offsetof(FlowConfig, egress), 380u);
  EXPECT_EQ(offsetof(FlowConfig, payload), 476u);
  EXPECT_EQ(offsetof(InstallKeys, use), 24u);
  EXPECT_EQ(offsetof(InstallKeys, profile), 28u);
  EXPECT_EQ(offsetof(InstallKeys, key), 30u);
  EXPECT_EQ(offsetof(InstallKeys, salt), 62u);
  EXPECT_EQ(offsetof(InstallKeys, mki_bytes), 27u);
  EXPECT_EQ(offsetof(InstallKeys, mki), 76u);
  EXPECT_EQ(offsetof(Ingress, srtp), 3u);
  EXPECT_EQ(offsetof(Egress, srtp), 3u);
}

TEST(GoldenOffsets, EventsAndRecords) {
  EXPECT_EQ(offsetof(CommandDone, status), 20u);
  EXPECT_EQ(offsetof(PathEvent, local), 12u);
  EXPECT_EQ(offsetof(PathEvent, remote), 32u);
  EXPECT_EQ(offsetof(PuntRecord, payload_bytes), 52u);
  EXPECT_EQ(offsetof(InjectRecord, payload_bytes), 52u);
  EXPECT_EQ(offsetof(WorkerCounters, counters), 128u);
  EXPECT_EQ(offsetof(FlowStats, jitter_rtp_ticks), 4u);
  EXPECT_EQ(offsetof(FlowStats, received_pkts), 8u);
  EXPECT_EQ(offsetof(FlowStats, dropped_pkts), 64u);
}

TEST(GoldenOffsets, Relays) {
  EXPECT_EQ(offsetof(RelayConfig, transport), 0u);
  EXPECT_EQ(offsetof(RelayConfig, realm), 2u);
  EXPECT_EQ(offsetof(RelayConfig, bytes_per_second), 4u);
  EXPECT_EQ(offsetof(RelayConfig, client_local), 8u);
  EXPECT_EQ(offsetof(RelayConfig, client_remote), 28u);
  EXPECT_EQ(offsetof(RelayConfig, client_next_hop), 48u);
  EXPECT_EQ(offsetof(RelayConfig, relayed), 60u);
  EXPECT_EQ(offsetof(RelayPeer, wire), 0u);
  EXPECT_EQ(offsetof(RelayPeer, shown), 20u);
  EXPECT_EQ(offsetof(RelayPeer, channel), 40u);
  EXPECT_EQ(offsetof(RelayPeer, permitted), 42u);
  EXPECT_EQ(offsetof(RelayPeer, next_hop), 44u);
  EXPECT_EQ(offsetof(RelaySlot, command_sequence), 8u);
  EXPECT_EQ(offsetof(RelaySlot, config), 20u);
  EXPECT_EQ(offsetof(RelaySlot, peers), 128u);
  EXPECT_EQ(offsetof(ProgramRelay, config), 24u);
  EXPECT_EQ(offsetof(SetRelayPeer, index), 24u);
  EXPECT_EQ(offsetof(SetRelayPeer, peer), 28u);
  EXPECT_EQ(offsetof(TurnPuntRecord, local), 12u);
  EXPECT_EQ(offsetof(TurnPuntRecord, reply_hop), 52u);
  EXPECT_EQ(offsetof(TurnPuntRecord, realm), 64u);
  EXPECT_EQ(offsetof(TurnPuntRecord, payload_bytes), 68u);
  EXPECT_EQ(offsetof(RelayPuntRecord, payload_bytes), 12u);
  EXPECT_EQ(offsetof(ListenerInjectRecord, next_hop), 40u);
  EXPECT_EQ(offsetof(ListenerInjectRecord, payload_bytes), 52u);
  EXPECT_EQ(offsetof(RelayInjectRecord, payload_bytes), 12u);
  EXPECT_EQ(offsetof(RelayStats, to_peer_pkts), 8u);
  EXPECT_EQ(offsetof(RelayStats, last_relayed_ns), 48u);
}

TEST(GoldenOffsets, NumbersAreNeverReused) {
  EXPECT_EQ(uint32_t(CommandType::kProgramFlow), 1u);
  EXPECT_EQ(uint32_t(CommandType::kInstallKeys), 2u);
  EXPECT_EQ(uint32_t(CommandType::kRemoveFlow), 3u);
  EXPECT_EQ(uint32_t(CommandType::kRemoveAllFlows), 4u);
  EXPECT_EQ(uint32_t(CommandType::kProgramRelay), 5u);
  EXPECT_EQ(uint32_t(CommandType::kSetRelayPeer), 6u);
  EXPECT_EQ(uint32_t(CommandType::kRemoveRelay), 7u);
  EXPECT_EQ(uint32_t(PuntKind::kTurn), 2u);
  EXPECT_EQ(uint32_t(PuntKind::kRelayToClient), 3u);
  EXPECT_EQ(uint32_t(InjectKind::kFromListener), 2u);
  EXPECT_EQ(uint32_t(InjectKind::kRelayFromClient), 3u);
  EXPECT_EQ(uint32_t(EventType::kCommandDone), 1u);
  EXPECT_EQ(uint32_t(EventType::kPathValidated), 2u);
  EXPECT_EQ(uint32_t(EventType::kPathSelected), 3u);
  EXPECT_EQ(uint32_t(EventType::kConsentLost), 4u);
  for (uint32_t i = 0; i < kCounterInfoCount; ++i) EXPECT_EQ(kCounterInfo[i].id, i) << kCounterInfo[i].name;
  for (uint32_t i = 0; i < kDropReasonInfoCount; ++i)
    EXPECT_EQ(kDropReasonInfo[i].id, i) << kDropReasonInfo[i].name;
}

}  // namespace
}  // namespace linegate::abi
