#include "tests/support/dataplane_bench.h"

#include <cstdlib>

#include "dataplane/wire/frame_view.h"
#include "tests/support/packet_builder.h"

namespace linegate::test {
namespace {

settings::DataplaneSettings MakeSettings(uint16_t workers, uint16_t public_vlan) {
  settings::DataplaneSettings settings;
  settings.workers = workers;
  settings.flows_per_worker = DataplaneBench::kFlows;
  settings.relays_per_worker = DataplaneBench::kRelays;
  settings::Realm outside;
  outside.name = "public";
  outside.interface = "lgw1";
  outside.vlan = public_vlan;
  outside.addresses = {*IpAddress::Parse("10.90.1.1"), *IpAddress::Parse("fd90:1::1")};
  outside.webrtc_port = 20000;
  outside.stun_ports = {3478};
  outside.turn_ports = {443};
  outside.relay_ports = {49152, 49215};
  settings::Realm inside;
  inside.name = "private";
  inside.interface = "lgs1";
  inside.addresses = {*IpAddress::Parse("10.90.2.1"), *IpAddress::Parse("fd90:2::1")};
  inside.rtp_ports = {40000, 40199};
  settings::Realm discovery;
  discovery.name = "discovery";
  discovery.interface = outside.interface;
  discovery.vlan = public_vlan;
  discovery.addresses = {*IpAddress::Parse("10.90.1.5"), *IpAddress::Parse("fd90:1::5")};
  discovery.advertise = {*IpAddress::Parse("192.0.2.5"), *IpAddress::Parse("2001:db8::5")};
  discovery.turn_ports = {3478};
  discovery.stun_ports = {3479};
  discovery.other_realm = "discovery-other";
  settings::Realm other = discovery;
  other.name = "discovery-other";
  other.addresses = {*IpAddress::Parse("10.90.1.6"), *IpAddress::Parse("fd90:1::6")};
  other.advertise.clear();
  other.other_realm = "discovery";
  settings.realms = {outside, inside, discovery, other};
  return settings;
}

MacAddress PortMac(uint16_t port, uint16_t worker) { return {{2, 0, 0, 1, uint8_t(worker), uint8_t(port)}}; }
/// The router that everything on one side comes from.
MacAddress PeerMac(uint16_t port) { return {{2, 0, 0, 9, 0, uint8_t(port)}}; }

}  // namespace

DataplaneBench::DataplaneBench(uint16_t workers, srtp::SrtpTransform* transform, uint16_t public_vlan)
    : settings_(MakeSettings(workers, public_vlan)),
      layout_(workers, kFlows, kRelays),
      memory_(static_cast<uint8_t*>(std::aligned_alloc(4096, layout_.total_bytes()))),
      link_(memory_.get(), layout_),
      slots_(workers, std::vector<abi::FlowSlot>(kFlows)),
      relays_(workers, std::vector<abi::RelaySlot>(kRelays)),
      transform_(transform != nullptr ? *transform : null_transform_),
      events_(workers),
      punts_(workers) {
  std::memset(memory_.get(), 0, layout_.total_bytes());
  link_.Initialise();
  worker::PrepareLink(link_, rng_);
  for (uint16_t w = 0; w < workers; ++w) {
    ports_.emplace_back();
    port_tables_.emplace_back();
    for (uint16_t p = 0; p < 2; ++p) {
      ports_[w].push_back(std::make_unique<drivers::MemoryPort>(pool_, p, PortMac(p, w)));
      port_tables_[w].push_back(ports_[w].back().get());
      if (p != kPublic || public_vlan == 0) continue;
      vlan_ports_.push_back(std::make_unique<drivers::VlanPort>(*ports_[w].back(), public_vlan));
      port_tables_[w].back() = vlan_ports_.back().get();
    }
  }
  StartWorkers();
}

DataplaneBench::~DataplaneBench() {
  Run();
  LG_FATAL(pool_.free_count() == pool_.capacity());
}

void DataplaneBench::StartWorkers() {
  workers_.clear();
  mesh_ = std::make_unique<worker::HandoverMesh>(settings_.workers, settings_.relays_per_worker);
  for (uint16_t w = 0; w < settings_.workers; ++w) {
    workers_.push_back(std::make_unique<worker::Worker>(worker::WorkerParts{
        w, settings_, link_, slots_[w], port_tables_[w], transform_, hmac_, *mesh_, rng_, relays_[w]}));
    workers_.back()->Adopt(now_);
  }
}

void DataplaneBench::Restart() {
  Run();
  StartWorkers();
}

void DataplaneBench::Receive(uint16_t port, const Endpoint& from, const Endpoint& to, ByteView payload,
                             uint16_t worker) {
  PacketBuilder builder;
  builder.Ethernet(PeerMac(port), PortMac(port, worker)).From(from).To(to).Payload(payload);
  if (port == kPublic && settings_.realms[0].vlan != 0) builder.Vlan(settings_.realms[0].vlan);
  ReceiveFrame(port, builder.Build(), worker);
}

void DataplaneBench::ReceiveFrame(uint16_t port, ByteView frame, uint16_t worker) {
  ports_[worker][port]->Inject(frame);
}

void DataplaneBench::Run() {
  for (int turn = 0; turn < 1000; ++turn) {
    bool busy = false;
    for (const auto& worker : workers_) busy |= worker->RunOnce(now_);
    if (!busy) return;
  }
  LG_FATAL(!"the workers never come to rest");
}

void DataplaneBench::Advance(Duration duration) {
  const TimePoint end = now_ + duration;
  while (now_ < end) {
    now_ = std::min<TimePoint>(now_ + std::chrono::milliseconds(10), end);
    Run();
  }
}

std::vector<SentDatagram> DataplaneBench::Sent(uint16_t port) {
  std::vector<SentDatagram> sent;
  for (const auto& ports : ports_) {
    for (const std::vector<uint8_t>& frame : ports[port]->TakeSent()) {
      wire::FrameView view;
      LG_FATAL(wire::ParseFrame(frame, view) == wire::FrameError::kNone);
      LG_FATAL(!view.udp_checksum_absent && wire::UdpChecksumValid(frame, view));
      const ByteView payload = view.payload(frame);
      sent.push_back({view.source,
                      view.destination,
                      view.destination_mac,
                      view.traffic_class,
                      view.hop_limit,
                      view.dont_fragment,
                      {payload.begin(), payload.end()}});
    }
  }
  return sent;
}

void DataplaneBench::WriteCommand(uint16_t worker, uint32_t type, ByteView record) {
  abi::RingProducer producer(link_.command_ring(worker), abi::kCommandRingBytes);
  LG_FATAL(producer.TryWrite(type, record));
}

abi::CommandStatus DataplaneBench::TakeAnswer(uint64_t sequence) {
  for (uint16_t w = 0; w < settings_.workers; ++w) TakeEvents(w);
  const auto answer = answers_.find(sequence);
  LG_FATAL(answer != answers_.end());
  const abi::CommandStatus status = answer->second;
  answers_.erase(answer);
  return status;
}

abi::CommandStatus DataplaneBench::Program(const abi::FlowRef& flow, const abi::FlowConfig& config) {
  abi::ProgramFlow command;
  command.header.flow = flow;
  command.config = config;
  return Do(abi::CommandType::kProgramFlow, command);
}

abi::CommandStatus DataplaneBench::Install(const abi::FlowRef& flow, abi::KeyUse use,
                                           const srtp::MasterKey& key) {
  abi::InstallKeys command;
  command.header.flow = flow;
  command.use = use;
  command.profile = uint16_t(key.profile);
  command.key_bytes = uint8_t(key.key.view().size());
  command.salt_bytes = uint8_t(key.salt.view().size());
  std::copy(key.key.view().begin(), key.key.view().end(), command.key);
  std::copy(key.salt.view().begin(), key.salt.view().end(), command.salt);
  command.mki_bytes = key.mki.length;
  std::copy_n(key.mki.bytes, sizeof command.mki, command.mki);
  return Do(abi::CommandType::kInstallKeys, command);
}

abi::CommandStatus DataplaneBench::Remove(const abi::FlowRef& flow) {
  abi::RemoveFlow command;
  command.header.flow = flow;
  return Do(abi::CommandType::kRemoveFlow, command);
}

void DataplaneBench::Inject(const abi::FlowRef& flow, const Endpoint& local, const Endpoint& remote,
                            ByteView payload) {
  abi::InjectRecord record;
  record.flow = flow;
  record.local = abi::SocketAddress::From(local);
  record.remote = abi::SocketAddress::From(remote);
  record.payload_bytes = uint32_t(payload.size());
  InjectRecord(flow.worker, abi::InjectKind::kToLeg, record, payload);
}

void DataplaneBench::TakeEvents(uint16_t worker) {
  abi::RingConsumer consumer(link_.event_ring(worker), abi::kEventRingBytes);
  consumer.Drain(UINT32_MAX, [&](uint32_t type, MutableByteView record) {
    const BenchEvent event{abi::EventType(type), {record.begin(), record.end()}};
    if (event.type != abi::EventType::kCommandDone) return events_[worker].push_back(event);
    const auto done = event.As<abi::CommandDone>();
    answers_[done.sequence] = done.status;
  });
}

std::vector<BenchEvent> DataplaneBench::Events(uint16_t worker) {
  TakeEvents(worker);
  return std::exchange(events_[worker], {});
}

namespace {

template <typename Record>
BenchPuntOf<Record> Split(ByteView bytes) {
  BenchPuntOf<Record> punt;
  LG_FATAL(bytes.size() >= sizeof punt.record);
  std::memcpy(static_cast<void*>(&punt.record), bytes.data(), sizeof punt.record);
  punt.payload.assign(bytes.begin() + sizeof punt.record, bytes.end());
  LG_FATAL(punt.payload.size() == punt.record.payload_bytes);
  return punt;
}

}  // namespace

void DataplaneBench::TakePunts(uint16_t worker) {
  abi::RingConsumer consumer(link_.punt_ring(worker), abi::kPuntRingBytes);
  consumer.Drain(UINT32_MAX, [&](uint32_t type, MutableByteView bytes) {
    switch (abi::PuntKind(type)) {
      case abi::PuntKind::kDtls:
        return punts_[worker].dtls.push_back(Split<abi::PuntRecord>(bytes));
      case abi::PuntKind::kTurn:
        return punts_[worker].turn.push_back(Split<abi::TurnPuntRecord>(bytes));
      case abi::PuntKind::kRelayToClient:
        return punts_[worker].to_client.push_back(Split<abi::RelayPuntRecord>(bytes));
    }
    LG_FATAL(!"a punt of unknown kind");
  });
}

std::vector<BenchPunt> DataplaneBench::Punts(uint16_t worker) {
  TakePunts(worker);
  return std::exchange(punts_[worker].dtls, {});
}
std::vector<BenchTurnPunt> DataplaneBench::TurnPunts(uint16_t worker) {
  TakePunts(worker);
  return std::exchange(punts_[worker].turn, {});
}
std::vector<BenchRelayPunt> DataplaneBench::RelayPunts(uint16_t worker) {
  TakePunts(worker);
  return std::exchange(punts_[worker].to_client, {});
}

uint64_t DataplaneBench::counter(abi::Counter counter, uint16_t worker) const {
  return link_.counters(worker).counters[size_t(counter)];
}
uint64_t DataplaneBench::drops(abi::DropReason reason, uint16_t worker) const {
  return link_.counters(worker).drops[size_t(reason)];
}
uint64_t DataplaneBench::all_drops(uint16_t worker) const {
  uint64_t total = 0;
  for (uint64_t count : link_.counters(worker).drops) total += count;
  return total;
}
const abi::RelayStats& DataplaneBench::relay_stats(const abi::RelayRef& relay) const {
  return link_.relay_stats(relay.worker)[relay.index];
}
const abi::FlowStats& DataplaneBench::stats(const abi::FlowRef& flow) const {
  return link_.flow_stats(flow.worker)[flow.index];
}

}  // namespace linegate::test
