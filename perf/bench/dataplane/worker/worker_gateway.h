#pragma once
#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <optional>
#include <vector>

#include "dataplane/abi/flow_command.h"
#include "dataplane/base/ice_ufrag.h"
#include "dataplane/worker/worker.h"
#include "drivers/crypto/openssl_hmac_sha1.h"
#include "tests/support/packet_builder.h"

/// A whole worker without the cipher and without port I/O, for benchmarks and for counting instructions.
namespace linegate::bench {

inline constexpr uint32_t kFlows = 8192;
inline constexpr size_t kTagBytes = 10;

/// Says yes to everything: what is left is ours.
class NoCipher final : public srtp::SrtpTransform {
 public:
  Result<std::unique_ptr<srtp::CryptoContext>> CreateContext(const srtp::MasterKey&,
                                                             srtp::Direction) override {
    return std::make_unique<srtp::CryptoContext>();
  }
  void Protect(std::span<srtp::CryptoJob> jobs) noexcept override {
    for (srtp::CryptoJob& job : jobs) job.length += kTagBytes, job.status = srtp::JobStatus::kDone;
  }
  void Unprotect(std::span<srtp::CryptoJob> jobs) noexcept override {
    for (srtp::CryptoJob& job : jobs) job.length -= kTagBytes, job.status = srtp::JobStatus::kDone;
  }
  std::string Describe() const override { return "none"; }
};

class SeedRng final : public Rng {
 public:
  void Fill(std::span<uint8_t> out) override {
    for (uint8_t& byte : out) byte = next_++;
  }

 private:
  uint8_t next_ = 1;
};

/// Gives one burst per turn out of buffers of its own; what is sent is gone.
class LoopPort final : public io::PacketPort {
 public:
  explicit LoopPort(uint16_t port_id) : port_id_(port_id) {}
  /// The burst of the next turn: frame `i` with the sequence number that belongs to its call now.
  void Load(const std::vector<std::vector<uint8_t>>& frames, size_t first, std::optional<uint16_t> sequence) {
    for (size_t i = 0; i < io::kMaxBurst; ++i) {
      const std::vector<uint8_t>& frame = frames[(first + i) % frames.size()];
      std::copy(frame.begin(), frame.end(), buffers_[i].data() + kHeadroom);
      if (sequence) StoreBe16(buffers_[i].data() + kHeadroom + 14 + 20 + 8 + 2, *sequence);
      lengths_[i] = uint16_t(frame.size());
    }
    loaded_ = true;
  }
  size_t Receive(std::span<io::Packet> out) override {
    if (!loaded_) return 0;
    loaded_ = false;
    for (size_t i = 0; i < io::kMaxBurst; ++i) {
      out[i] = {buffers_[i].data() + kHeadroom,
                lengths_[i],
                kHeadroom,
                uint16_t(buffers_[i].size() - kHeadroom - lengths_[i]),
                port_id_,
                io::RxChecksum::kGood,
                &buffers_[i]};
    }
    return io::kMaxBurst;
  }
  size_t Send(std::span<const io::Packet> packets) override {
    sent_ += packets.size();
    return packets.size();
  }
  bool Allocate(io::Packet&) override { return false; }
  void Free(std::span<const io::Packet> packets) override { freed_ += packets.size(); }
  MacAddress mac() const override { return {{2, 0, 0, 0, 0, 1}}; }
  io::PortStats stats() const override { return {}; }
  uint64_t sent() const { return sent_; }
  uint64_t freed() const { return freed_; }

