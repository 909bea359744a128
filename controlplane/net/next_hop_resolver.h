#pragma once
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "controlplane/net/asio_runtime.h"
#include "controlplane/net/next_hop_netlink.h"
#include "dataplane/base/net_address.h"
#include "dataplane/base/result.h"

namespace linegate::net {

/// How a frame towards a destination leaves this machine.
struct NextHop {
  RouteFacts::Kind kind = RouteFacts::Kind::kUnicast;  ///< kLocal: the destination is this machine
  std::string interface;
  MacAddress interface_mac;
  IpAddress source;
  IpAddress neighbour;            ///< the gateway, or the destination itself
  std::optional<MacAddress> mac;  ///< absent while the kernel resolves it
};

/// Theory of operation
/// The dataplane fills in Ethernet headers itself but leaves routing, ARP and neighbour discovery to the
/// kernel (design D2). Resolve asks the kernel for the route and has the neighbour on it *managed*: the
/// kernel resolves it, probes it when it grows stale and tells us by notification; nothing is sent from here.
/// Each destination once resolved is followed: when its route or its neighbour's MAC changes (or becomes
/// known), the listener hears of it.
///   destinations (least recently resolved first out, kMaxDestinations) -> neighbour (interface, address) ->
///   MAC
/// Route, address and link notifications come in storms, so they only start a timer after which every
/// destination is looked up again, some at a time. Entries the operator made permanent are used and never
/// touched. On destruction the managed entries are removed; left behind by a crash they are harmless, and the
/// successor takes them over.
class NextHopResolver final : private NetlinkListener {
 public:
  static constexpr size_t kMaxDestinations = 65536;
  /// On the Runtime's thread, never inside Resolve. `mac` absent: no longer known. May call Resolve and
  /// Forget.
  using Listener = std::function<void(const IpAddress& destination, std::optional<MacAddress> mac)>;

  /// Error: rtnetlink is not usable (no permission).
  static Result<std::unique_ptr<NextHopResolver>> Open(Runtime& runtime, Listener on_change);
  ~NextHopResolver() override;

  /// Follows `destination` from now on. Error: no route; it is followed all the same.
  Result<NextHop> Resolve(const IpAddress& destination);
  void Forget(const IpAddress& destination);
  size_t destination_count() const { return destinations_.size(); }

 private:
  using NeighbourKey = std::pair<int, IpAddress>;  ///< interface index, address
  struct Neighbour {
    std::optional<MacAddress> mac;
    NeighbourFacts::Origin origin = NeighbourFacts::Origin::kLearned;  ///< kLearned: managed for us
    std::set<IpAddress> destinations;
  };
  struct Destination {
    std::optional<RouteFacts> route;  ///< absent: none
    std::string no_route_reason;
    std::list<IpAddress>::iterator use;
  };

  NextHopResolver(Runtime& runtime, RouteNetlink netlink, Listener on_change);

  void OnNeighbour(const NeighbourFacts& facts) override;
  void OnRoutesChanged() override;
  void OnOverrun() override;

  static std::optional<NeighbourKey> KeyOf(const Destination& destination);
  std::optional<MacAddress> MacOf(const Destination& destination) const;
  void LookUp(const IpAddress& address, Destination& destination);
  void Attach(const IpAddress& address, const NeighbourKey& key);
  void Detach(const IpAddress& address, const NeighbourKey& key);
  void SetMac(const NeighbourKey& key, Neighbour& neighbour, std::optional<MacAddress> mac);
  void LookUpAgain();
  void Refresh(const IpAddress& address);
  void TakeOver(const NeighbourKey& key, const NeighbourFacts& facts);
  const LinkFacts& LinkOf(int ifindex);

  Runtime& runtime_;
  RouteNetlink netlink_;
  Listener on_change_;
  WatchId watch_;
  std::optional<TimerId> refresh_timer_;
  std::list<IpAddress> to_refresh_;
  std::list<IpAddress> uses_;  ///< least recently resolved first
  std::unordered_map<IpAddress, Destination> destinations_;
  std::map<NeighbourKey, Neighbour> neighbours_;
  std::map<int, LinkFacts> links_;
};

}  // namespace linegate::net
