#include <gtest/gtest.h>

#include <set>

#include "dataplane/worker/relay_directory.h"
#include "tests/support/turn_client.h"

namespace linegate::test {
namespace {

using abi::ClientTransport;
using abi::CommandStatus;
using abi::CommandType;
using abi::Counter;
using abi::DropReason;
using abi::SocketAddress;

const Endpoint kClient = At("10.90.1.2:5000");
const Endpoint kPeer = At("10.90.2.2:7000");

class RelayCommands : public testing::Test {
 protected:
  size_t Relayed() {
    bench_.Receive(DataplaneBench::kPublic, kClient, kTurnListener4, ChannelData(0x4000, Bytes("x")));
    bench_.Run();
    return bench_.Sent(DataplaneBench::kPrivate).size();
  }
  DataplaneBench bench_;
};

TEST_F(RelayCommands, ChecksEveryFieldOfAConfiguration) {
  struct Row {
    const char* description;
    CommandStatus status;
    void (*change)(abi::RelayConfig&);
  };
  const Row rows[] = {
      {"as it should be", CommandStatus::kDone, [](auto&) {}},
      {"no transport", CommandStatus::kBadConfig, [](auto& c) { c.transport = ClientTransport::kNone; }},
      {"unknown transport", CommandStatus::kBadConfig, [](auto& c) { c.transport = ClientTransport(3); }},
      {"listener that is none", CommandStatus::kBadConfig,
       [](auto& c) { c.client_local = SocketAddress::From(At("10.90.1.1:20000")); }},
      {"listener of plain STUN", CommandStatus::kBadConfig,
       [](auto& c) { c.client_local = SocketAddress::From(At("10.90.1.1:3478")); }},
      {"client of the other family", CommandStatus::kBadConfig,
       [](auto& c) { c.client_remote = SocketAddress::From(At("[fd90:1::2]:1")); }},
      {"client without a port", CommandStatus::kBadConfig,
       [](auto& c) { c.client_remote = SocketAddress::From(At("10.90.1.2:0")); }},
      {"next hop by a port we have not", CommandStatus::kBadConfig,
       [](auto& c) { c.client_next_hop.port_id = 2; }},
      {"next hop not resolved", CommandStatus::kDone, [](auto& c) { c.client_next_hop = {}; }},
      {"no relayed address", CommandStatus::kBadConfig,
       [](auto& c) { c.relayed[0] = c.relayed[1] = SocketAddress{}; }},
      {"relayed address that is no relay port", CommandStatus::kBadConfig,
       [](auto& c) { c.relayed[0] = SocketAddress::From(At("10.90.1.1:443")); }},
      {"relayed address on another host", CommandStatus::kBadConfig,
       [](auto& c) { c.relayed[0] = SocketAddress::From(At("10.90.1.9:49152")); }},
      {"families in the wrong order", CommandStatus::kBadConfig,
       [](auto& c) { std::swap(c.relayed[0], c.relayed[1]); }},
      {"family that does not exist", CommandStatus::kBadConfig, [](auto& c) { c.relayed[0].family = 5; }},
      {"IPv6 alone", CommandStatus::kDone, [](auto& c) { c.relayed[0] = {}; }},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.description);
    abi::RelayConfig config = DatagramRelay(kClient, 49152);
    row.change(config);
    EXPECT_EQ(ProgramRelay(bench_, Relay(0), config), row.status);
    EXPECT_EQ(bench_.counter(Counter::kActiveRelays), row.status == CommandStatus::kDone ? 1u : 0u);
    RemoveRelay(bench_, Relay(0));
  }
}

TEST_F(RelayCommands, RefusesAddressesOfOthers) {
  ASSERT_EQ(ProgramRelay(bench_, Relay(0), DatagramRelay(kClient, 49152)), CommandStatus::kDone);
  EXPECT_EQ(ProgramRelay(bench_, Relay(1), DatagramRelay(kClient, 49154)), CommandStatus::kPortTaken);
  EXPECT_EQ(ProgramRelay(bench_, Relay(1), DatagramRelay(At("10.90.1.2:5001"), 49152)),
            CommandStatus::kPortTaken);
  EXPECT_EQ(ProgramRelay(bench_, Relay(1), StreamRelay(49152, RelayFamilies::kIpv6)),
            CommandStatus::kPortTaken);
  EXPECT_EQ(ProgramRelay(bench_, Relay(1), StreamRelay(49153)), CommandStatus::kDone);
  EXPECT_EQ(ProgramRelay(bench_, Relay(0), DatagramRelay(kClient, 49153)), CommandStatus::kPortTaken);
  EXPECT_EQ(ProgramRelay(bench_, Relay(0), DatagramRelay(kClient, 49152)), CommandStatus::kDone) << "its own";
}

TEST_F(RelayCommands, RefusesSlotsAndGenerationsThatAreNotThere) {
  const auto config = DatagramRelay(kClient, 49152);
  EXPECT_EQ(ProgramRelay(bench_, Relay(DataplaneBench::kRelays), config), CommandStatus::kBadSlot);
  EXPECT_EQ(ProgramRelay(bench_, Relay(0, 0), config), CommandStatus::kBadSlot);
  EXPECT_EQ(SetPeer(bench_, Relay(0), 0, PeerOf(kPeer)), CommandStatus::kStaleFlow);
  ASSERT_EQ(ProgramRelay(bench_, Relay(0, 5), config), CommandStatus::kDone);
  EXPECT_EQ(ProgramRelay(bench_, Relay(0, 6), config), CommandStatus::kStaleFlow);
  EXPECT_EQ(SetPeer(bench_, Relay(0, 6), 0, PeerOf(kPeer)), CommandStatus::kStaleFlow);
  EXPECT_EQ(RemoveRelay(bench_, Relay(0, 4)), CommandStatus::kDone) << "nothing to do";
  EXPECT_EQ(bench_.counter(Counter::kActiveRelays), 1u);
  EXPECT_EQ(RemoveRelay(bench_, Relay(0, 5)), CommandStatus::kDone);
  EXPECT_EQ(RemoveRelay(bench_, Relay(0, 5)), CommandStatus::kDone) << "a repeat";
  EXPECT_EQ(bench_.counter(Counter::kActiveRelays), 0u);
}

TEST_F(RelayCommands, ChecksEveryFieldOfAPeer) {
  ASSERT_EQ(ProgramRelay(bench_, Relay(0), DatagramRelay(kClient, 49152, RelayFamilies::kIpv4)),
            CommandStatus::kDone);
  ASSERT_EQ(SetPeer(bench_, Relay(0), 0, PeerOf(kPeer, 0x4000)), CommandStatus::kDone);
  struct Row {
    const char* description;
    CommandStatus status;
    uint32_t index;
    abi::RelayPeer peer;
  };
  const auto changed = [](abi::RelayPeer peer, auto&& change) {
    change(peer);
    return peer;
  };
  const abi::RelayPeer other = PeerOf(At("10.90.2.3:1"), 0x4001);
  const Row rows[] = {
      {"as it should be", CommandStatus::kDone, 1, other},
      {"the same entry again", CommandStatus::kDone, 1, other},
      {"index out of range", CommandStatus::kBadConfig, abi::kRelayPeers, other},
      {"family without a relayed address", CommandStatus::kBadConfig, 2, PeerOf(At("[fd90:2::2]:1"), 0x4002)},
      {"shown in another family", CommandStatus::kBadConfig, 2,
       changed(PeerOf(At("10.90.2.4:1")),
               [](auto& p) { p.shown = SocketAddress::From(At("[fd90:2::2]:1")); })},
      {"channel below the range", CommandStatus::kBadConfig, 2, PeerOf(At("10.90.2.4:1"), 0x3fff)},
      {"channel above the range", CommandStatus::kBadConfig, 2, PeerOf(At("10.90.2.4:1"), 0x8000)},
      {"channel to no port", CommandStatus::kBadConfig, 2, PeerOf(At("10.90.2.4:0"), 0x4002)},
      {"permission beside the channel", CommandStatus::kDone, 2, PeerOf(kPeer)},
      {"permitted that is no flag", CommandStatus::kBadConfig, 3,
       changed(other, [](auto& p) { p.permitted = 2, p.channel = 0; })},
      {"next hop by a port we have not", CommandStatus::kBadConfig, 3,
       changed(PeerOf(At("10.90.2.4:1")), [](auto& p) { p.next_hop.port_id = 9; })},
      {"VLAN that cannot be", CommandStatus::kBadConfig, 3,
       changed(PeerOf(At("10.90.2.4:1")), [](auto& p) { p.next_hop.vlan = 4095; })},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.description);
    EXPECT_EQ(SetPeer(bench_, Relay(0), row.index, row.peer), row.status);
  }
  EXPECT_EQ(Relayed(), 1u);
}

