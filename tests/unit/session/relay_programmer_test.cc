#include "controlplane/session/relay_programmer.h"

#include <gmock/gmock.h>

#include <map>
#include <string>

namespace linegate::session {
namespace {

using namespace std::chrono_literals;  // NOLINT: tests
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr turn::AllocationId kFirst(1);
constexpr turn::AllocationId kSecond(2);
const Endpoint kRelayed = *Endpoint::Parse("10.90.1.1:50000");
const Endpoint kPeer = *Endpoint::Parse("10.90.2.2:3480");

class FakeNextHops final : public NextHopTable {
 public:
  std::optional<abi::NextHop> Lookup(const IpAddress& address) override {
    const auto found = hops.find(address);
    if (found == hops.end()) return std::nullopt;
    return found->second;
  }
  void Know(const IpAddress& address, uint8_t last_byte) {
    abi::NextHop hop;
    hop.known = 1;
    hop.mac[5] = last_byte;
    hops[address] = hop;
  }
  std::map<IpAddress, abi::NextHop> hops;
};

settings::DataplaneSettings Settings() {
  settings::DataplaneSettings settings;
  settings.relays_per_worker = 2;
  settings::Realm realm;
  realm.addresses = {*IpAddress::Parse("10.90.1.1")};
  realm.advertise = {*IpAddress::Parse("192.0.2.1")};
  settings.realms = {realm};
  return settings;
}

/// Commands and events as words: "program #1 r0 hop=7", "peer 3 10.90.2.2:3480 ch=4000 hop=7", "settled 1 up to 2".
class RelayProgrammerTest : public ::testing::Test {
 protected:
  turn::ProgramRelay Allocation(turn::AllocationId id, uint64_t change) {
    turn::ProgramRelay program;
    program.allocation = id;
    program.change = change;
    program.terms.client.remote = *Endpoint::Parse("10.90.1.2:5000");
    program.terms.client.local = *Endpoint::Parse("10.90.1.1:3478");
    program.terms.client.reply_hop[4] = 2;   // MAC
    program.terms.client.reply_hop[10] = 1;  // known
    program.terms.relayed[0] = kRelayed;
    return program;
  }
  static turn::SetRelayPeer Peer(turn::AllocationId id, uint64_t change, uint32_t index, const Endpoint& peer,
                                 uint16_t channel = 0) {
    return {id, change, index, {peer, channel, true}};
  }
  static std::string Words(const RelayCommand& command) {
    if (const auto* program = std::get_if<abi::ProgramRelay>(&command)) {
      return "program #" + std::to_string(program->header.sequence) + " r" +
             std::to_string(program->header.flow.index) +
             " hop=" + std::to_string(program->config.client_next_hop.mac[5]);
    }
    if (const auto* set = std::get_if<abi::SetRelayPeer>(&command)) {
      return "peer " + std::to_string(set->index) + " " + set->peer.wire.ToEndpoint().ToString() + " as " +
             set->peer.shown.ToEndpoint().ToString() + " ch=" + std::to_string(set->peer.channel) +
             " hop=" + std::to_string(set->peer.next_hop.mac[5]);
    }
    return "remove r" + std::to_string(std::get<abi::RemoveRelay>(command).header.flow.index);
  }
  std::vector<std::string> Commands() {
    std::vector<std::string> words;
    while (const auto command = programmer.PollCommand(now)) {
      words.push_back(Words(*command));
      last = std::visit([](const auto& c) { return c.header; }, *command);
    }
    return words;
  }
  void Answer(abi::CommandStatus status = abi::CommandStatus::kDone) {
    programmer.HandleDone({last.sequence, last.flow, status});
  }
  std::vector<std::string> Events() {
    std::vector<std::string> words;
    while (const auto event = programmer.PollEvent()) {
      if (const auto* settled = std::get_if<RelaySettled>(&*event)) {
        words.push_back((settled->refused ? "refused " : "settled ") +
                        std::to_string(settled->allocation.value()) + " up to " +
                        std::to_string(settled->change));
      } else {
        words.push_back("removed " + std::to_string(std::get<RelayRemoved>(*event).allocation.value()));
      }
    }
    return words;
  }

