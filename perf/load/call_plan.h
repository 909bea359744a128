#pragma once
#include <cstdint>
#include <string>

#include "dataplane/abi/flow_command.h"
#include "dataplane/base/result.h"
#include "dataplane/settings/settings.h"
#include "perf/load/suite.h"

namespace linegate::load {

/// Addresses, slots and configurations of all calls, by arithmetic alone.
///
/// Theory of operation. The first side speaks, the second listens. Call n has slots 2n (the first side's packets) and
/// 2n + 1 (the second's).
///   browser n   10.200.n/256.n%256:5000, towards the first realm that has a webrtc_port
///   phone n     10.201.n/256.n%256:6000 and 6001, towards pair n of all realms with rtp_ports
/// Who stands on which side, the suite says. The second of two browsers in one call is 10.202, of two phones 10.203.
class CallPlan {
 public:
  static constexpr uint16_t kBrowserPort = 5000;
  static constexpr uint16_t kPhonePort = 6000;
  enum class Side : uint8_t { kFirst, kSecond };

  /// Errors: realms, ports or slots do not suffice for that many calls.
  static Result<CallPlan> Make(const settings::DataplaneSettings& settings, const LoadOptions& options);

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
  bool is_turn() const { return turn_; }
  /// The call of a peer's address; the other way round than Peer.
  static uint32_t CallOf(const IpAddress& peer) { return uint32_t{peer.bytes()[2]} << 8 | peer.bytes()[3]; }
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
  Endpoint RtpEndpoint(uint32_t pair) const;
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
};

/// Where the peers' frames come from and go to, on both ports.
inline constexpr MacAddress kPeerMac = {{2, 0, 0, 9, 0, 1}};

}  // namespace linegate::load
