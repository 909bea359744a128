// The TURN server as it is wired: frames in at the link and at streams, and what leaves for workers and clients. The
// workers' end of the link region is played here, so each command and each injected message is seen as it is written.
#include "controlplane/app/turn_gateway.h"

#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "controlplane/ops/redacted.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/turn_bench.h"

namespace linegate::app {
namespace {

using test::TurnBench;
using turn::ClientTransport;
using wire::StunAttribute;
using wire::StunMethod;
using Bytes = std::vector<uint8_t>;
using Texts = std::vector<std::string>;

const Endpoint kServer = *Endpoint::Parse("10.90.1.1:3478");
const Endpoint kClient = *Endpoint::Parse("192.0.2.7:5000");
const Endpoint kPeer = *Endpoint::Parse("198.51.100.9:7000");

template <typename T>
ByteView ViewOf(const T& record) {
  return {reinterpret_cast<const uint8_t*>(&record), sizeof record};
}
template <typename T>
T ReadRecord(ByteView bytes) {
  T record;
  EXPECT_GE(bytes.size(), sizeof record);
  std::memcpy(static_cast<void*>(&record), bytes.data(), sizeof record);
  return record;
}
template <typename Record>
Bytes WithPayload(Record record, ByteView payload) {
  record.payload_bytes = uint32_t(payload.size());
  Bytes bytes(ViewOf(record).begin(), ViewOf(record).end());
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  return bytes;
}

class NoNextHops final : public session::NextHopTable {
 public:
  std::optional<abi::NextHop> Lookup(const IpAddress&) override { return std::nullopt; }
};

/// A stream whose other end is the test. Shared state outlives the stream, which the server destroys.
struct Wire {
  net::ByteStream::ReadDone read;
  net::ByteStream::WriteDone written;
  Bytes to_client;
  bool cut = false;
};
class FakeStream final : public net::ByteStream {
 public:
  explicit FakeStream(std::shared_ptr<Wire> wire) : wire_(std::move(wire)) {}
  ~FakeStream() override { wire_->cut = true, wire_->read = nullptr, wire_->written = nullptr; }
  void ReadSome(ReadDone done) override { wire_->read = std::move(done); }
  void Write(Bytes bytes, WriteDone done) override {
    wire_->to_client.insert(wire_->to_client.end(), bytes.begin(), bytes.end());
    wire_->written = std::move(done);
  }
  void EndOutput() override {}

 private:
  std::shared_ptr<Wire> wire_;
};

std::string CodeText(ByteView message) {
  const auto view = wire::StunMessageView::Parse(message);
  if (!view) return std::to_string(message.size()) + " bytes";
  const auto error = view->error_code();
  if (error) return std::to_string(error->code);
  const auto relayed = view->FindXorAddress(StunAttribute::kXorRelayedAddress);
  return relayed ? "ok, relayed at " + relayed->address.ToString() : "ok";
}

class TurnGatewayTest : public ::testing::Test, private link::LinkHandler {
 protected:
  static constexpr uint32_t kRelays = 4;

  static ops::Config MakeConfig() {
    ops::Config config;
    config.media.workers = 1;
    config.media.relays_per_worker = kRelays;
    settings::Realm realm;
    realm.name = "public";
    realm.addresses = {kServer.address};
    realm.turn_ports = {kServer.port};
    realm.relay_ports = {49152, 49159};
    config.media.realms = {realm};
    config.web.realm = "public";
    config.turn.emplace();
    config.turn->server.realm = "lab.example";
    config.turn->server.users = {{"lab", "lab"}};
    config.turn->server.allowed_peers = {*turn::IpPrefix::Parse("198.51.100.0/24")};
    return config;
  }

