#include "controlplane/link/shm_link.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <vector>

namespace linegate::link {
namespace {

class RecordingHandler final : public LinkHandler {
 public:
  void OnCommandDone(const abi::CommandDone& d) override {
    log.push_back("done " + std::to_string(d.sequence));
  }
  void OnPathValidated(const abi::PathEvent& p) override {
    log.push_back("validated " + p.remote.ToEndpoint().ToString());
  }
  void OnPathSelected(const abi::PathEvent& p) override {
    log.push_back("selected " + p.remote.ToEndpoint().ToString());
  }
  void OnConsentLost(const abi::FlowRef& f) override {
    log.push_back("consent lost " + std::to_string(f.index));
  }
  void OnPuntedDtls(const abi::FlowRef&, const Endpoint&, const Endpoint& remote,
                    ByteView datagram) override {
    log.push_back("dtls " + remote.ToString() + " " + std::to_string(datagram.size()));
  }
  void OnPuntedTurn(uint16_t worker, const abi::TurnPuntRecord& record, ByteView message) override {
    log.push_back("turn " + std::to_string(worker) + " " + record.remote.ToEndpoint().ToString() + " " +
                  std::to_string(record.reply_hop.vlan) + " " + std::string(AsText(message)));
  }
  void OnRelayToClient(const abi::RelayRef& relay, ByteView message) override {
    log.push_back("to client " + std::to_string(relay.index) + " " + std::string(AsText(message)));
  }
  void OnDataplaneRestarted() override { log.push_back("restarted"); }
  std::vector<std::string> log;
};

template <typename T>
ByteView Bytes(const T& value) {
  return {reinterpret_cast<const uint8_t*>(&value), sizeof value};
}

/// The dataplane's end is played by the test itself.
class ShmLinkTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/linegate_link.XXXXXX";
    ASSERT_NE(mkdtemp(pattern), nullptr);
    directory_ = pattern;
    const abi::LinkLayout layout(2, 16, 8);
    bool existing;
    auto owner =
        abi::Region::Create(abi::LinkPath(directory_), layout.total_bytes(), 0600, identity_, &existing);
    ASSERT_TRUE(owner) << owner.error().message();
    owner_ = std::move(owner).value();
    view_.emplace(owner_.data(), layout);
    view_->Initialise();
    view_->header().last_command_sequence = 41;
    owner_.Publish(identity_);
    auto link = ShmLink::Attach(abi::LinkPath(directory_), 5, 2, 16, 8);
    ASSERT_TRUE(link) << link.error().message();
    link_.emplace(std::move(link).value());
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  abi::RingProducer Events(uint32_t w) { return {view_->event_ring(w), abi::kEventRingBytes}; }
  abi::RingProducer Punts(uint32_t w) { return {view_->punt_ring(w), abi::kPuntRingBytes}; }

