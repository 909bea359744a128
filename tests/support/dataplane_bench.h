#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/abi/flow_command.h"
#include "dataplane/abi/flow_event.h"
#include "dataplane/abi/punt_record.h"
#include "dataplane/base/ice_ufrag.h"
#include "dataplane/worker/worker.h"
#include "drivers/crypto/null_transform.h"
#include "drivers/crypto/openssl_hmac_sha1.h"
#include "drivers/net/memory_port.h"
#include "drivers/net/vlan_port.h"

namespace linegate::test {

/// Random bytes that count: every test run draws the same.
class CountingRng final : public Rng {
 public:
  void Fill(std::span<uint8_t> out) override {
    for (uint8_t& byte : out) byte = next_++;
  }

 private:
  uint8_t next_ = 1;
};

inline Endpoint At(std::string_view text) { return *Endpoint::Parse(text); }

struct BenchEvent {
  abi::EventType type;
  std::vector<uint8_t> bytes;
  template <typename T>
  T As() const {
    T value;
    LG_FATAL(bytes.size() == sizeof value);
    std::memcpy(static_cast<void*>(&value), bytes.data(), sizeof value);
    return value;
  }
};

template <typename Record>
struct BenchPuntOf {
  Record record;
  std::vector<uint8_t> payload;
};
using BenchPunt = BenchPuntOf<abi::PuntRecord>;
using BenchTurnPunt = BenchPuntOf<abi::TurnPuntRecord>;
using BenchRelayPunt = BenchPuntOf<abi::RelayPuntRecord>;

/// A UDP datagram as it left one of our ports, after its frame and checksums were verified.
struct SentDatagram {
  Endpoint source;
  Endpoint destination;
  MacAddress destination_mac;
  uint8_t traffic_class = 0;
  uint8_t hop_limit = 0;
  bool dont_fragment = false;
  std::vector<uint8_t> payload;
};

/// A whole dataplane on memory ports and a virtual clock: `workers` workers, a public realm (port
/// 0: 10.90.1.1, fd90:1::1, WebRTC on 20000 + worker, STUN on 3478, TURN on 443, relays on 49152-49215), a private one
/// (port 1: 10.90.2.1, fd90:2::1, RTP 40000-40199), and a pair of realms for RFC 5780 (port 0: 10.90.1.5 and 10.90.1.6,
/// fd90:1::5 and fd90:1::6, ports 3478 and 3479). The bench plays the control plane (Program, Install ...) and the wire
/// (Receive, Sent). When it goes away it checks that no buffer was lost.
class DataplaneBench {
 public:
  static constexpr uint32_t kFlows = 64;
  static constexpr uint32_t kRelays = 16;
  static constexpr uint16_t kPublic = 0;
  static constexpr uint16_t kPrivate = 1;

  /// `public_vlan`: the public realms lie on this VLAN of their port (Receive tags what it makes); 0: no tags.
  explicit DataplaneBench(uint16_t workers = 1, srtp::SrtpTransform* transform = nullptr,
                          uint16_t public_vlan = 0);
  ~DataplaneBench();

  settings::DataplaneSettings& settings() { return settings_; }
  /// The workers die where they are and new ones take over: shared memory and rings stay.
  void Restart();

  // The wire.
  void Receive(uint16_t port, const Endpoint& from, const Endpoint& to, ByteView payload,
               uint16_t worker = 0);
  void ReceiveFrame(uint16_t port, ByteView frame, uint16_t worker = 0);
  /// Runs every worker until none has anything to do.
  void Run();
  /// One turn of one worker. True: it had something to do.
  bool Turn(uint16_t worker) { return workers_[worker]->RunOnce(now_); }
  /// Everything sent by `port` since the last call, all workers; each frame is parsed and its checksums
  /// verified.
  std::vector<SentDatagram> Sent(uint16_t port);
  drivers::MemoryPort& port(uint16_t port, uint16_t worker = 0) { return *ports_[worker][port]; }
  drivers::MemoryPool& pool() { return pool_; }

  // The clock. Advance runs the workers every 10 ms on the way.
  void Advance(Duration duration);
  TimePoint now() const { return now_; }

