#include "perf/load/call_plan.h"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "dataplane/base/base64.h"

namespace linegate::load {
namespace {

uint16_t PortIdOf(const settings::DataplaneSettings& settings, const settings::Realm& realm) {
  const auto interfaces = settings::InterfacesOf(settings);
  return uint16_t(std::ranges::find(interfaces, realm.interface) - interfaces.begin());
}

CallPlan::Side Other(CallPlan::Side side) {
  return side == CallPlan::Side::kFirst ? CallPlan::Side::kSecond : CallPlan::Side::kFirst;
}

}  // namespace

void CallPlan::SetSides(const LoadOptions& options) {
  calls_ = options.calls;
  turn_ = IsTurn(options.suite);
  first_is_browser_ = SendsSrtp(options.suite) || options.suite == Suite::kStunBinding ||
                      options.suite == Suite::kTurnChannel;
  second_is_browser_ = ReceivesSrtp(options.suite) || options.suite == Suite::kTurnPeer;
  if (!options.interface.empty()) gateway_mac_ = kGatewayMac;
}

Result<CallPlan> CallPlan::Read(const LoadOptions& options) {
  CallPlan plan;
  plan.SetSides(options);
  const auto wrong = [&](const std::string& what) { return Fail(options.plan + ": " + what); };
  const auto json = nlohmann::json::parse(std::ifstream(options.plan), nullptr, false);
  if (!json.is_object() || !json.contains("calls")) return wrong("no calls");
  plan.echo_ = json.value("echo", false);
  for (const nlohmann::json& call : json["calls"]) {
    const auto first = Endpoint::Parse(call.value("first", "")),
               second = Endpoint::Parse(call.value("second", ""));
    if (!first || !second) return wrong("a call without addresses");
    plan.routes_.push_back({*first, *second});
    const std::string text = call.value("key", "");
    if (text.empty()) continue;
    const auto bytes = DecodeBase64(text);
    const auto traits = *srtp::TraitsOf(options.profile);
    if (!bytes || bytes->size() != size_t{traits.key_bytes} + traits.salt_bytes)
      return wrong("a key of the wrong size");
    srtp::MasterKey key;
    key.profile = options.profile;
    key.key.Assign(ByteView(*bytes).first(traits.key_bytes));
    key.salt.Assign(ByteView(*bytes).subspan(traits.key_bytes));
    plan.keys_.push_back(key);
  }
  plan.calls_ = uint32_t(plan.routes_.size());
  if (plan.calls_ == 0 || plan.calls_ > kMostCalls) return wrong("no calls, or too many");
  if (!plan.keys_.empty() && plan.keys_.size() != plan.calls_) return wrong("some calls have no key");
  return plan;
}

Result<CallPlan> CallPlan::Make(const settings::DataplaneSettings& settings, const LoadOptions& options) {
  CallPlan plan;
  plan.SetSides(options);
  uint32_t pairs = 0, relays = 0;
  for (const settings::Realm& realm : settings.realms) {
    if (realm.webrtc_port != 0) {
      plan.webrtc_ = {realm.addresses[0], realm.webrtc_port};
      plan.browser_port_id_ = PortIdOf(settings, realm);
      if (!realm.stun_ports.empty()) plan.stun_ = {realm.addresses[0], realm.stun_ports[0]};
    }
    if (!realm.relay_ports.empty() && !realm.turn_ports.empty()) {
      plan.turn_listener_ = {realm.addresses[0], realm.turn_ports[0]};
      plan.first_relayed_ = {realm.addresses[0], realm.relay_ports.first};
      plan.relay_realm_ = uint16_t(&realm - settings.realms.data());
      relays = uint32_t(realm.relay_ports.last - realm.relay_ports.first + 1);
    }
    if (realm.rtp_ports.empty()) continue;
    const auto count = uint32_t(realm.rtp_ports.last - realm.rtp_ports.first + 1) / 2;
    plan.rtp_realms_.push_back({realm.addresses[0], realm.rtp_ports.first, count});
    plan.phone_port_id_ = PortIdOf(settings, realm);
    pairs += count;
  }
  if (plan.webrtc_.port == 0 || plan.stun_.port == 0 || pairs == 0)
    return Fail("the configuration needs webrtc_port, stun_ports and rtp_ports");
  if (plan.turn_) {
    if (std::min(relays, settings.relays_per_worker) >= plan.calls_) return plan;
    return Fail("too few relay_ports or relays_per_worker for " + std::to_string(plan.calls_) +
                " allocations");
  }
  const uint32_t pairs_wanted = plan.calls_ * (options.suite == Suite::kRtpToRtp ? 2 : 1);
  if (pairs < pairs_wanted || settings.flows_per_worker < 2 * plan.calls_ || plan.calls_ > kMostCalls)
    return Fail("too few rtp_ports or flows_per_worker for " + std::to_string(plan.calls_) + " calls");
  return plan;
}

Endpoint CallPlan::Peer(uint32_t call, Side side) const {
  if (echo_) side = Side::kFirst;
  const bool browser = IsBrowser(side);
  const bool alike = side == Side::kSecond && IsBrowser(Other(side)) == browser;
  const auto net = uint8_t((browser ? 200 : 202) + (alike ? 4 : 0) + (call >> 16));
  return {IpAddress::V4(10, net, uint8_t(call >> 8), uint8_t(call)), browser ? kBrowserPort : kPhonePort};
}

Endpoint CallPlan::RtpEndpoint(uint32_t pair) const {
  for (const RtpRealm& realm : rtp_realms_) {
    if (pair < realm.pairs) return {realm.address, uint16_t(realm.first + 2 * pair)};
    pair -= realm.pairs;
  }
  return {};
}

Endpoint CallPlan::Gateway(uint32_t call, Side side) const {
  if (!routes_.empty()) return side == Side::kFirst ? routes_[call].first : routes_[call].second;
  if (turn_) {
    if (IsBrowser(side)) return turn_listener_;
    return {first_relayed_.address, uint16_t(first_relayed_.port + call)};
  }
  if (IsBrowser(side)) return webrtc_;
  const bool two_phones = !first_is_browser_ && !second_is_browser_;
  return RtpEndpoint(two_phones ? 2 * call + (side == Side::kSecond ? 1 : 0) : call);
}

abi::NextHop CallPlan::NextHopOf(Side side) const {
  abi::NextHop hop;
  hop.port_id = port_of(side);
  std::ranges::copy(kPeerMac.bytes, hop.mac);
  hop.known = 1;
  return hop;
}

abi::RelayConfig CallPlan::Relay(uint32_t call) const {
  const Side client = first_is_browser_ ? Side::kFirst : Side::kSecond;
  abi::RelayConfig relay;
  relay.transport = abi::ClientTransport::kDatagram;
  relay.realm = relay_realm_;
  relay.client_local = abi::SocketAddress::From(turn_listener_);
  relay.client_remote = abi::SocketAddress::From(Peer(call, client));
  relay.client_next_hop = NextHopOf(client);
  relay.relayed[0] = abi::SocketAddress::From(Gateway(call, Other(client)));
  return relay;
}

abi::RelayPeer CallPlan::RelayPeerOf(uint32_t call) const {
  const Side side = first_is_browser_ ? Side::kSecond : Side::kFirst;
  abi::RelayPeer peer;
  peer.wire = peer.shown = abi::SocketAddress::From(Peer(call, side));
  peer.channel = kChannel;
  peer.permitted = 1;
  peer.next_hop = NextHopOf(side);
  return peer;
}

abi::FlowConfig CallPlan::Config(uint32_t call, Side side, const std::string& ufrag) const {
  const Side other = Other(side);
  abi::FlowConfig config;
  config.send_rtp = config.send_rtcp = 1;
  config.payload_count = 1;  // PCMU stays PCMU
  config.reverse = FlowOf(call, other);
  if (IsBrowser(side)) {
    config.ingress.kind = abi::SideKind::kWebRtc;
    config.ingress.rtcp_mux = 1;
    config.ingress.local[0] = abi::SocketAddress::From(webrtc_);
    std::ranges::copy(ufrag, config.ingress.ice[0].local_ufrag);
  } else {
    config.ingress.kind = abi::SideKind::kRtp;
  }
  config.egress.kind = IsBrowser(other) ? abi::SideKind::kWebRtc : abi::SideKind::kRtp;
  for (uint16_t component = 0; component < 2; ++component) {
    const auto shifted = [&](Endpoint endpoint) {
      endpoint.port = uint16_t(endpoint.port + component);
      return abi::SocketAddress::From(endpoint);
    };
    if (!IsBrowser(side)) {
      config.ingress.local[component] = shifted(Gateway(call, side));
      config.ingress.expected[component] = shifted(Peer(call, side));
    }
    if (!IsBrowser(other)) {
      config.egress.local[component] = shifted(Gateway(call, other));
      config.egress.remote[component] = shifted(Peer(call, other));
      config.egress.next_hop = NextHopOf(other);
    }
  }
  return config;
}

}  // namespace linegate::load