  TimePoint now{100s};
  FakeNextHops hops;
  RelayProgrammer programmer{Settings(), hops, 7, 1};
  abi::CommandHeader last;
};

TEST_F(RelayProgrammerTest, ConfigurationThenPeersOneCommandAtATime) {
  programmer.Apply(Allocation(kFirst, 1));
  programmer.Apply(Peer(kFirst, 2, 0, kPeer, 0x4000));
  programmer.Apply(Peer(kFirst, 3, 1, {kPeer.address, 0}));
  EXPECT_THAT(Commands(), ElementsAre("program #1 r0 hop=0"));
  Answer();
  EXPECT_THAT(Events(), ElementsAre("settled 1 up to 1"));
  EXPECT_THAT(Commands(), ElementsAre("peer 0 10.90.2.2:3480 as 10.90.2.2:3480 ch=16384 hop=0"));
  Answer();
  EXPECT_THAT(Events(), ElementsAre("settled 1 up to 2"));
  EXPECT_THAT(Commands(), ElementsAre("peer 1 10.90.2.2:0 as 10.90.2.2:0 ch=0 hop=0"));
  Answer();
  EXPECT_THAT(Events(), ElementsAre("settled 1 up to 3"));
  EXPECT_THAT(Commands(), IsEmpty());
}

TEST_F(RelayProgrammerTest, RepeatsUntilAnsweredAndThenNoMore) {
  programmer.Apply(Allocation(kFirst, 1));
  EXPECT_THAT(Commands(), ElementsAre("program #1 r0 hop=0"));
  EXPECT_EQ(programmer.NextTimeout(), now + 50ms);
  now += 50ms;
  programmer.HandleTimeout(now);
  EXPECT_THAT(Commands(), ElementsAre("program #1 r0 hop=0"));
  EXPECT_EQ(programmer.NextTimeout(), now + 100ms);
  Answer();
  Answer();  // the answer to the repetition
  EXPECT_THAT(Events(), ElementsAre("settled 1 up to 1"));
  EXPECT_EQ(programmer.NextTimeout(), std::nullopt);
}

TEST_F(RelayProgrammerTest, AChangeThatWaitsIsNotSettledByAnEarlierAnswer) {
  programmer.Apply(Allocation(kFirst, 1));
  EXPECT_THAT(Commands(), ElementsAre("program #1 r0 hop=0"));
  programmer.Apply(Allocation(kFirst, 2));
  Answer();
  EXPECT_THAT(Events(), ElementsAre("settled 1 up to 1"));
  EXPECT_THAT(Commands(), ElementsAre("program #2 r0 hop=0"));
  Answer(abi::CommandStatus::kPortTaken);
  EXPECT_THAT(Events(), ElementsAre("refused 1 up to 2"));
}

TEST_F(RelayProgrammerTest, ASlotIsFreeOnlyOnceItsRemovalIsConfirmed) {
  programmer.Apply(Allocation(kFirst, 1));
  programmer.Apply(Allocation(kSecond, 1));
  EXPECT_THAT(Commands(), ElementsAre("program #1 r0 hop=0", "program #2 r1 hop=0"));
  programmer.Apply(Allocation(turn::AllocationId(3), 1));
  EXPECT_THAT(Events(), ElementsAre("refused 3 up to 1"));
  Answer();
  EXPECT_THAT(Events(), ElementsAre("settled 2 up to 1"));
  const auto relay = programmer.RelayOf(kSecond);
  ASSERT_TRUE(relay);
  EXPECT_TRUE(IsRelay(*relay));
  EXPECT_EQ(programmer.AllocationOf(*relay), kSecond);
  programmer.Apply(turn::RemoveRelay{kSecond});
  EXPECT_EQ(programmer.AllocationOf(*relay), std::nullopt);
  EXPECT_EQ(programmer.relay_count(), 2u);
  EXPECT_THAT(Commands(), ElementsAre("remove r1"));
  Answer();
  EXPECT_THAT(Events(), ElementsAre("removed 2"));
  EXPECT_EQ(programmer.relay_count(), 1u);
  programmer.Apply(turn::RemoveRelay{turn::AllocationId(3)});
  EXPECT_THAT(Events(), ElementsAre("removed 3"));
}

TEST_F(RelayProgrammerTest, PeersBehindOurAdvertisedAddressStandOnTheBoundOne) {
  programmer.Apply(Allocation(kFirst, 1));
  programmer.Apply(Peer(kFirst, 2, 0, *Endpoint::Parse("192.0.2.1:20000")));
  Commands();
  Answer();
  EXPECT_THAT(Commands(), ElementsAre("peer 0 10.90.1.1:20000 as 192.0.2.1:20000 ch=0 hop=0"));
}

TEST_F(RelayProgrammerTest, FollowsTheKernelsNextHops) {
  hops.Know(kPeer.address, 7);
  programmer.Apply(Allocation(kFirst, 1));
  programmer.Apply(Peer(kFirst, 2, 4, kPeer));
  EXPECT_THAT(Commands(), ElementsAre("program #1 r0 hop=0"));
  Answer();
  EXPECT_THAT(Commands(), ElementsAre("peer 4 10.90.2.2:3480 as 10.90.2.2:3480 ch=0 hop=7"));
  Answer();
  programmer.HandleNextHopChanged();
  EXPECT_THAT(Commands(), IsEmpty());
  hops.Know(kPeer.address, 8);
  programmer.HandleNextHopChanged();
  EXPECT_THAT(Commands(), ElementsAre("peer 4 10.90.2.2:3480 as 10.90.2.2:3480 ch=0 hop=8"));
  Answer();
  hops.Know(*IpAddress::Parse("10.90.1.2"), 9);
  programmer.HandleNextHopChanged();
  EXPECT_THAT(Commands(), ElementsAre("program #4 r0 hop=9"));
}

TEST_F(RelayProgrammerTest, AnotherDataplaneIsToldEverythingAgain) {
  programmer.Apply(Allocation(kFirst, 1));
  programmer.Apply(Peer(kFirst, 2, 4, kPeer));
  Commands();
  Answer();
  Commands();
  Answer();
  Events();
  programmer.ReprogramAll();
  EXPECT_THAT(Commands(), ElementsAre("program #3 r0 hop=0"));
  Answer();
  EXPECT_THAT(Commands(), ElementsAre("peer 4 10.90.2.2:3480 as 10.90.2.2:3480 ch=0 hop=0"));
  Answer();
  EXPECT_THAT(Events(), ElementsAre("settled 1 up to 1", "settled 1 up to 2"));
}

TEST(FlowSlotPool, GenerationsTellRelaysFromFlows) {
  FlowSlotPool flows(1, 4, 0xffffffff);
  FlowSlotPool relays(1, 4, 0x7fffffff, SlotKind::kRelay);
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(IsRelay(*flows.Acquire(0)));
    EXPECT_TRUE(IsRelay(*relays.Acquire(0)));
  }
}

}  // namespace
}  // namespace linegate::session