 private:
  static constexpr uint16_t kHeadroom = 128;
  uint16_t port_id_;
  bool loaded_ = false;
  std::array<std::array<uint8_t, 2048>, io::kMaxBurst> buffers_;
  std::array<uint16_t, io::kMaxBurst> lengths_ = {};
  uint64_t sent_ = 0;
  uint64_t freed_ = 0;
};

inline settings::DataplaneSettings MakeSettings(uint16_t workers) {
  settings::DataplaneSettings settings;
  settings.workers = workers;
  settings.flows_per_worker = kFlows;
  settings::Realm outside;
  outside.interface = "a";
  outside.addresses = {*IpAddress::Parse("10.0.0.1")};
  outside.webrtc_port = 20000;
  outside.stun_ports = {3478};
  settings::Realm inside;
  inside.interface = "b";
  inside.addresses = {*IpAddress::Parse("10.1.0.1")};
  inside.rtp_ports = {40000, 60000};
  settings.realms = {outside, inside};
  return settings;
}

/// What the workers of one process share.
struct Site {
  explicit Site(uint16_t workers)
      : settings(MakeSettings(workers)),
        layout(workers, kFlows, 0),
        memory(static_cast<uint8_t*>(std::aligned_alloc(4096, layout.total_bytes())), &std::free),
        link(memory.get(), layout),
        mesh(workers) {
    std::memset(memory.get(), 0, layout.total_bytes());
    link.Initialise();
    worker::PrepareLink(link, rng);
  }
  SeedRng rng;
  settings::DataplaneSettings settings;
  abi::LinkLayout layout;
  std::unique_ptr<uint8_t, decltype(&std::free)> memory;
  abi::LinkRegion link;
  worker::HandoverMesh mesh;
};

/// One worker with `calls` calls, connected and keyed: flow 2n comes from browser n, flow 2n + 1 from phone n.
class Gateway {
 public:
  Gateway(Site& site, uint16_t id, size_t calls)
      : id_(id), settings_(site.settings), link_(site.link), slots_(kFlows), rng_(site.rng) {
    ports_ = {&outside, &inside};
    worker_ = std::make_unique<worker::Worker>(
        worker::WorkerParts{id, settings_, link_, slots_, ports_, transform_, hmac_, site.mesh, rng_});
    for (size_t n = 0; n < calls; ++n) MakeCall(uint32_t(n));
  }
  void Turn() { worker_->RunOnce(now_ += std::chrono::microseconds(10)); }

  LoopPort outside{0};
  LoopPort inside{1};
  std::vector<std::vector<uint8_t>> from_browsers;
  std::vector<std::vector<uint8_t>> from_phones;

