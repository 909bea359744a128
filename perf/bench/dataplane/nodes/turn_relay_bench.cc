// Cycles per packet of a whole worker turn for TURN and STUN, without port I/O (goal: 8 Mpps each): bursts of 32 packets
// of 172 bytes of application data, of as many allocations as the argument says, visited in turn.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <vector>

#include "dataplane/abi/flow_command.h"
#include "dataplane/wire/turn_channel_data.h"
#include "dataplane/worker/worker.h"
#include "drivers/crypto/null_transform.h"
#include "drivers/crypto/openssl_hmac_sha1.h"
#include "perf/bench/measured_section.h"
#include "tests/support/packet_builder.h"

namespace linegate::bench {
namespace {

constexpr uint32_t kRelays = 8192;
constexpr size_t kDataBytes = 172;
constexpr uint16_t kChannel = 0x4000;

class SeedRng final : public Rng {
 public:
  void Fill(std::span<uint8_t> out) override {
    for (uint8_t& byte : out) byte = next_++;
  }

 private:
  uint8_t next_ = 1;
};

/// Gives one burst per turn out of buffers of its own; what is sent is gone.
class BurstPort final : public io::PacketPort {
 public:
  void Load(const std::vector<std::vector<uint8_t>>& frames, size_t first) {
    for (size_t i = 0; i < io::kMaxBurst; ++i) {
      const std::vector<uint8_t>& frame = frames[(first + i) % frames.size()];
      std::copy(frame.begin(), frame.end(), buffers_[i].data() + kHeadroom);
      lengths_[i] = uint16_t(frame.size());
    }
    loaded_ = true;
  }
  size_t Receive(std::span<io::Packet> out) override {
    if (!loaded_) return 0;
    loaded_ = false;
    for (size_t i = 0; i < io::kMaxBurst; ++i) {
      const auto room = uint16_t(buffers_[i].size() - kHeadroom - lengths_[i]);
      out[i] = {buffers_[i].data() + kHeadroom, lengths_[i], kHeadroom, room, 0,
                io::RxChecksum::kGood,          &buffers_[i]};
    }
    return io::kMaxBurst;
  }
  size_t Send(std::span<const io::Packet> packets) override {
    sent_ += packets.size();
    return packets.size();
  }
  bool Allocate(io::Packet&) override { return false; }
  void Free(std::span<const io::Packet>) override {}
  MacAddress mac() const override { return {{2, 0, 0, 0, 0, 1}}; }
  io::PortStats stats() const override { return {}; }
  uint64_t sent() const { return sent_; }

 private:
  static constexpr uint16_t kHeadroom = 128;
  bool loaded_ = false;
  std::array<std::array<uint8_t, 2048>, io::kMaxBurst> buffers_;
  std::array<uint16_t, io::kMaxBurst> lengths_ = {};
  uint64_t sent_ = 0;
};

settings::DataplaneSettings MakeSettings() {
  settings::DataplaneSettings settings;
  settings.flows_per_worker = 64;
  settings.relays_per_worker = kRelays;
  settings.stun.requests_per_second_per_source = 0;
  settings::Realm realm;
  realm.interface = "a";
  realm.addresses = {IpAddress::V4(10, 0, 0, 1)};
  realm.turn_ports = {3478};
  realm.relay_ports = {32768, 65535};
  settings.realms = {realm};
  return settings;
}

/// `relays` allocations; each has a channel and, at another address, a permission.
class Relayed {
 public:
  explicit Relayed(uint32_t relays)
      : settings_(MakeSettings()),
        layout_(1, settings_.flows_per_worker, kRelays),
        memory_(static_cast<uint8_t*>(std::aligned_alloc(4096, layout_.total_bytes())), &std::free),
        link_(memory_.get(), layout_),
        slots_(settings_.flows_per_worker),
        relays_(kRelays),
        mesh_(1),
        ports_{&port} {
    std::memset(memory_.get(), 0, layout_.total_bytes());
    link_.Initialise();
    worker::PrepareLink(link_, rng_);
    worker_ = std::make_unique<worker::Worker>(
        worker::WorkerParts{0, settings_, link_, slots_, ports_, transform_, hmac_, mesh_, rng_, relays_});
    for (uint32_t n = 0; n < relays; ++n) Allocate(n);
  }
  void Turn() { worker_->RunOnce(now_ += std::chrono::microseconds(4)); }