TEST_F(RelayCommands, TheNewestCommandHasTheChannel) {
  ASSERT_EQ(ProgramRelay(bench_, Relay(0), DatagramRelay(kClient, 49152)), CommandStatus::kDone);
  ASSERT_EQ(SetPeer(bench_, Relay(0), 5, PeerOf(kPeer, 0x4000)), CommandStatus::kDone);
  ASSERT_EQ(SetPeer(bench_, Relay(0), 2, PeerOf(At("10.90.2.9:9"), 0x4000)), CommandStatus::kDone);
  bench_.Receive(DataplaneBench::kPublic, kClient, kTurnListener4, ChannelData(0x4000, Bytes("x")));
  bench_.Run();
  auto sent = bench_.Sent(DataplaneBench::kPrivate);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].destination, At("10.90.2.9:9"));
  bench_.Receive(DataplaneBench::kPrivate, kPeer, At("10.90.1.1:49152"), Bytes("x"));
  bench_.Run();
  sent = bench_.Sent(DataplaneBench::kPublic);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].payload[0], 0) << "a Data indication: it is still permitted";
  // The same peer under another channel.
  ASSERT_EQ(SetPeer(bench_, Relay(0), 7, PeerOf(At("10.90.2.9:9"), 0x4001)), CommandStatus::kDone);
  EXPECT_EQ(bench_.relay_slot(Relay(0)).peers[2].channel, 0);
  bench_.Receive(DataplaneBench::kPublic, kClient, kTurnListener4, ChannelData(0x4000, Bytes("x")));
  bench_.Run();
  EXPECT_EQ(bench_.drops(DropReason::kRelayNoChannel), 1u);
}