  std::string directory_;
  abi::RegionIdentity identity_{abi::kLinkMagic, 5, 2, 16, 8};
  abi::Region owner_;
  std::optional<abi::LinkRegion> view_;
  std::optional<ShmLink> link_;
  RecordingHandler handler_;
  const TimePoint now_ = FromNanoseconds(10'000'000'000);
  const Endpoint remote_{IpAddress::V4(192, 0, 2, 1), 5000};
};

TEST_F(ShmLinkTest, CommandsArriveInTheWorkersRing) {
  abi::RemoveFlow command;
  command.header = {42, {3, 7, 1, 0}, 0};
  ASSERT_TRUE(link_->SendCommand(1, abi::CommandType::kRemoveFlow, Bytes(command)));
  abi::RingConsumer consumer(view_->command_ring(1), abi::kCommandRingBytes);
  uint32_t seen = consumer.Drain(10, [&](uint32_t type, MutableByteView payload) {
    EXPECT_EQ(type, uint32_t(abi::CommandType::kRemoveFlow));
    EXPECT_EQ(std::vector<uint8_t>(payload.begin(), payload.end()),
              std::vector<uint8_t>(Bytes(command).begin(), Bytes(command).end()));
  });
  EXPECT_EQ(seen, 1u);
  EXPECT_FALSE(link_->SendCommand(2, abi::CommandType::kRemoveFlow, Bytes(command)));
}

TEST_F(ShmLinkTest, EventsOfEveryKindReachTheHandler) {
  const abi::FlowRef flow{3, 7, 1, 0};
  auto events = Events(1);
  events.TryWrite(uint32_t(abi::EventType::kCommandDone),
                  Bytes(abi::CommandDone{42, flow, abi::CommandStatus::kDone}));
  const abi::PathEvent path{flow, {}, abi::SocketAddress::From(remote_)};
  events.TryWrite(uint32_t(abi::EventType::kPathValidated), Bytes(path));
  events.TryWrite(uint32_t(abi::EventType::kPathSelected), Bytes(path));
  events.TryWrite(uint32_t(abi::EventType::kConsentLost), Bytes(abi::FlowEvent{flow}));
  link_->Poll(now_, handler_);
  EXPECT_EQ(handler_.log, (std::vector<std::string>{"done 42", "validated 192.0.2.1:5000",
                                                    "selected 192.0.2.1:5000", "consent lost 3"}));
}

TEST_F(ShmLinkTest, PuntedDatagramsAreCopiedOut) {
  std::vector<uint8_t> record(sizeof(abi::PuntRecord) + 20, 0x16);
  const abi::PuntRecord header{{3, 7, 0, 0}, {}, abi::SocketAddress::From(remote_), 20};
  std::memcpy(record.data(), &header, sizeof header);
  Punts(0).TryWrite(uint32_t(abi::PuntKind::kDtls), record);
  link_->Poll(now_, handler_);
  EXPECT_EQ(handler_.log, (std::vector<std::string>{"dtls 192.0.2.1:5000 20"}));
}

/// `record` and, behind it, `payload`.
template <typename Record>
std::vector<uint8_t> WithPayload(Record record, std::string_view payload) {
  record.payload_bytes = uint32_t(payload.size());
  std::vector<uint8_t> bytes(Bytes(record).begin(), Bytes(record).end());
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  return bytes;
}

TEST_F(ShmLinkTest, TurnMessagesAreCopiedOut) {
  abi::TurnPuntRecord request;
  request.remote = abi::SocketAddress::From(remote_);
  request.reply_hop.vlan = 7;
  Punts(1).TryWrite(uint32_t(abi::PuntKind::kTurn), WithPayload(request, "request"));
  abi::RelayPuntRecord data;
  data.relay = {3, 7, 1, 0};
  Punts(1).TryWrite(uint32_t(abi::PuntKind::kRelayToClient), WithPayload(data, "data"));
  Punts(0).TryWrite(uint32_t(abi::PuntKind::kRelayToClient), WithPayload(data, "another worker's"));
  auto lie = WithPayload(data, "data");
  lie.pop_back();
  Punts(1).TryWrite(uint32_t(abi::PuntKind::kRelayToClient), lie);
  Punts(1).TryWrite(uint32_t(abi::PuntKind::kTurn), Bytes(data));
  link_->Poll(now_, handler_);
  EXPECT_EQ(handler_.log, (std::vector<std::string>{"turn 1 192.0.2.1:5000 7 request", "to client 3 data"}));
  EXPECT_EQ(link_->counters().malformed_records, 3u);
}

TEST_F(ShmLinkTest, InjectsOfTurnCarryHeaderAndMessage) {
  abi::ListenerInjectRecord answer;
  answer.remote = abi::SocketAddress::From(remote_);
  const uint8_t message[] = {1, 1, 0, 0};
  ASSERT_TRUE(link_->InjectFromListener(1, answer, message));
  ASSERT_TRUE(link_->InjectFromClient({3, 7, 1, 0}, message));
  EXPECT_FALSE(link_->InjectFromClient({3, 7, 2, 0}, message));
  std::vector<uint32_t> kinds;
  abi::RingConsumer consumer(view_->inject_ring(1), abi::kInjectRingBytes);
  consumer.Drain(2, [&](uint32_t kind, MutableByteView bytes) {
    kinds.push_back(kind);
    abi::RelayInjectRecord relayed;
    if (kind != uint32_t(abi::InjectKind::kRelayFromClient)) return;
    ASSERT_EQ(bytes.size(), sizeof relayed + sizeof message);
    std::memcpy(static_cast<void*>(&relayed), bytes.data(), sizeof relayed);
    EXPECT_EQ(relayed.relay, (abi::RelayRef{3, 7, 1, 0}));
    EXPECT_EQ(relayed.payload_bytes, sizeof message);
  });
  EXPECT_EQ(kinds, (std::vector<uint32_t>{uint32_t(abi::InjectKind::kFromListener),
                                          uint32_t(abi::InjectKind::kRelayFromClient)}));
}

TEST_F(ShmLinkTest, RecordsThatLieAreCountedAndIgnored) {
  const uint8_t short_record[] = {1, 2, 3};
  auto events = Events(0);
  for (uint32_t type : {1u, 2u, 3u, 4u, 99u}) events.TryWrite(type, short_record);
  events.TryWrite(uint32_t(abi::EventType::kConsentLost),
                  Bytes(abi::FlowEvent{{3, 7, 1, 0}}));  // worker 1 on ring 0
  auto punts = Punts(0);
  punts.TryWrite(uint32_t(abi::PuntKind::kDtls), short_record);
  abi::PuntRecord header{{3, 7, 0, 0}, {}, {}, 4000};
  punts.TryWrite(uint32_t(abi::PuntKind::kDtls), Bytes(header));
  link_->Poll(now_, handler_);
  EXPECT_TRUE(handler_.log.empty());
  EXPECT_EQ(link_->counters().malformed_records, 8u);
}

TEST_F(ShmLinkTest, InjectCarriesHeaderAndPayload) {
  const uint8_t payload[] = {20, 254, 253};
  abi::InjectRecord record;
  record.flow = {3, 7, 0, 0};
  record.remote = abi::SocketAddress::From(remote_);
  ASSERT_TRUE(link_->Inject(0, record, payload));
  abi::RingConsumer consumer(view_->inject_ring(0), abi::kInjectRingBytes);
  consumer.Drain(1, [&](uint32_t, MutableByteView bytes) {
    ASSERT_EQ(bytes.size(), sizeof record + 3);
    EXPECT_EQ(bytes[sizeof record], 20);
    EXPECT_EQ(bytes[52], 3);
  });
}

TEST_F(ShmLinkTest, NoticesANewDataplaneOnce) {
  link_->Poll(now_, handler_);
  view_->header().dataplane_epoch.fetch_add(1);
  link_->Poll(now_, handler_);
  link_->Poll(now_, handler_);
  EXPECT_EQ(handler_.log, (std::vector<std::string>{"restarted"}));
}

TEST_F(ShmLinkTest, HeartbeatsTellLifeFromDeath) {
  view_->header().dataplane_heartbeat_ns = ToNanoseconds(now_);
  EXPECT_TRUE(link_->dataplane_up(now_ + std::chrono::milliseconds(400)));
  EXPECT_FALSE(link_->dataplane_up(now_ + std::chrono::milliseconds(600)));
  link_->Poll(now_, handler_);
  EXPECT_EQ(view_->header().controlplane_heartbeat_ns.load(), ToNanoseconds(now_));
}

TEST_F(ShmLinkTest, ShowsWhatTheXdpProgramDropped) {
  view_->header().xdp_no_socket_pkts = 7;
  view_->header().xdp_fragment_pkts = 9;
  EXPECT_EQ(link_->ReadXdpDrops().no_socket_pkts, 7u);
  EXPECT_EQ(link_->ReadXdpDrops().fragment_pkts, 9u);
}

TEST_F(ShmLinkTest, SequencesContinueAboveThePredecessors) {
  EXPECT_EQ(link_->first_sequence(), 42u);
  link_->NoteSequence(50);
  link_->NoteSequence(47);  // a command sent again
  auto successor = ShmLink::Attach(abi::LinkPath(directory_), 5, 2, 16, 8);
  EXPECT_EQ(successor->first_sequence(), 51u);
}

TEST_F(ShmLinkTest, StatsOfAnEarlierGenerationAreNotShown) {
  view_->flow_stats(1)[3].generation = 7;
  view_->flow_stats(1)[3].received_pkts = 9;
  EXPECT_EQ(link_->ReadFlowStats({3, 7, 1, 0})->received_pkts, 9u);
  EXPECT_FALSE(link_->ReadFlowStats({3, 6, 1, 0}));
  EXPECT_FALSE(link_->ReadFlowStats({16, 7, 1, 0}));
  EXPECT_FALSE(link_->ReadFlowStats({3, 7, 2, 0}));
  view_->relay_stats(1)[3].generation = 7;
  view_->relay_stats(1)[3].to_peer_pkts = 5;
  EXPECT_EQ(link_->ReadRelayStats({3, 7, 1, 0})->to_peer_pkts, 5u);
  EXPECT_FALSE(link_->ReadRelayStats({3, 6, 1, 0}));
  EXPECT_FALSE(link_->ReadRelayStats({8, 7, 1, 0}));
  EXPECT_FALSE(link_->ReadRelayStats({3, 7, 2, 0}));
}

}  // namespace
}  // namespace linegate::link