  BurstPort port;
  std::vector<std::vector<uint8_t>> channel_data, send_indications, from_channel_peers, from_permitted_peers,
      bindings;

 private:
  template <typename Command>
  void Write(abi::CommandType type, uint32_t relay, Command command) {
    command.header.sequence = ++sequence_;
    command.header.flow = {relay, 1, 0, 0};
    abi::RingProducer producer(link_.command_ring(0), abi::kCommandRingBytes);
    LG_FATAL(producer.TryWrite(uint32_t(type), {reinterpret_cast<const uint8_t*>(&command), sizeof command}));
    Turn();
    abi::RingConsumer(link_.event_ring(0), abi::kEventRingBytes)
        .Drain(100, [](uint32_t, MutableByteView record) {
          abi::CommandDone done;
          std::memcpy(static_cast<void*>(&done), record.data(), sizeof done);
          LG_FATAL(done.status == abi::CommandStatus::kDone);
        });
  }
  static std::vector<uint8_t> Frame(const Endpoint& from, const Endpoint& to, ByteView payload) {
    return test::PacketBuilder().Ethernet().From(from).To(to).Payload(payload).Build();
  }
  void SetPeer(uint32_t relay, uint32_t index, const Endpoint& peer, uint16_t channel) {
    abi::SetRelayPeer command;
    command.index = index;
    command.peer.wire = command.peer.shown = abi::SocketAddress::From(peer);
    command.peer.channel = channel;
    command.peer.permitted = 1;
    command.peer.next_hop.known = 1;
    Write(abi::CommandType::kSetRelayPeer, relay, command);
  }
  void Allocate(uint32_t n) {
    const Endpoint listener{settings_.realms[0].addresses[0], 3478};
    const Endpoint client{IpAddress::V4(10, 1, uint8_t(n >> 8), uint8_t(n)), 5000};
    const Endpoint peer{IpAddress::V4(10, 2, uint8_t(n >> 8), uint8_t(n)), 7000};
    const Endpoint permitted{IpAddress::V4(10, 3, uint8_t(n >> 8), uint8_t(n)), 7000};
    const Endpoint relayed{listener.address, uint16_t(32768 + n)};
    abi::ProgramRelay program;
    program.config.transport = abi::ClientTransport::kDatagram;
    program.config.client_local = abi::SocketAddress::From(listener);
    program.config.client_remote = abi::SocketAddress::From(client);
    program.config.client_next_hop.known = 1;
    program.config.relayed[0] = abi::SocketAddress::From(relayed);
    Write(abi::CommandType::kProgramRelay, n, program);
    SetPeer(n, 0, peer, kChannel);
    SetPeer(n, 1, {permitted.address, 0}, 0);

    const std::vector<uint8_t> data(kDataBytes, 0x80);
    std::vector<uint8_t> message(wire::kChannelDataHeaderBytes + kDataBytes, 0x80);
    wire::WriteChannelDataHeader(std::span<uint8_t, 4>(message.data(), 4), kChannel, kDataBytes);
    channel_data.push_back(Frame(client, listener, message));
    from_channel_peers.push_back(Frame(peer, relayed, data));
    from_permitted_peers.push_back(Frame(permitted, relayed, data));
    std::array<uint8_t, 400> buffer;
    const uint8_t transaction[12] = {};
    wire::StunMessageWriter send(buffer, wire::StunClass::kIndication, wire::StunMethod::kSend, transaction);
    send.AddXorAddress(wire::StunAttribute::kXorPeerAddress, permitted);
    send.AddBytes(wire::StunAttribute::kData, data);
    send_indications.push_back(Frame(client, listener, send.Finish()));
    wire::StunMessageWriter binding(buffer, wire::StunClass::kRequest, wire::StunMethod::kBinding,
                                    transaction);
    bindings.push_back(Frame(client, listener, binding.Finish()));
  }