TEST_F(RelayCommands, AnswersARepeatAsTheFirst) {
  abi::ProgramRelay program;
  program.header.flow = Relay(0);
  program.header.sequence = 100;
  program.config = DatagramRelay(kClient, 49152);
  ASSERT_EQ(bench_.Do(CommandType::kProgramRelay, program), CommandStatus::kDone);
  abi::SetRelayPeer peer;
  peer.header.flow = Relay(0);
  peer.header.sequence = 101;
  peer.peer = PeerOf(kPeer, 0x4000);
  ASSERT_EQ(bench_.Do(CommandType::kSetRelayPeer, peer), CommandStatus::kDone);
  peer.peer = {};  // a repeat is not looked at
  EXPECT_EQ(bench_.Do(CommandType::kSetRelayPeer, peer), CommandStatus::kDone);
  EXPECT_EQ(Relayed(), 1u);
}

TEST_F(RelayCommands, RefusesRecordsOfAnotherSize) {
  std::vector<uint8_t> record(sizeof(abi::ProgramRelay) - 1);
  for (const CommandType type : {CommandType::kProgramRelay, CommandType::kSetRelayPeer}) {
    bench_.WriteCommand(0, uint32_t(type), record);
    bench_.Run();
  }
  EXPECT_EQ(bench_.counter(Counter::kCommandsRefused), 2u);
}

TEST_F(RelayCommands, RemovingAllFlowsRemovesRelays) {
  ASSERT_EQ(ProgramRelay(bench_, Relay(0), DatagramRelay(kClient, 49152)), CommandStatus::kDone);
  ASSERT_EQ(ProgramRelay(bench_, Relay(7), StreamRelay(49154)), CommandStatus::kDone);
  abi::RemoveAllFlows all;
  ASSERT_EQ(bench_.Do(CommandType::kRemoveAllFlows, all), CommandStatus::kDone);
  EXPECT_EQ(bench_.counter(Counter::kActiveRelays), 0u);
  EXPECT_EQ(ProgramRelay(bench_, Relay(1, 2), DatagramRelay(kClient, 49152)), CommandStatus::kDone);
}

TEST_F(RelayCommands, AllocationsOutliveTheirWorker) {
  ASSERT_EQ(ProgramRelay(bench_, Relay(3, 8), DatagramRelay(kClient, 49152)), CommandStatus::kDone);
  ASSERT_EQ(SetPeer(bench_, Relay(3, 8), 4, PeerOf(kPeer, 0x4000)), CommandStatus::kDone);
  bench_.Restart();
  EXPECT_EQ(bench_.counter(Counter::kActiveRelays), 1u);
  EXPECT_EQ(Relayed(), 1u);
  bench_.Receive(DataplaneBench::kPrivate, kPeer, At("10.90.1.1:49152"), Bytes("back"));
  bench_.Run();
  EXPECT_EQ(bench_.Sent(DataplaneBench::kPublic).size(), 1u);
  EXPECT_EQ(bench_.relay_stats(Relay(3, 8)).to_client_pkts, 1u);
  EXPECT_EQ(RemoveRelay(bench_, Relay(3, 8)), CommandStatus::kDone);
}

