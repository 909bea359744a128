#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "controlplane/session/media_sessions.h"
#include "tests/support/sdp_data.h"

/// Media sessions with a counting random source, a scripted DTLS and a virtual clock. Outputs are read as one
/// line of text each, so that a test compares the whole list.
namespace linegate::session::testing {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using namespace std::chrono_literals;  // NOLINT: tests

using test::ReadSdp;
using test::Replace;

class CountingRng final : public Rng {
 public:
  void Fill(std::span<uint8_t> out) override {
    for (uint8_t& byte : out) byte = next_++;
  }

 private:
  uint8_t next_ = 1;
};

/// "hello" is answered with "flight", "finish" connects, "wrong" fails, as client the flight is
/// "client-hello".
class ScriptedDtls final : public dtls::DtlsEndpoint {
 public:
  explicit ScriptedDtls(dtls::Role role, uint8_t key) : role_(role) {
    keys_.send.profile = keys_.receive.profile = srtp::Profile::kAeadAes128Gcm;
    const std::vector<uint8_t> send(16, key), receive(16, uint8_t(key + 1)), salt(12, 7);
    keys_.send.key.Assign(send), keys_.send.salt.Assign(salt);
    keys_.receive.key.Assign(receive), keys_.receive.salt.Assign(salt);
  }
  void Start(TimePoint now) override {
    if (role_ == dtls::Role::kClient) Send(now, "client-hello");
  }
  void HandleDatagram(TimePoint now, ByteView datagram) override {
    const std::string_view text = AsText(datagram);
    if (text == "hello") Send(now, "flight");
    if (text == "stray") Send(now, "again");
    if (text == "finish") state_ = dtls::State::kConnected, timeout_.reset();
    if (text == "wrong") state_ = dtls::State::kFailed, failure_ = "fingerprint mismatch", timeout_.reset();
  }
  void HandleTimeout(TimePoint now) override { Send(now, "retransmit"); }
  std::optional<TimePoint> NextTimeout() const override { return timeout_; }
  bool PollTransmit(std::vector<uint8_t>& datagram) override {
    if (queue_.empty()) return false;
    datagram.assign(queue_.front().begin(), queue_.front().end());
    queue_.erase(queue_.begin());
    return true;
  }
  dtls::State state() const override { return state_; }
  const std::string& failure() const override { return failure_; }
  const dtls::SrtpKeys* keys() const override { return state_ == dtls::State::kConnected ? &keys_ : nullptr; }
  void Close(TimePoint) override {}

 private:
  void Send(TimePoint now, std::string text) {
    queue_.push_back(std::move(text));
    if (state_ != dtls::State::kConnected) state_ = dtls::State::kHandshaking, timeout_ = now + 1s;
  }
  dtls::Role role_;
  dtls::State state_ = dtls::State::kIdle;
  dtls::SrtpKeys keys_;
  std::string failure_;
  std::optional<TimePoint> timeout_;
  std::vector<std::string> queue_;
};

class ScriptedDtlsFactory final : public dtls::DtlsFactory {
 public:
  ScriptedDtlsFactory() : fingerprint_{"sha-256", std::vector<uint8_t>(32, 0xab)} {}
  const dtls::Fingerprint& fingerprint() const override { return fingerprint_; }
  std::unique_ptr<dtls::DtlsEndpoint> Create(dtls::Role role, const dtls::Fingerprint& expected) override {
    made.push_back((role == dtls::Role::kClient ? "client " : "server ") + expected.ToString().substr(0, 19));
    return std::make_unique<ScriptedDtls>(role, uint8_t(0x10 * made.size()));
  }
  std::vector<std::string> made;

 private:
  dtls::Fingerprint fingerprint_;
};

class FakeNextHops final : public NextHopTable {
 public:
  std::optional<abi::NextHop> Lookup(const IpAddress& address) override {
    if (!known.contains(address.ToString())) return std::nullopt;
    abi::NextHop hop;
    hop.port_id = 1;
    hop.known = 1;
    hop.mac[5] = uint8_t(known[address.ToString()]);
    return hop;
  }
  std::map<std::string, int> known = {{"10.90.2.2", 2}, {"10.90.2.9", 9}};
};

class MediaFixture : public ::testing::Test {
 protected:
  static settings::DataplaneSettings DefaultSettings() {
    settings::DataplaneSettings settings;
    settings.flows_per_worker = 8;
    settings::Realm web, sip_realm;
    web.name = "public";
    web.addresses = {IpAddress::V4(10, 90, 1, 1), *IpAddress::Parse("fd90:1::1")};
    web.webrtc_port = 20000;
    sip_realm.name = "private";
    sip_realm.addresses = {IpAddress::V4(10, 90, 2, 1), *IpAddress::Parse("fd90:2::1")};
    sip_realm.rtp_ports = {40000, 40005};
    settings.realms = {web, sip_realm};
    return settings;
  }

  explicit MediaFixture(const settings::DataplaneSettings& settings = DefaultSettings()) {
    auto made = MediaSessions::Create(settings, {"public", "private", 1}, dtls, rng, hops, MakeUfrag);
    EXPECT_TRUE(made.has_value());
    media = std::move(*made);
    media->AdvanceTo(now);
  }

  static std::string MakeUfrag(const abi::FlowRef& flow, Rng& random) {
    char text[32];
    std::snprintf(text, sizeof text, "slot%02u%02x", flow.index % 100, flow.generation & 0xff);
    return text + random.IceChars(6);
  }