 private:
  static Endpoint Browser(uint32_t n) {
    return {IpAddress::V4(10, 0, 1, uint8_t(n >> 8)), uint16_t(5000 + (n & 255))};
  }
  static Endpoint Phone(uint32_t n) {
    return {IpAddress::V4(10, 1, 1, uint8_t(n >> 8)), uint16_t(6000 + 2 * (n & 255))};
  }
  template <typename Command>
  void Write(abi::CommandType type, const abi::FlowRef& flow, Command command) {
    command.header.sequence = ++sequence_;
    command.header.flow = flow;
    abi::RingProducer producer(link_.command_ring(id_), abi::kCommandRingBytes);
    LG_FATAL(producer.TryWrite(uint32_t(type), {reinterpret_cast<const uint8_t*>(&command), sizeof command}));
    Turn();
    abi::RingConsumer(link_.event_ring(id_), abi::kEventRingBytes)
        .Drain(100, [](uint32_t event, MutableByteView record) {
          abi::CommandDone done;
          if (event != uint32_t(abi::EventType::kCommandDone)) return;
          std::memcpy(static_cast<void*>(&done), record.data(), sizeof done);
          LG_FATAL(done.status == abi::CommandStatus::kDone);
        });
  }
  static abi::InstallKeys Key(abi::KeyUse use) {
    abi::InstallKeys command;
    command.use = use;
    command.profile = uint16_t(srtp::Profile::kAes128CmHmacSha1_80);
    command.key_bytes = 16;
    command.salt_bytes = 14;
    return command;
  }
  std::vector<uint8_t> Frame(const Endpoint& from, const Endpoint& to, size_t payload_bytes,
                             uint32_t ssrc) const {
    std::vector<uint8_t> rtp(12 + payload_bytes, 0x55);
    rtp[0] = 0x80, rtp[1] = 0;
    StoreBe32(rtp.data() + 8, ssrc);
    return test::PacketBuilder().Ethernet().From(from).To(to).Payload(rtp).Build();
  }
  void MakeCall(uint32_t n) {
    const abi::FlowRef out{2 * n, 1, id_, 0}, back{2 * n + 1, 1, id_, 0};
    const IpAddress local = settings_.realms[1].addresses[0];
    const Endpoint webrtc{settings_.realms[0].addresses[0], uint16_t(20000 + id_)};
    const auto port =
        uint16_t(settings::RtpShareOf(settings_.realms[1].rtp_ports, id_, settings_.workers).first + 2 * n);
    const std::string ufrag = MakeIceUfrag(link_.header().ice_key, {id_, out.index, 1}, rng_);
    abi::ProgramFlow from_browser, from_phone;
    for (abi::FlowConfig* config : {&from_browser.config, &from_phone.config}) {
      config->send_rtp = config->send_rtcp = 1;
      config->payload_count = 1;
    }
    from_browser.config.reverse = back;
    from_browser.config.ingress.kind = abi::SideKind::kWebRtc;
    from_browser.config.ingress.local[0] = abi::SocketAddress::From(webrtc);
    std::copy(ufrag.begin(), ufrag.end(), from_browser.config.ingress.ice[0].local_ufrag);
    from_browser.config.egress.kind = abi::SideKind::kRtp;
    from_phone.config.reverse = out;
    from_phone.config.ingress.kind = abi::SideKind::kRtp;
    from_phone.config.egress.kind = abi::SideKind::kWebRtc;
    for (uint16_t c = 0; c < 2; ++c) {
      const auto ours = abi::SocketAddress::From({local, uint16_t(port + c)});
      const auto theirs = abi::SocketAddress::From({Phone(n).address, uint16_t(Phone(n).port + c)});
      from_browser.config.egress.local[c] = from_phone.config.ingress.local[c] = ours;
      from_browser.config.egress.remote[c] = from_phone.config.ingress.expected[c] = theirs;
    }
    from_browser.config.egress.next_hop.port_id = 1;
    from_browser.config.egress.next_hop.known = 1;
    Write(abi::CommandType::kProgramFlow, out, from_browser);
    Write(abi::CommandType::kProgramFlow, back, from_phone);
    Write(abi::CommandType::kInstallKeys, out, Key(abi::KeyUse::kReceive));
    Write(abi::CommandType::kInstallKeys, back, Key(abi::KeyUse::kSend));
    Check(n, ufrag, webrtc);
    from_browsers.push_back(Frame(Browser(n), webrtc, 160 + kTagBytes, 7));
    from_phones.push_back(Frame(Phone(n), {local, port}, 160, 9));
  }
  void Check(uint32_t n, const std::string& ufrag, const Endpoint& webrtc) {
    uint8_t buffer[256];
    const uint8_t transaction[12] = {};
    wire::StunMessageWriter writer(buffer, wire::StunClass::kRequest, wire::StunMethod::kBinding,
                                   transaction);
    writer.AddText(wire::StunAttribute::kUsername, ufrag + ":x");
    writer.AddFlag(wire::StunAttribute::kUseCandidate);
    writer.AddMessageIntegrity(hmac_, std::array<uint8_t, abi::kLocalPwdLength>{});
    outside.Load(
        {test::PacketBuilder().Ethernet().From(Browser(n)).To(webrtc).Payload(writer.Finish()).Build()}, 0,
        std::nullopt);
    Turn();
  }

  const uint16_t id_;
  const settings::DataplaneSettings& settings_;
  abi::LinkRegion& link_;
  std::vector<abi::FlowSlot> slots_;
  Rng& rng_;
  NoCipher transform_;
  crypto::OpensslHmacSha1 hmac_;
  std::vector<io::PacketPort*> ports_;
  std::unique_ptr<worker::Worker> worker_;
  uint64_t sequence_ = 0;
  TimePoint now_ = FromNanoseconds(1'000'000'000'000);
};

}  // namespace linegate::bench