TEST_F(RelayCommands, AdoptsNothingThatIsBroken) {
  ASSERT_EQ(ProgramRelay(bench_, Relay(0), DatagramRelay(kClient, 49152)), CommandStatus::kDone);
  ASSERT_EQ(SetPeer(bench_, Relay(0), 0, PeerOf(kPeer, 0x4000)), CommandStatus::kDone);
  ASSERT_EQ(SetPeer(bench_, Relay(0), 1, PeerOf(At("10.90.2.3:0"))), CommandStatus::kDone);
  ASSERT_EQ(ProgramRelay(bench_, Relay(1), StreamRelay(49154)), CommandStatus::kDone);
  ASSERT_EQ(ProgramRelay(bench_, Relay(2), StreamRelay(49156)), CommandStatus::kDone);
  bench_.relay_slot(Relay(0)).peers[1].next_hop.port_id = 77;
  bench_.relay_slot(Relay(1)).config.relayed[0].port[0] = 1;
  bench_.relay_slot(Relay(2)).set_life({abi::SlotState::kUpdating, 0, 1});
  bench_.Restart();
  EXPECT_EQ(bench_.counter(Counter::kActiveRelays), 2u);
  EXPECT_EQ(Relayed(), 1u) << "the sound peer of the sound slot";
  EXPECT_EQ(bench_.relay_slot(Relay(0)).peers[1].wire.family, 0);
  EXPECT_EQ(bench_.relay_slot(Relay(1)).life, 0u);
  // Died between two configurations: the command comes again.
  EXPECT_EQ(ProgramRelay(bench_, Relay(2), StreamRelay(49156)), CommandStatus::kDone);
  EXPECT_EQ(bench_.counter(Counter::kActiveRelays), 2u);
}

TEST_F(RelayCommands, ChurnReturnsEveryCounterToZero) {
  for (uint32_t round = 1; round <= 2000; ++round) {
    const abi::RelayRef relay = Relay(round % DataplaneBench::kRelays, round);
    ASSERT_EQ(ProgramRelay(bench_, relay, DatagramRelay(kClient, uint16_t(49152 + round % 64))),
              CommandStatus::kDone);
    ASSERT_EQ(SetPeer(bench_, relay, round % abi::kRelayPeers, PeerOf(kPeer, 0x4000)), CommandStatus::kDone);
    ASSERT_EQ(RemoveRelay(bench_, relay), CommandStatus::kDone);
  }
  EXPECT_EQ(bench_.counter(Counter::kActiveRelays), 0u);
  EXPECT_EQ(Relayed(), 0u);
}

TEST(RelayDirectoryTable, KnowsTheOwnerUntilItIsRemoved) {
  worker::RelayDirectoryTable table(1000);
  std::set<uint64_t> hashes;
  SecureRng random;
  for (int i = 0; i < 1000; ++i) hashes.insert(random.U64());
  uint16_t owner = 0;
  for (const uint64_t hash : hashes) EXPECT_TRUE(table.Add(hash, owner++ % 4));
  owner = 0;
  for (const uint64_t hash : hashes) EXPECT_EQ(table.Find(hash), owner++ % 4u);
  EXPECT_EQ(table.Find(random.U64()), worker::RelayDirectoryTable::kNobody);
  owner = 0;
  for (const uint64_t hash : hashes) table.Remove(hash, owner++ % 4);
  for (const uint64_t hash : hashes) EXPECT_EQ(table.Find(hash), worker::RelayDirectoryTable::kNobody);
}

TEST(RelayDirectoryTable, RefusesWhatItsBucketCannotHold) {
  worker::RelayDirectoryTable table(4);
  uint32_t added = 0;
  for (uint64_t i = 1; i <= 100; ++i) added += table.Add(i << 32, 1) ? 1 : 0;
  EXPECT_GE(added, 16u);
  EXPECT_LT(added, 100u);
  for (uint64_t i = 1; i <= 100; ++i) table.Remove(i << 32, 1);
  EXPECT_TRUE(table.Add(77ull << 32, 3));
  EXPECT_EQ(table.Find(77ull << 32), 3u);
}

}  // namespace
}  // namespace linegate::test