  // The control plane.
  abi::CommandStatus Program(const abi::FlowRef& flow, const abi::FlowConfig& config);
  abi::CommandStatus Install(const abi::FlowRef& flow, abi::KeyUse use, const srtp::MasterKey& key);
  abi::CommandStatus Remove(const abi::FlowRef& flow);
  /// Writes a command and returns the status of its answer.
  template <typename Command>
  abi::CommandStatus Do(abi::CommandType type, Command command) {
    if (command.header.sequence == 0) command.header.sequence = ++sequence_;
    WriteCommand(command.header.flow.worker, uint32_t(type),
                 {reinterpret_cast<const uint8_t*>(&command), sizeof command});
    Run();
    return TakeAnswer(command.header.sequence);
  }
  void WriteCommand(uint16_t worker, uint32_t type, ByteView record);
  void Inject(const abi::FlowRef& flow, const Endpoint& local, const Endpoint& remote, ByteView payload);
  /// Any record followed by its payload into the inject ring.
  template <typename Record>
  void InjectRecord(uint16_t worker, abi::InjectKind kind, const Record& record, ByteView payload) {
    const auto* header = reinterpret_cast<const uint8_t*>(&record);
    std::vector<uint8_t> bytes(header, header + sizeof record);
    bytes.insert(bytes.end(), payload.begin(), payload.end());
    abi::RingProducer producer(link_.inject_ring(worker), abi::kInjectRingBytes);
    LG_FATAL(producer.TryWrite(uint32_t(kind), bytes));
  }
  /// Events since the last call, answers of commands left out.
  std::vector<BenchEvent> Events(uint16_t worker = 0);
  std::vector<BenchPunt> Punts(uint16_t worker = 0);  ///< DTLS records
  std::vector<BenchTurnPunt> TurnPunts(uint16_t worker = 0);
  std::vector<BenchRelayPunt> RelayPunts(uint16_t worker = 0);
  uint64_t counter(abi::Counter counter, uint16_t worker = 0) const;
  uint64_t drops(abi::DropReason reason, uint16_t worker = 0) const;
  uint64_t all_drops(uint16_t worker = 0) const;
  const abi::FlowStats& stats(const abi::FlowRef& flow) const;
  const abi::RelayStats& relay_stats(const abi::RelayRef& relay) const;
  abi::RelaySlot& relay_slot(const abi::RelayRef& relay) { return relays_[relay.worker][relay.index]; }
  abi::FlowSlot& slot(const abi::FlowRef& flow) { return slots_[flow.worker][flow.index]; }
  abi::LinkRegion link() const { return link_; }
  SipKey ice_key() const { return link_.header().ice_key; }
  CountingRng& rng() { return rng_; }

 private:
  void StartWorkers();
  void TakeEvents(uint16_t worker);
  void TakePunts(uint16_t worker);
  abi::CommandStatus TakeAnswer(uint64_t sequence);
  struct FreeAligned {
    void operator()(uint8_t* p) const { std::free(p); }
  };
  settings::DataplaneSettings settings_;
  CountingRng rng_;
  abi::LinkLayout layout_;
  std::unique_ptr<uint8_t, FreeAligned> memory_;
  abi::LinkRegion link_;
  std::vector<std::vector<abi::FlowSlot>> slots_;
  std::vector<std::vector<abi::RelaySlot>> relays_;
  drivers::MemoryPool pool_{512};
  std::vector<std::vector<std::unique_ptr<drivers::MemoryPort>>> ports_;
  std::vector<std::unique_ptr<drivers::VlanPort>> vlan_ports_;
  std::vector<std::vector<io::PacketPort*>> port_tables_;
  crypto::NullTransform null_transform_;
  srtp::SrtpTransform& transform_;
  crypto::OpensslHmacSha1 hmac_;
  std::unique_ptr<worker::HandoverMesh> mesh_;
  std::vector<std::unique_ptr<worker::Worker>> workers_;
  std::vector<std::vector<BenchEvent>> events_;
  struct PuntsOfWorker {
    std::vector<BenchPunt> dtls;
    std::vector<BenchTurnPunt> turn;
    std::vector<BenchRelayPunt> to_client;
  };
  std::vector<PuntsOfWorker> punts_;
  std::map<uint64_t, abi::CommandStatus> answers_;
  uint64_t sequence_ = 0;
  TimePoint now_ = FromNanoseconds(1'000'000'000'000);
};

}  // namespace linegate::test