  void SetUp() override {
    const abi::LinkLayout layout(1, 16, kRelays);
    const abi::RegionIdentity identity{abi::kLinkMagic, 5, 1, 16, kRelays};
    bool existing;
    auto region =
        abi::Region::Create(abi::LinkPath(folder_.path()), layout.total_bytes(), 0600, identity, &existing);
    ASSERT_TRUE(region) << region.error().message();
    region_ = std::move(region).value();
    worker_.emplace(region_.data(), layout);
    worker_->Initialise();
    region_.Publish(identity);
    auto link = link::ShmLink::Attach(abi::LinkPath(folder_.path()), 5, 1, 16, kRelays);
    ASSERT_TRUE(link) << link.error().message();
    link_.emplace(std::move(link).value());
    auto gateway =
        TurnGateway::Start(runtime_, config_, *link_, next_hops_, rng_, [this] { gateway_->Pump(now_); });
    ASSERT_TRUE(gateway) << gateway.error().message();
    gateway_ = std::move(gateway).value();
    link_->Poll(now_, *this);
  }

  // What Gateway does with the link's events.
  void OnCommandDone(const abi::CommandDone& done) override { gateway_->HandleCommandDone(done); }
  void OnPathValidated(const abi::PathEvent&) override {}
  void OnPathSelected(const abi::PathEvent&) override {}
  void OnConsentLost(const abi::FlowRef&) override {}
  void OnPuntedDtls(const abi::FlowRef&, const Endpoint&, const Endpoint&, ByteView) override {}
  void OnPuntedTurn(uint16_t worker, const abi::TurnPuntRecord& record, ByteView message) override {
    gateway_->HandlePunt(now_, worker, record, message);
  }
  void OnRelayToClient(const abi::RelayRef& relay, ByteView message) override {
    gateway_->HandleRelayToClient(relay, message);
  }
  void OnDataplaneRestarted() override { gateway_->ReprogramAll(); }
  void Poll() {
    link_->Poll(now_, *this);
    while (gateway_->Pump(now_)) {
    }
  }

  // ---- the worker

  struct Command {
    abi::CommandHeader header;
    std::string text;
  };
  /// What is in its ring, in order.
  std::vector<Command> Commands() {
    std::vector<Command> commands;
    abi::RingConsumer ring(worker_->command_ring(0), abi::kCommandRingBytes);
    ring.Drain(100, [&](uint32_t type, MutableByteView bytes) {
      Command command{ReadRecord<abi::CommandHeader>(bytes), {}};
      const std::string slot = " slot " + std::to_string(command.header.flow.index);
      if (type == uint32_t(abi::CommandType::kProgramRelay)) {
        const auto program = ReadRecord<abi::ProgramRelay>(bytes);
        const bool stream = program.config.transport == abi::ClientTransport::kStream;
        command.text = "program" + slot + (stream ? " stream " : " datagram ") +
                       program.config.client_remote.ToEndpoint().ToString() + " relayed " +
                       program.config.relayed[0].ToEndpoint().address.ToString();
      } else if (type == uint32_t(abi::CommandType::kSetRelayPeer)) {
        const auto set = ReadRecord<abi::SetRelayPeer>(bytes);
        command.text = "peer" + slot + " [" + std::to_string(set.index) + "] " +
                       set.peer.wire.ToEndpoint().ToString() + " channel " + std::to_string(set.peer.channel);
      } else {
        command.text = type == uint32_t(abi::CommandType::kRemoveRelay) ? "remove" + slot : "another command";
      }
      commands.push_back(command);
    });
    return commands;
  }
  static Texts TextsOf(const std::vector<Command>& commands) {
    Texts texts;
    for (const Command& command : commands) texts.push_back(command.text);
    return texts;
  }
  void Confirm(const Command& command, abi::CommandStatus status = abi::CommandStatus::kDone) {
    abi::RingProducer events(worker_->event_ring(0), abi::kEventRingBytes);
    const abi::CommandDone done{command.header.sequence, command.header.flow, status};
    ASSERT_TRUE(events.TryWrite(uint32_t(abi::EventType::kCommandDone), ViewOf(done)));
    Poll();
  }
  /// Carries out everything until nothing more comes; what it was.
  Texts Obey() {
    Texts texts;
    for (auto commands = Commands(); !commands.empty(); commands = Commands()) {
      for (const Command& command : commands) {
        texts.push_back(command.text);
        last_relay_ = command.header.flow;
        Confirm(command);
      }
    }
    return texts;
  }
  /// Messages that it was given to send.
  Texts Injected() {
    Texts texts;
    abi::RingConsumer ring(worker_->inject_ring(0), abi::kInjectRingBytes);
    ring.Drain(100, [&](uint32_t kind, MutableByteView bytes) {
      if (kind == uint32_t(abi::InjectKind::kFromListener)) {
        const auto record = ReadRecord<abi::ListenerInjectRecord>(bytes);
        last_message_.assign(bytes.begin() + sizeof record, bytes.end());
        texts.push_back(record.local.ToEndpoint().ToString() + " to " +
                        record.remote.ToEndpoint().ToString() + " vlan " +
                        std::to_string(record.next_hop.vlan) + ": " + CodeText(last_message_));
      } else {
        const auto record = ReadRecord<abi::RelayInjectRecord>(bytes);
        texts.push_back("relay " + std::to_string(record.relay.index) + ": " +
                        std::to_string(record.payload_bytes) + " bytes");
      }
    });
    return texts;
  }
  void Punt(ByteView message) {
    abi::TurnPuntRecord record;
    record.local = abi::SocketAddress::From(kServer);
    record.remote = abi::SocketAddress::From(kClient);
    record.reply_hop.vlan = 7;
    abi::RingProducer punts(worker_->punt_ring(0), abi::kPuntRingBytes);
    ASSERT_TRUE(punts.TryWrite(uint32_t(abi::PuntKind::kTurn), WithPayload(record, message)));
    Poll();
  }
  void PuntToClient(const abi::RelayRef& relay, ByteView message) {
    abi::RelayPuntRecord record;
    record.relay = relay;
    abi::RingProducer punts(worker_->punt_ring(0), abi::kPuntRingBytes);
    ASSERT_TRUE(punts.TryWrite(uint32_t(abi::PuntKind::kRelayToClient), WithPayload(record, message)));
    Poll();
  }

