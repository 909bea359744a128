// The layout as other builds know it. A failure here means: bump kAbiMajor, change LAYOUT.md and this table together.
#include <gtest/gtest.h>

#include <cstddef>

#include "dataplane/abi/flow_command.h"
#include "dataplane/abi/flow_event.h"
#include "dataplane/abi/link_region.h"
#include "dataplane/abi/punt_record.h"

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
  EXPECT_EQ(offsetof(RegionHeader, size_table), 48u);
}

TEST(GoldenOffsets, LinkHeaderKeepsEachCursorOnItsOwnLines) {
  EXPECT_EQ(offsetof(LinkHeader, dataplane_heartbeat_ns), 0u);
  EXPECT_EQ(offsetof(LinkHeader, controlplane_heartbeat_ns), 128u);
  EXPECT_EQ(offsetof(LinkHeader, dataplane_epoch), 256u);
  EXPECT_EQ(offsetof(LinkHeader, dataplane_pid), 264u);
  EXPECT_EQ(offsetof(LinkHeader, last_command_sequence), 384u);
  EXPECT_EQ(offsetof(LinkHeader, ice_key), 392u);
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
}

TEST(GoldenOffsets, EventsAndRecords) {
  EXPECT_EQ(offsetof(CommandDone, status), 20u);
  EXPECT_EQ(offsetof(PathEvent, local), 12u);
  EXPECT_EQ(offsetof(PathEvent, remote), 32u);
  EXPECT_EQ(offsetof(PuntRecord, payload_bytes), 52u);
  EXPECT_EQ(offsetof(InjectRecord, payload_bytes), 52u);
  EXPECT_EQ(offsetof(WorkerCounters, counters), 128u);
  EXPECT_EQ(offsetof(FlowStats, received_pkts), 8u);
}

TEST(GoldenOffsets, NumbersAreNeverReused) {
  EXPECT_EQ(uint32_t(CommandType::kProgramFlow), 1u);
  EXPECT_EQ(uint32_t(CommandType::kInstallKeys), 2u);
  EXPECT_EQ(uint32_t(CommandType::kRemoveFlow), 3u);
  EXPECT_EQ(uint32_t(CommandType::kRemoveAllFlows), 4u);
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