  /// Everything there is to poll, the dataplane confirming each command at once.
  std::vector<std::string> Drain() {
    std::vector<std::string> lines;
    while (auto output = media->PollOutput()) {
      lines.push_back(ToLine(*output));
      if (const auto done = Confirmation(*output); done && confirm) media->HandleCommandDone(now, *done);
    }
    return lines;
  }

  std::optional<abi::CommandDone> Confirmation(const Output& output) {
    const abi::CommandHeader* header = nullptr;
    if (const auto* program = std::get_if<abi::ProgramFlow>(&output)) {
      header = &program->header;
      configs[header->flow.index] = program->config;
    }
    if (const auto* keys = std::get_if<abi::InstallKeys>(&output)) header = &keys->header;
    if (const auto* removal = std::get_if<abi::RemoveFlow>(&output)) header = &removal->header;
    if (header == nullptr) return std::nullopt;
    return abi::CommandDone{header->sequence, header->flow, abi::CommandStatus::kDone};
  }

  static std::string Address(const abi::SocketAddress& address) {
    return address.family == 0 ? "-" : address.ToEndpoint().ToString();
  }
  static std::string Line(const abi::FlowConfig& c) {
    std::string text = c.service == abi::FlowService::kEcho   ? "echo "
                       : c.service == abi::FlowService::kTone ? "tone "
                                                              : "";
    text += c.ingress.kind == abi::SideKind::kWebRtc ? "web" : "rtp " + Address(c.ingress.local[0]);
    if (c.ingress.kind == abi::SideKind::kRtp) text += " from " + Address(c.ingress.expected[0]);
    text += " -> ";
    if (c.egress.kind == abi::SideKind::kNone) return text + "nowhere";
    text += c.egress.kind == abi::SideKind::kWebRtc
                ? "web"
                : Address(c.egress.local[0]) + " to " + Address(c.egress.remote[0]);
    if (c.egress.remote[0].family != 0 && c.egress.next_hop.known == 0) text += " unresolved";
    text += " reverse " + std::to_string(c.reverse.index) + (c.send_rtp ? " rtp" : "") +
            (c.send_rtcp ? " rtcp" : "");
    for (int i = 0; i < c.payload_count; ++i) {
      text += " " + std::to_string(c.payload[i].from) + ">" + std::to_string(c.payload[i].to);
    }
    return text;
  }
  static std::string ToLine(const Output& output) {
    if (const auto* program = std::get_if<abi::ProgramFlow>(&output)) {
      return "program " + std::to_string(program->header.flow.index) + ": " + Line(program->config);
    }
    if (const auto* keys = std::get_if<abi::InstallKeys>(&output)) {
      char text[64];
      std::snprintf(text, sizeof text, "keys %u: %s %02x profile %u", keys->header.flow.index,
                    keys->use == abi::KeyUse::kReceive ? "receive" : "send", keys->key[0], keys->profile);
      return text;
    }
    if (const auto* removal = std::get_if<abi::RemoveFlow>(&output)) {
      return "remove " + std::to_string(removal->header.flow.index);
    }
    if (const auto* inject = std::get_if<Inject>(&output)) {
      return "inject " + std::to_string(inject->record.flow.index) + " to " + Address(inject->record.remote) +
             ": " + std::string(AsText(inject->payload));
    }
    const auto& event = std::get<MediaEvent>(output);
    static const char* const kNames[] = {"media up", "dtls failed", "consent lost", "never up",
                                         "flow refused"};
    std::string text = "leg " + std::to_string(event.leg.value()) + " " + kNames[int(event.type)];
    return event.reason.empty() ? text : text + ": " + event.reason;
  }

  abi::FlowRef FlowOf(sip::LegId leg) const {
    for (const CallView& one : media->Calls(Redaction::kPlain)) {
      for (const LegView& view : one.legs) {
        if (view.id == leg) return view.flow;
      }
    }
    return {};
  }
  void Punt(sip::LegId leg, std::string_view text,
            const Endpoint& remote = {IpAddress::V4(10, 90, 1, 2), 50000}) {
    media->HandlePunt(now, FlowOf(leg), {IpAddress::V4(10, 90, 1, 1), 20000}, remote, AsBytes(text));
  }
  abi::PathEvent Path(sip::LegId leg, uint16_t port = 50000) const {
    return {FlowOf(leg), abi::SocketAddress::From({IpAddress::V4(10, 90, 1, 1), 20000}),
            abi::SocketAddress::From({IpAddress::V4(10, 90, 1, 2), port})};
  }
  sip::LegId Web() { return media->OpenLeg(call, sip::LegKind::kWebRtc); }
  sip::LegId Sip() { return media->OpenLeg(call, sip::LegKind::kSip); }
  static std::string Ok(const sip::MediaResult<std::string>& result) {
    EXPECT_TRUE(result.has_value()) << result.error().status << " " << result.error().reason;
    return result ? *result : std::string();
  }
  static int StatusOf(const sip::MediaResult<std::string>& result) {
    return result ? 200 : result.error().status;
  }

  TimePoint now = TimePoint(1000s);
  bool confirm = true;
  std::map<uint32_t, abi::FlowConfig> configs;  ///< by slot, as last programmed
  CountingRng rng;
  ScriptedDtlsFactory dtls;
  FakeNextHops hops;
  std::unique_ptr<MediaSessions> media;
  sip::CallId call;

  void SetUp() override { call = media->OpenCall(); }
};

/// A browser's SDP as answer: the browser chose `setup`.
inline std::string BrowserAnswer(const std::string& setup = "active") {
  return Replace(ReadSdp("chromium_offer_audio"), "a=setup:actpass", "a=setup:" + setup);
}

}  // namespace linegate::session::testing