  // ---- the client

  /// A request, with credentials once a nonce is known.
  Bytes Request(StunMethod method, const TurnBench::Add& add = {}) {
    std::array<uint8_t, 12> transaction = {};
    StoreBe32(transaction.data(), ++requests_);
    std::array<uint8_t, 1024> buffer;
    wire::StunMessageWriter writer(buffer, wire::StunClass::kRequest, method, transaction);
    if (method == StunMethod::kAllocate) writer.AddU32(StunAttribute::kRequestedTransport, 17u << 24);
    if (add) add(writer);
    if (!nonce_.empty()) {
      writer.AddText(StunAttribute::kUsername, "lab");
      writer.AddText(StunAttribute::kRealm, "lab.example");
      writer.AddText(StunAttribute::kNonce, nonce_);
      writer.AddMessageIntegrity(crypto_.hmac_sha1(), crypto_.Md5(AsBytes("lab:lab.example:lab")));
    }
    const ByteView message = writer.Finish();
    return {message.begin(), message.end()};
  }
  void LearnNonce(ByteView challenge) {
    nonce_ = std::string(*wire::StunMessageView::Parse(challenge)->nonce());
  }
  Bytes BindRequest() {
    return Request(StunMethod::kChannelBind, [](auto& writer) {
      writer.AddU32(StunAttribute::kChannelNumber, 0x4000u << 16);
      writer.AddXorAddress(StunAttribute::kXorPeerAddress, kPeer);
    });
  }
  Bytes DeleteRequest() {
    return Request(StunMethod::kRefresh, [](auto& writer) { writer.AddU32(StunAttribute::kLifetime, 0); });
  }
  /// A UDP client with a channel; everything so far is read and confirmed.
  void AllocateOverUdp() {
    Punt(Request(StunMethod::kAllocate));
    Injected();
    LearnNonce(last_message_);
    Punt(Request(StunMethod::kAllocate));
    Obey();
    Punt(BindRequest());
    Obey();
    ASSERT_EQ(Injected().size(), 2u);
  }

