#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "dataplane/base/net_address.h"
#include "dataplane/base/result.h"

struct mnl_socket;
struct nlmsghdr;

namespace linegate::net {

/// What rtnetlink(7) says, as values. No policy here: next_hop_resolver decides.
struct RouteFacts {
  enum class Kind : uint8_t { kUnicast, kLocal } kind = Kind::kUnicast;
  int ifindex = 0;
  IpAddress source;     ///< what the kernel would send from
  IpAddress neighbour;  ///< the gateway, or the destination itself on the link
};
struct NeighbourFacts {
  int ifindex = 0;
  IpAddress address;
  enum class State : uint8_t {
    kKnown,        ///< usable, perhaps stale; `mac` is absent only on links without addresses
    kResolving,    ///< the kernel is asking
    kUnreachable,  ///< it asked in vain
    kGone,         ///< no entry any more
  } state = State::kResolving;
  std::optional<MacAddress> mac;
  enum class Origin : uint8_t {
    kLearned,
    kPermanent
  } origin = Origin::kLearned;  ///< kPermanent: the operator's own
};
struct LinkFacts {
  std::string name;
  MacAddress mac;
};

class NetlinkListener {
 public:
  virtual ~NetlinkListener() = default;
  virtual void OnNeighbour(const NeighbourFacts& facts) = 0;
  /// A route, an address or a link came, went or changed.
  virtual void OnRoutesChanged() = 0;
  /// The kernel dropped notifications (its buffer was full): look at everything again.
  virtual void OnOverrun() = 0;
};

/// Two rtnetlink sockets: one for questions, which the kernel answers before the call returns, one for
/// notifications.
class RouteNetlink {
 public:
  static Result<RouteNetlink> Open();

  /// Error: no route (the kernel's words).
  Result<RouteFacts> LookUpRoute(const IpAddress& destination);
  std::optional<NeighbourFacts> LookUpNeighbour(int ifindex, const IpAddress& address);
  std::optional<LinkFacts> LookUpLink(int ifindex);
  /// Makes the kernel resolve the neighbour and keep it fresh (NTF_EXT_MANAGED, Linux 5.16): traffic that
  /// bypasses the kernel never confirms an entry by itself.
  Status ManageNeighbour(int ifindex, const IpAddress& address);
  void DeleteNeighbour(int ifindex, const IpAddress& address);

  int notification_fd() const;
  /// Reads until nothing is left.
  void ReadNotifications(NetlinkListener& listener);

 private:
  struct SocketClose {
    void operator()(mnl_socket* socket) const;
  };
  using Socket = std::unique_ptr<mnl_socket, SocketClose>;
  using MessageCallback = std::function<void(const nlmsghdr&)>;

  RouteNetlink(Socket questions, Socket notifications)
      : questions_(std::move(questions)), notifications_(std::move(notifications)) {}
  static Result<Socket> OpenSocket();
  /// Sends `request`, calls `on_answer` for the reply; the kernel's error otherwise.
  Status Ask(nlmsghdr& request, const MessageCallback& on_answer);

  Socket questions_;
  Socket notifications_;
  uint32_t last_sequence_ = 0;
};

}  // namespace linegate::net
