#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "dataplane/abi/flow_command.h"
#include "dataplane/base/result.h"
#include "dataplane/settings/settings.h"
#include "dataplane/srtp/transform.h"
#include "perf/load/suite.h"

namespace linegate::load {

/// Addresses, slots and configurations of all calls, by arithmetic alone.
///
/// Theory of operation. The first side speaks, the second listens. Call n has slots 2n (the first side's packets) and
/// 2n + 1 (the second's).
///   browser n   10.200.0.0 + n, port 5000, towards the first realm that has a webrtc_port
///   phone n     10.202.0.0 + n, ports 6000 and 6001, towards pair n of all realms with rtp_ports
/// Who stands on which side, the suite says. The second of two browsers in one call is 10.204.0.0 + n, of two phones
/// 10.206.0.0 + n: each block has room for kMostCalls.
class CallPlan {
 public:
  static constexpr uint16_t kBrowserPort = 5000;
  static constexpr uint16_t kPhonePort = 6000;
  enum class Side : uint8_t { kFirst, kSecond };

  /// Errors: realms, ports or slots do not suffice for that many calls.
  static Result<CallPlan> Make(const settings::DataplaneSettings& settings, const LoadOptions& options);
  /// Calls through somebody else's gateway, from the file `options.plan`: {"echo": bool, "calls": [{"first":
  /// "address:port", "second": "address:port", "key": "base64 of key and salt"}]}. The peers are those above; `first` and
  /// `second` are what Gateway returns, `key` is what the gateway encrypts with towards the second side. With `echo`
  /// everything comes back to who sent it. Errors: names the file and what is wrong.
  static Result<CallPlan> Read(const LoadOptions& options);

  uint32_t calls() const { return calls_; }
  static abi::FlowRef FlowOf(uint32_t call, Side side) {
    return {2 * call + (side == Side::kSecond ? 1 : 0), 1, 0, 0};
  }
  bool IsBrowser(Side side) const { return side == Side::kFirst ? first_is_browser_ : second_is_browser_; }
  /// The peer's own address.
  Endpoint Peer(uint32_t call, Side side) const;
  /// Where the peer sends its media.
  Endpoint Gateway(uint32_t call, Side side) const;
  Endpoint stun_listener() const { return stun_; }
  /// Legs that die without connectivity checks.
  bool needs_consent() const { return !turn_ && routes_.empty(); }
  /// What is sent to the second side is encrypted with this; nullptr: the generator's own key.
  const srtp::MasterKey* ReceiveKey(uint32_t call) const { return keys_.empty() ? nullptr : &keys_[call]; }
  MacAddress gateway_mac() const { return gateway_mac_; }
  bool is_turn() const { return turn_; }
  /// The call of a peer's address; the other way round than Peer.
  static uint32_t CallOf(const IpAddress& peer) {
    const auto bytes = peer.bytes();
    return (bytes[1] & 1u) << 16 | uint32_t{bytes[2]} << 8 | bytes[3];
  }
  uint16_t port_of(Side side) const { return IsBrowser(side) ? browser_port_id_ : phone_port_id_; }
  uint16_t browser_port() const { return browser_port_id_; }
  static uint32_t SsrcOf(uint32_t call, Side side) {
    return (side == Side::kFirst ? 0x10000000u : 0x20000000u) + call;
  }

  static abi::RelayRef RelayOf(uint32_t call) { return {call, 1, 0, 0}; }
  static constexpr uint16_t kChannel = 0x4000;
  /// TURN: the allocation of `call`, and its one peer, bound to kChannel.
  abi::RelayConfig Relay(uint32_t call) const;
  abi::RelayPeer RelayPeerOf(uint32_t call) const;
  /// The flow whose ingress is `side`. `ufrag` is that of a browser.
  abi::FlowConfig Config(uint32_t call, Side side, const std::string& ufrag) const;

 private:
  struct RtpRealm {
    IpAddress address;
    uint16_t first = 0;
    uint32_t pairs = 0;
  };
  struct Route {
    Endpoint first;
    Endpoint second;
  };
  Endpoint RtpEndpoint(uint32_t pair) const;
  void SetSides(const LoadOptions& options);
  abi::NextHop NextHopOf(Side side) const;
  uint32_t calls_ = 0;
  bool first_is_browser_ = true;
  bool second_is_browser_ = false;
  Endpoint webrtc_;
  Endpoint stun_;
  bool turn_ = false;
  Endpoint turn_listener_;
  Endpoint first_relayed_;
  uint16_t relay_realm_ = 0;
  uint16_t browser_port_id_ = 0;
  uint16_t phone_port_id_ = 0;
  std::vector<RtpRealm> rtp_realms_;
  std::vector<Route> routes_;  ///< of calls that were read
  std::vector<srtp::MasterKey> keys_;
  bool echo_ = false;
  MacAddress gateway_mac_;
};

/// Where the peers' frames come from and go to, on both ports.
inline constexpr MacAddress kPeerMac = {{2, 0, 0, 9, 0, 1}};
/// The gateway's end of a kernel link (a memif port takes whatever comes).
inline constexpr MacAddress kGatewayMac = {{2, 0, 0, 9, 0, 2}};

}  // namespace linegate::load