  std::shared_ptr<Wire> Connect() {
    auto wire = std::make_shared<Wire>();
    gateway_->Adopt(std::make_unique<FakeStream>(wire), *Endpoint::Parse("10.90.1.1:443"), kClient);
    return wire;
  }
  void Feed(Wire& wire, ByteView bytes) {
    ASSERT_TRUE(wire.read);
    const auto read = std::exchange(wire.read, nullptr);
    read(bytes);
    while (gateway_->Pump(now_)) {
    }
  }
  /// What has come down the stream; the next write may follow.
  Bytes Take(Wire& wire) {
    Bytes taken = std::exchange(wire.to_client, {});
    while (const auto written = std::exchange(wire.written, nullptr)) {
      written(net::ByteStream::Outcome::kDone);
      taken.insert(taken.end(), wire.to_client.begin(), wire.to_client.end());
      wire.to_client.clear();
    }
    return taken;
  }
  /// The same over a TLS connection.
  std::shared_ptr<Wire> AllocateOverTls() {
    nonce_.clear();
    auto wire = Connect();
    Feed(*wire, Request(StunMethod::kAllocate));
    LearnNonce(Take(*wire));
    Feed(*wire, Request(StunMethod::kAllocate));
    Obey();
    EXPECT_EQ(CodeText(Take(*wire)), "ok, relayed at 10.90.1.1");
    Feed(*wire, BindRequest());
    Obey();
    EXPECT_EQ(CodeText(Take(*wire)), "ok");
    return wire;
  }
  uint64_t Counter(const char* name) { return gateway_->CountersJson().at(name).get<uint64_t>(); }