  settings::DataplaneSettings settings_;
  abi::LinkLayout layout_;
  std::unique_ptr<uint8_t, decltype(&std::free)> memory_;
  abi::LinkRegion link_;
  std::vector<abi::FlowSlot> slots_;
  std::vector<abi::RelaySlot> relays_;
  worker::HandoverMesh mesh_;
  SeedRng rng_;
  crypto::NullTransform transform_;
  crypto::OpensslHmacSha1 hmac_;
  std::vector<io::PacketPort*> ports_;
  std::unique_ptr<worker::Worker> worker_;
  uint64_t sequence_ = 0;
  TimePoint now_ = FromNanoseconds(1'000'000'000'000);
};

void Measure(benchmark::State& state, std::vector<std::vector<uint8_t>> Relayed::*frames) {
  Relayed relayed{uint32_t(state.range(0))};
  MeasuredSection section;
  const uint64_t before = relayed.port.sent();
  uint64_t bursts = 0;
  std::vector<uint64_t> samples;
  samples.reserve(1 << 20);
  for (auto _ : state) {
    relayed.port.Load(relayed.*frames, bursts++ * io::kMaxBurst);
    section.Run(state, io::kMaxBurst, [&] {
      const uint64_t begin = __rdtsc();
      relayed.Turn();
      if (samples.size() < samples.capacity()) samples.push_back(__rdtsc() - begin);
    });
  }
  // A shared machine interrupts some bursts; the median does not see them.
  std::nth_element(samples.begin(), samples.begin() + long(samples.size() / 2), samples.end());
  state.counters["median_cycles_per_packet"] = double(samples[samples.size() / 2]) / double(io::kMaxBurst);
  section.Report(state);
  if (relayed.port.sent() - before != bursts * io::kMaxBurst)
    state.SkipWithError("not every packet was sent");
}

void BM_TurnChannelDataToPeer(benchmark::State& state) { Measure(state, &Relayed::channel_data); }
void BM_TurnPeerToChannelData(benchmark::State& state) { Measure(state, &Relayed::from_channel_peers); }
void BM_TurnSendIndicationToPeer(benchmark::State& state) { Measure(state, &Relayed::send_indications); }
void BM_TurnPeerToDataIndication(benchmark::State& state) { Measure(state, &Relayed::from_permitted_peers); }
void BM_StunBindingAnswered(benchmark::State& state) { Measure(state, &Relayed::bindings); }
BENCHMARK(BM_TurnChannelDataToPeer)
    ->Name("BM_TurnChannelDataToPeer/32/160")
    ->Arg(32)
    ->Arg(1024)
    ->Arg(8192)
    ->UseManualTime();
BENCHMARK(BM_TurnPeerToChannelData)
    ->Name("BM_TurnPeerToChannelData/32/160")
    ->Arg(32)
    ->Arg(1024)
    ->Arg(8192)
    ->UseManualTime();
BENCHMARK(BM_TurnSendIndicationToPeer)
    ->Name("BM_TurnSendIndicationToPeer/32/160")
    ->Arg(1024)
    ->UseManualTime();
BENCHMARK(BM_TurnPeerToDataIndication)
    ->Name("BM_TurnPeerToDataIndication/32/160")
    ->Arg(1024)
    ->UseManualTime();
BENCHMARK(BM_StunBindingAnswered)->Name("BM_StunBindingAnswered/32/20")->Arg(1024)->UseManualTime();

}  // namespace
}  // namespace linegate::bench
