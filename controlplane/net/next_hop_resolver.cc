#include "controlplane/net/next_hop_resolver.h"

#include <vector>

namespace linegate::net {
namespace {

/// Waits for the rest of a storm of notifications.
constexpr Duration kRefreshDelay = std::chrono::milliseconds(20);
/// Destinations looked up again per turn: about 5 us each.
constexpr size_t kRefreshBatch = 256;

}  // namespace

Result<std::unique_ptr<NextHopResolver>> NextHopResolver::Open(Runtime& runtime, Listener on_change) {
  auto netlink = RouteNetlink::Open();
  if (!netlink) return MakeUnexpected(std::move(netlink).error());
  return std::unique_ptr<NextHopResolver>(
      new NextHopResolver(runtime, std::move(*netlink), std::move(on_change)));
}

NextHopResolver::NextHopResolver(Runtime& runtime, RouteNetlink netlink, Listener on_change)
    : runtime_(runtime), netlink_(std::move(netlink)), on_change_(std::move(on_change)) {
  watch_ = runtime_.Watch(netlink_.notification_fd(), FdEvent::kReadable,
                          [this] { netlink_.ReadNotifications(*this); });
}

NextHopResolver::~NextHopResolver() {
  runtime_.Unwatch(watch_);
  if (refresh_timer_) runtime_.Cancel(*refresh_timer_);
  for (const auto& [key, neighbour] : neighbours_) {
    if (neighbour.origin == NeighbourFacts::Origin::kLearned) netlink_.DeleteNeighbour(key.first, key.second);
  }
}

Result<NextHop> NextHopResolver::Resolve(const IpAddress& address) {
  auto [found, is_new] = destinations_.try_emplace(address);
  Destination& destination = found->second;
  if (is_new) {
    destination.use = uses_.insert(uses_.end(), address);
    LookUp(address, destination);
    if (destinations_.size() > kMaxDestinations) Forget(IpAddress(uses_.front()));
  } else {
    uses_.splice(uses_.end(), uses_, destination.use);
  }
  if (!destination.route) return Fail(destination.no_route_reason);
  const LinkFacts& link = LinkOf(destination.route->ifindex);
  return NextHop{.kind = destination.route->kind,
                 .interface = link.name,
                 .interface_mac = link.mac,
                 .source = destination.route->source,
                 .neighbour = destination.route->neighbour,
                 .mac = MacOf(destination)};
}

void NextHopResolver::Forget(const IpAddress& address) {
  const auto found = destinations_.find(address);
  if (found == destinations_.end()) return;
  if (const auto key = KeyOf(found->second)) Detach(address, *key);
  uses_.erase(found->second.use);
  destinations_.erase(found);
}

std::optional<NextHopResolver::NeighbourKey> NextHopResolver::KeyOf(const Destination& destination) {
  if (!destination.route || destination.route->kind == RouteFacts::Kind::kLocal) return std::nullopt;
  return NeighbourKey{destination.route->ifindex, destination.route->neighbour};
}

std::optional<MacAddress> NextHopResolver::MacOf(const Destination& destination) const {
  const auto key = KeyOf(destination);
  if (!key) return std::nullopt;
  const auto neighbour = neighbours_.find(*key);
  return neighbour == neighbours_.end() ? std::nullopt : neighbour->second.mac;
}

void NextHopResolver::LookUp(const IpAddress& address, Destination& destination) {
  const auto before = KeyOf(destination);
  auto route = netlink_.LookUpRoute(address);
  destination.no_route_reason = route ? "" : route.error().message();
  destination.route = route ? std::optional(std::move(*route)) : std::nullopt;
  const auto after = KeyOf(destination);
  if (before == after) return;
  if (after) Attach(address, *after);
  if (before) Detach(address, *before);
}

void NextHopResolver::Attach(const IpAddress& address, const NeighbourKey& key) {
  auto [found, is_new] = neighbours_.try_emplace(key);
  Neighbour& neighbour = found->second;
  neighbour.destinations.insert(address);
  if (!is_new) return;
  const auto facts = netlink_.LookUpNeighbour(key.first, key.second);
  if (facts) neighbour.mac = facts->mac, neighbour.origin = facts->origin;
  if (neighbour.origin == NeighbourFacts::Origin::kPermanent) return;
  // Refused when the kernel's table is full: the entry may still come to be by other traffic, and then we
  // hear of it.
  [[maybe_unused]] auto managed = netlink_.ManageNeighbour(key.first, key.second);
}

void NextHopResolver::Detach(const IpAddress& address, const NeighbourKey& key) {
  const auto found = neighbours_.find(key);
  if (found == neighbours_.end()) return;
  found->second.destinations.erase(address);
  if (!found->second.destinations.empty()) return;
  if (found->second.origin == NeighbourFacts::Origin::kLearned)
    netlink_.DeleteNeighbour(key.first, key.second);
  neighbours_.erase(found);
}

void NextHopResolver::SetMac(const NeighbourKey& key, Neighbour& neighbour, std::optional<MacAddress> mac) {
  if (neighbour.mac == mac) return;
  neighbour.mac = mac;
  // A copy: the listener may resolve and forget.
  const std::vector<IpAddress> affected(neighbour.destinations.begin(), neighbour.destinations.end());
  for (const IpAddress& destination : affected) {
    const auto still = neighbours_.find(key);
    if (still == neighbours_.end()) return;
    if (still->second.destinations.contains(destination)) on_change_(destination, mac);
  }
}

void NextHopResolver::OnNeighbour(const NeighbourFacts& facts) {
  const NeighbourKey key{facts.ifindex, facts.address};
  if (neighbours_.contains(key)) TakeOver(key, facts);
}

void NextHopResolver::TakeOver(const NeighbourKey& key, const NeighbourFacts& facts) {
  Neighbour& neighbour = neighbours_.at(key);
  switch (facts.state) {
    case NeighbourFacts::State::kKnown:
      neighbour.origin = facts.origin;
      return SetMac(key, neighbour, facts.mac);
    case NeighbourFacts::State::kResolving:  // what we know serves until the kernel knows better
      return;
    case NeighbourFacts::State::kUnreachable:
      return SetMac(key, neighbour, std::nullopt);
    case NeighbourFacts::State::kGone:
      // Flushed by somebody, or the link went down: then the kernel refuses, and the link's return is a route
      // change.
      neighbour.origin = NeighbourFacts::Origin::kLearned;
      if (!netlink_.ManageNeighbour(key.first, key.second)) SetMac(key, neighbour, std::nullopt);
      return;
  }
}

void NextHopResolver::OnRoutesChanged() {
  links_.clear();
  if (refresh_timer_) return;
  refresh_timer_ = runtime_.CallAfter(kRefreshDelay, [this] {
    refresh_timer_.reset();
    to_refresh_ = uses_;
    LookUpAgain();
  });
}

void NextHopResolver::OnOverrun() { OnRoutesChanged(); }

void NextHopResolver::Refresh(const IpAddress& address) {
  const auto found = destinations_.find(address);
  if (found == destinations_.end()) return;
  const auto key_before = KeyOf(found->second);
  LookUp(address, found->second);
  const auto key = KeyOf(found->second);
  if (key != key_before) return on_change_(address, MacOf(found->second));
  if (!key) return;
  // Same neighbour: notifications may have been lost, or the link's return has emptied the kernel's table.
  NeighbourFacts gone;
  gone.state = NeighbourFacts::State::kGone;
  TakeOver(*key, netlink_.LookUpNeighbour(key->first, key->second).value_or(gone));
}

void NextHopResolver::LookUpAgain() {
  for (size_t i = 0; i < kRefreshBatch && !to_refresh_.empty(); ++i) {
    const IpAddress address = to_refresh_.front();
    to_refresh_.pop_front();
    Refresh(address);
  }
  if (to_refresh_.empty() || refresh_timer_) return;
  refresh_timer_ = runtime_.CallAfter(Duration(0), [this] {
    refresh_timer_.reset();
    LookUpAgain();
  });
}

const LinkFacts& NextHopResolver::LinkOf(int ifindex) {
  auto [found, is_new] = links_.try_emplace(ifindex);
  if (is_new) found->second = netlink_.LookUpLink(ifindex).value_or(LinkFacts());
  return found->second;
}

}  // namespace linegate::net