  test::TemporaryFolder folder_;
  const TimePoint now_ = MonotonicNow();
  ops::Config config_ = MakeConfig();
  net::Runtime runtime_;  // never runs: everything here happens inside calls
  abi::Region region_;
  std::optional<abi::LinkRegion> worker_;
  std::optional<link::ShmLink> link_;
  NoNextHops next_hops_;
  test::CountingRng rng_;
  test::TurnTestCrypto crypto_;
  std::unique_ptr<TurnGateway> gateway_;
  abi::RelayRef last_relay_;
  Bytes last_message_;
  std::string nonce_;
  uint32_t requests_ = 0;
};

TEST_F(TurnGatewayTest, AUdpClientIsAnsweredWhenTheWorkerHasDoneIt) {
  Punt(Request(StunMethod::kAllocate));
  EXPECT_EQ(Injected(), Texts{"10.90.1.1:3478 to 192.0.2.7:5000 vlan 7: 401"});
  EXPECT_EQ(Commands().size(), 0u);
  LearnNonce(last_message_);

  Punt(Request(StunMethod::kAllocate));
  auto commands = Commands();
  EXPECT_EQ(TextsOf(commands), Texts{"program slot 0 datagram 192.0.2.7:5000 relayed 10.90.1.1"});
  EXPECT_EQ(Injected(), Texts{});
  Confirm(commands.at(0));
  EXPECT_EQ(Injected(), Texts{"10.90.1.1:3478 to 192.0.2.7:5000 vlan 7: ok, relayed at 10.90.1.1"});

  Punt(BindRequest());
  commands = Commands();
  EXPECT_EQ(TextsOf(commands), Texts{"peer slot 0 [0] 198.51.100.9:7000 channel 16384"});
  EXPECT_EQ(Injected(), Texts{});
  Confirm(commands.at(0));
  EXPECT_EQ(Injected(), Texts{"10.90.1.1:3478 to 192.0.2.7:5000 vlan 7: ok"});

  Punt(DeleteRequest());
  commands = Commands();
  EXPECT_EQ(TextsOf(commands), Texts{"remove slot 0"});
  EXPECT_EQ(gateway_->relay_count(), 1u);
  Confirm(commands.at(0));
  EXPECT_EQ(Injected(), Texts{"10.90.1.1:3478 to 192.0.2.7:5000 vlan 7: ok"});
  EXPECT_EQ(gateway_->relay_count(), 0u);
}

TEST_F(TurnGatewayTest, ACommandIsRepeatedUntilItIsAnsweredAndAnsweredOnce) {
  Punt(Request(StunMethod::kAllocate));
  Injected();
  LearnNonce(last_message_);
  Punt(Request(StunMethod::kAllocate));
  const auto first = Commands();
  ASSERT_EQ(first.size(), 1u);
  const TimePoint later = now_ + session::RelayCommandQueue::kFirstRepeat;
  ASSERT_TRUE(gateway_->NextTimeout());
  EXPECT_LE(*gateway_->NextTimeout(), later);
  gateway_->HandleTimeout(later);
  gateway_->Pump(later);
  const auto second = Commands();
  ASSERT_EQ(TextsOf(second), TextsOf(first));
  EXPECT_EQ(second[0].header.sequence, first[0].header.sequence);
  Confirm(first[0]);
  Confirm(second[0]);
  EXPECT_EQ(Injected().size(), 1u);
}

TEST_F(TurnGatewayTest, AWorkerThatRefusesIsNoAllocation) {
  Punt(Request(StunMethod::kAllocate));
  Injected();
  LearnNonce(last_message_);
  Punt(Request(StunMethod::kAllocate));
  Confirm(Commands().at(0), abi::CommandStatus::kPortTaken);
  EXPECT_EQ(Injected(), Texts{"10.90.1.1:3478 to 192.0.2.7:5000 vlan 7: 508"});
  EXPECT_EQ(Obey(), Texts{"remove slot 0"});
  EXPECT_EQ(gateway_->relay_count(), 0u);
  EXPECT_EQ(gateway_->TotalsJson().at("allocations"), 0);
}

/// The slot holds somebody else: what the worker lost is ended, and the client finds out by 437.
TEST_F(TurnGatewayTest, ARelayThatTheWorkerLostEnds) {
  AllocateOverUdp();
  Punt(Request(StunMethod::kCreatePermission, [](auto& writer) {
    writer.AddXorAddress(StunAttribute::kXorPeerAddress, {IpAddress::V4(198, 51, 100, 10), 0});
  }));
  Confirm(Commands().at(0), abi::CommandStatus::kStaleFlow);
  EXPECT_EQ(Obey(), Texts{"remove slot 0"});
  EXPECT_EQ(gateway_->relay_count(), 0u);
  Injected();
  Punt(BindRequest());
  EXPECT_EQ(Injected(), Texts{"10.90.1.1:3478 to 192.0.2.7:5000 vlan 7: 437"});
}

TEST_F(TurnGatewayTest, MoreAllocationsThanSlotsAreRefused) {
  std::vector<std::shared_ptr<Wire>> wires;
  for (uint32_t i = 0; i < kRelays; ++i) wires.push_back(AllocateOverTls());
  auto late = Connect();
  Feed(*late, Request(StunMethod::kAllocate));
  EXPECT_EQ(CodeText(Take(*late)), "508");
  EXPECT_EQ(Commands().size(), 0u);
  EXPECT_EQ(gateway_->relay_count(), kRelays);
}

TEST_F(TurnGatewayTest, AnotherDataplaneIsToldEverythingAgainAndNoClientHearsOfIt) {
  AllocateOverUdp();
  const abi::RelayRef relay = last_relay_;
  worker_->header().dataplane_epoch.fetch_add(1);
  Poll();
  const auto first = Commands();
  ASSERT_EQ(TextsOf(first), Texts{"program slot 0 datagram 192.0.2.7:5000 relayed 10.90.1.1"});
  EXPECT_EQ(first[0].header.flow, relay);
  Confirm(first[0]);
  EXPECT_EQ(Obey(), Texts{"peer slot 0 [0] 198.51.100.9:7000 channel 16384"});
  EXPECT_EQ(Injected(), Texts{});
  EXPECT_EQ(gateway_->TotalsJson().at("allocations"), 1);
}

TEST_F(TurnGatewayTest, AStreamClientsDataCrossesAsWholeMessages) {
  const auto wire = AllocateOverTls();
  const Bytes data = {0x40, 0x00, 0x00, 0x05, 'h', 'e', 'l', 'l', 'o', 0, 0, 0};
  for (const uint8_t byte : data) Feed(*wire, ByteView(&byte, 1));
  EXPECT_EQ(Injected(), Texts{"relay 0: 9 bytes"});  // without the padding
  Bytes indication = Request(StunMethod::kSend);
  indication[1] = 0x16;
  Feed(*wire, indication);
  EXPECT_EQ(Injected(), Texts{"relay 0: " + std::to_string(indication.size()) + " bytes"});
  PuntToClient(last_relay_, ByteView(data).first(9));
  EXPECT_EQ(Take(*wire), data);  // with it
  EXPECT_EQ(Counter("client_data_dropped"), 0u);
}

TEST_F(TurnGatewayTest, AStreamThatEndsTakesItsRelayWithIt) {
  const auto wire = AllocateOverTls();
  const abi::RelayRef relay = last_relay_;
  const Bytes data = {0x40, 0x00, 0x00, 0x00};
  Feed(*wire, {});
  EXPECT_TRUE(wire->cut);
  PuntToClient(relay, data);
  EXPECT_EQ(Counter("client_data_unknown"), 1u);
  EXPECT_EQ(Obey(), Texts{"remove slot 0"});
  EXPECT_EQ(gateway_->relay_count(), 0u);
  const auto totals = gateway_->TotalsJson();
  EXPECT_EQ(totals.at("turn_connections"), 0);
}

TEST_F(TurnGatewayTest, DataBehindTheEndOfAnAllocationGoesNowhere) {
  const auto wire = AllocateOverTls();
  const abi::RelayRef relay = last_relay_;
  const Bytes data = {0x40, 0x00, 0x00, 0x00};
  Feed(*wire, DeleteRequest());
  EXPECT_EQ(Obey(), Texts{"remove slot 0"});
  EXPECT_EQ(CodeText(Take(*wire)), "ok");
  Feed(*wire, data);
  EXPECT_EQ(Injected(), Texts{});
  EXPECT_EQ(Counter("client_data_dropped"), 1u);
  abi::RelayRef reused = relay;
  ++reused.generation;
  PuntToClient(reused, data);
  EXPECT_EQ(Counter("client_data_unknown"), 1u);
  EXPECT_EQ(Take(*wire), Bytes{});
}

TEST_F(TurnGatewayTest, AFullInjectRingCostsCountedPackets) {
  const auto wire = AllocateOverTls();
  Bytes data(1024, 0);
  data[0] = 0x40, data[2] = 0x03, data[3] = 0xfc;
  for (uint32_t i = 0; i < abi::kInjectRingBytes / data.size() + 8; ++i) Feed(*wire, data);
  EXPECT_GT(Counter("client_data_dropped"), 0u);
  Injected();
  const uint64_t dropped = Counter("client_data_dropped");
  Feed(*wire, data);
  EXPECT_EQ(Counter("client_data_dropped"), dropped);
}

TEST_F(TurnGatewayTest, AnOperatorSeesClientsPeersAndBytes) {
  AllocateOverUdp();
  abi::RelayStats& stats = worker_->relay_stats(0)[last_relay_.index];
  stats.generation = last_relay_.generation;
  stats.to_peer_pkts = 3, stats.to_peer_bytes = 300, stats.to_client_pkts = 2, stats.to_client_bytes = 200;
  const nlohmann::json shown = gateway_->AllocationsJson();
  EXPECT_EQ(shown.at("allocations"), 1);
  EXPECT_EQ(shown.at("channels"), 1);
  EXPECT_FALSE(shown.contains("not_listed"));
  const nlohmann::json& row = shown.at("list").at(0);
  EXPECT_EQ(row.at("user"), ops::Masked("lab"));
  EXPECT_EQ(row.at("transport"), "udp");
  EXPECT_EQ(row.at("client"), "192.0.2.7:5000");
  EXPECT_TRUE(row.at("relayed").get<std::string>().starts_with("10.90.1.1:491"));
  EXPECT_EQ(row.at("to_peer_bytes"), 300);
  EXPECT_EQ(row.at("to_client_pkts"), 2);
  ASSERT_EQ(row.at("peers").size(), 2u);  // a channel permits its address
  EXPECT_EQ(row.at("peers").at(0).at("kind"), "permission");
  EXPECT_EQ(row.at("peers").at(0).at("peer"), "198.51.100.9");
  EXPECT_EQ(row.at("peers").at(1).at("kind"), "channel");
  EXPECT_EQ(row.at("peers").at(1).at("peer"), "198.51.100.9:7000");
  EXPECT_EQ(row.at("peers").at(1).at("channel"), "0x4000");
  EXPECT_LE(row.at("peers").at(1).at("seconds").get<int>(), 600);
}

}  // namespace
}  // namespace linegate::app
