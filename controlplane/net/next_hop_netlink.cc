#include "controlplane/net/next_hop_netlink.h"

#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace linegate::net {
namespace {

constexpr size_t kBufferBytes = 32 * 1024;
constexpr int kNotificationBufferBytes = 4 * 1024 * 1024;
constexpr int kAnswerTimeout_s = 1;

uint8_t FamilyOf(const IpAddress& address) { return address.is_v4() ? AF_INET : AF_INET6; }

void PutAddress(nlmsghdr& message, uint16_t type, const IpAddress& address) {
  mnl_attr_put(&message, type, address.bytes().size(), address.bytes().data());
}

std::optional<IpAddress> AddressFrom(const void* data, size_t bytes) {
  const auto* octets = static_cast<const uint8_t*>(data);
  if (bytes == 4) return IpAddress::V4(std::span<const uint8_t, 4>(octets, 4));
  if (bytes == 16) return IpAddress::V6(std::span<const uint8_t, 16>(octets, 16));
  return std::nullopt;
}
std::optional<IpAddress> AddressFrom(const nlattr* attribute) {
  return AddressFrom(mnl_attr_get_payload(attribute), mnl_attr_get_payload_len(attribute));
}

/// RTA_VIA: a gateway of another family than the route (RFC 5549 style, "via inet6").
std::optional<IpAddress> ViaFrom(const nlattr* attribute) {
  const size_t bytes = mnl_attr_get_payload_len(attribute);
  if (bytes <= sizeof(rtvia)) return std::nullopt;
  const auto* via = static_cast<const rtvia*>(mnl_attr_get_payload(attribute));
  return AddressFrom(via->rtvia_addr, bytes - sizeof(rtvia));
}

template <typename Visit>
void ForEachAttribute(const nlmsghdr& message, size_t header_bytes, Visit visit) {
  auto* attribute = static_cast<const nlattr*>(mnl_nlmsg_get_payload_offset(&message, header_bytes));
  const auto* end = static_cast<const char*>(mnl_nlmsg_get_payload_tail(&message));
  for (; mnl_attr_ok(attribute, int(end - reinterpret_cast<const char*>(attribute)));
       attribute = mnl_attr_next(attribute)) {
    visit(mnl_attr_get_type(attribute), attribute);
  }
}

std::optional<MacAddress> MacFrom(const nlattr* attribute) {
  MacAddress mac;
  if (mnl_attr_get_payload_len(attribute) != mac.bytes.size()) return std::nullopt;
  std::memcpy(mac.bytes.data(), mnl_attr_get_payload(attribute), mac.bytes.size());
  return mac;
}

RouteFacts ParseRoute(const nlmsghdr& message, const IpAddress& destination) {
  const auto* route = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(&message));
  RouteFacts facts;
  facts.kind = route->rtm_type == RTN_LOCAL ? RouteFacts::Kind::kLocal : RouteFacts::Kind::kUnicast;
  facts.neighbour = destination;
  ForEachAttribute(message, sizeof *route, [&](uint16_t type, const nlattr* attribute) {
    if (type == RTA_OIF) facts.ifindex = int(mnl_attr_get_u32(attribute));
    if (type == RTA_GATEWAY) facts.neighbour = AddressFrom(attribute).value_or(facts.neighbour);
    if (type == RTA_VIA) facts.neighbour = ViaFrom(attribute).value_or(facts.neighbour);
    if (type == RTA_PREFSRC) facts.source = AddressFrom(attribute).value_or(facts.source);
  });
  return facts;
}

NeighbourFacts::State StateFrom(const nlmsghdr& message, unsigned nud_state) {
  constexpr unsigned kUsable = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP;
  if (message.nlmsg_type == RTM_DELNEIGH) return NeighbourFacts::State::kGone;
  if (nud_state & kUsable) return NeighbourFacts::State::kKnown;
  return nud_state & NUD_FAILED ? NeighbourFacts::State::kUnreachable : NeighbourFacts::State::kResolving;
}

NeighbourFacts ParseNeighbour(const nlmsghdr& message) {
  const auto* neighbour = static_cast<const ndmsg*>(mnl_nlmsg_get_payload(&message));
  NeighbourFacts facts;
  facts.ifindex = neighbour->ndm_ifindex;
  facts.state = StateFrom(message, neighbour->ndm_state);
  if (neighbour->ndm_state & (NUD_PERMANENT | NUD_NOARP)) facts.origin = NeighbourFacts::Origin::kPermanent;
  ForEachAttribute(message, sizeof *neighbour, [&](uint16_t type, const nlattr* attribute) {
    if (type == NDA_DST) facts.address = AddressFrom(attribute).value_or(IpAddress());
    if (type == NDA_LLADDR && facts.state == NeighbourFacts::State::kKnown) facts.mac = MacFrom(attribute);
  });
  return facts;
}

ndmsg& PutNeighbourHeader(nlmsghdr& message, int ifindex, const IpAddress& address) {
  auto& neighbour = *static_cast<ndmsg*>(mnl_nlmsg_put_extra_header(&message, sizeof(ndmsg)));
  neighbour.ndm_family = FamilyOf(address);
  neighbour.ndm_ifindex = ifindex;
  PutAddress(message, NDA_DST, address);
  return neighbour;
}

/// One request on the stack, zeroed.
struct Request {
  explicit Request(uint16_t type, uint16_t flags) {
    message = mnl_nlmsg_put_header(storage.data());
    message->nlmsg_type = type;
    message->nlmsg_flags = uint16_t(NLM_F_REQUEST | flags);
  }
  alignas(NLMSG_ALIGNTO) std::array<char, 512> storage = {};
  nlmsghdr* message;
};

Unexpected<Error> SystemError(const std::string& what) { return Fail(what + ": " + std::strerror(errno)); }

}  // namespace

void RouteNetlink::SocketClose::operator()(mnl_socket* socket) const { mnl_socket_close(socket); }

Result<RouteNetlink::Socket> RouteNetlink::OpenSocket() {
  Socket socket(mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC));
  if (!socket || mnl_socket_bind(socket.get(), 0, MNL_SOCKET_AUTOPID) < 0) return SystemError("rtnetlink");
  return socket;
}

Result<RouteNetlink> RouteNetlink::Open() {
  auto questions = OpenSocket(), notifications = OpenSocket();
  if (!questions) return MakeUnexpected(std::move(questions).error());
  if (!notifications) return MakeUnexpected(std::move(notifications).error());
  const int question_fd = mnl_socket_get_fd(questions->get()),
            notification_fd = mnl_socket_get_fd(notifications->get());
  const timeval timeout{.tv_sec = kAnswerTimeout_s, .tv_usec = 0};
  setsockopt(question_fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  fcntl(notification_fd, F_SETFL, fcntl(notification_fd, F_GETFL) | O_NONBLOCK);
  // Beyond rmem_max, where we may; a smaller buffer only means more overruns.
  setsockopt(notification_fd, SOL_SOCKET, SO_RCVBUFFORCE, &kNotificationBufferBytes,
             sizeof kNotificationBufferBytes);
  for (int group : {RTNLGRP_NEIGH, RTNLGRP_LINK, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_IFADDR,
                    RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE}) {
    if (mnl_socket_setsockopt(notifications->get(), NETLINK_ADD_MEMBERSHIP, &group, sizeof group) < 0) {
      return SystemError("rtnetlink group");
    }
  }
  return RouteNetlink(std::move(*questions), std::move(*notifications));
}

Status RouteNetlink::Ask(nlmsghdr& request, const MessageCallback& on_answer) {
  request.nlmsg_seq = ++last_sequence_;
  if (mnl_socket_sendto(questions_.get(), &request, request.nlmsg_len) < 0) return SystemError("rtnetlink");
  alignas(NLMSG_ALIGNTO) std::array<char, kBufferBytes> buffer;
  for (;;) {
    const ssize_t received = mnl_socket_recvfrom(questions_.get(), buffer.data(), buffer.size());
    if (received < 0) return SystemError("rtnetlink");
    int remaining = int(received);
    for (auto* message = reinterpret_cast<nlmsghdr*>(buffer.data()); mnl_nlmsg_ok(message, remaining);
         message = mnl_nlmsg_next(message, &remaining)) {
      if (message->nlmsg_seq != request.nlmsg_seq) continue;  // of a question that timed out
      if (message->nlmsg_type != NLMSG_ERROR) {
        if (on_answer) on_answer(*message);
        return {};
      }
      const auto* error = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(message));
      if (error->error == 0) return {};
      return Fail(std::strerror(-error->error));
    }
  }
}

Result<RouteFacts> RouteNetlink::LookUpRoute(const IpAddress& destination) {
  Request request(RTM_GETROUTE, 0);
  auto& route = *static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(request.message, sizeof(rtmsg)));
  route.rtm_family = FamilyOf(destination);
  route.rtm_dst_len = uint8_t(destination.bytes().size() * 8);
  PutAddress(*request.message, RTA_DST, destination);
  RouteFacts facts;
  auto asked =
      Ask(*request.message, [&](const nlmsghdr& answer) { facts = ParseRoute(answer, destination); });
  if (!asked)
    return MakeUnexpected(std::move(asked).error().WithContext("route to " + destination.ToString()));
  return facts;
}

std::optional<NeighbourFacts> RouteNetlink::LookUpNeighbour(int ifindex, const IpAddress& address) {
  Request request(RTM_GETNEIGH, 0);
  PutNeighbourHeader(*request.message, ifindex, address);
  std::optional<NeighbourFacts> facts;
  const auto asked = Ask(*request.message, [&](const nlmsghdr& answer) { facts = ParseNeighbour(answer); });
  return asked ? facts : std::nullopt;
}

std::optional<LinkFacts> RouteNetlink::LookUpLink(int ifindex) {
  Request request(RTM_GETLINK, 0);
  auto& link = *static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(request.message, sizeof(ifinfomsg)));
  link.ifi_index = ifindex;
  LinkFacts facts;
  const auto asked = Ask(*request.message, [&](const nlmsghdr& answer) {
    ForEachAttribute(answer, sizeof(ifinfomsg), [&](uint16_t type, const nlattr* attribute) {
      if (type == IFLA_IFNAME) facts.name = mnl_attr_get_str(attribute);
      if (type == IFLA_ADDRESS) facts.mac = MacFrom(attribute).value_or(MacAddress());
    });
  });
  return asked ? std::optional(std::move(facts)) : std::nullopt;
}

Status RouteNetlink::ManageNeighbour(int ifindex, const IpAddress& address) {
  Request request(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK);
  PutNeighbourHeader(*request.message, ifindex, address).ndm_state = NUD_NONE;  // the state it has stays
  mnl_attr_put_u32(request.message, NDA_FLAGS_EXT, NTF_EXT_MANAGED);
  return Ask(*request.message, nullptr);
}

void RouteNetlink::DeleteNeighbour(int ifindex, const IpAddress& address) {
  Request request(RTM_DELNEIGH, NLM_F_ACK);
  PutNeighbourHeader(*request.message, ifindex, address);
  [[maybe_unused]] auto gone_already = Ask(*request.message, nullptr);
}

int RouteNetlink::notification_fd() const { return mnl_socket_get_fd(notifications_.get()); }

void RouteNetlink::ReadNotifications(NetlinkListener& listener) {
  alignas(NLMSG_ALIGNTO) std::array<char, kBufferBytes> buffer;
  for (;;) {
    const ssize_t received = mnl_socket_recvfrom(notifications_.get(), buffer.data(), buffer.size());
    if (received < 0 && errno == ENOBUFS) {
      listener.OnOverrun();
      continue;
    }
    if (received <= 0) return;
    int remaining = int(received);
    for (auto* message = reinterpret_cast<nlmsghdr*>(buffer.data()); mnl_nlmsg_ok(message, remaining);
         message = mnl_nlmsg_next(message, &remaining)) {
      if (message->nlmsg_type == RTM_NEWNEIGH || message->nlmsg_type == RTM_DELNEIGH) {
        listener.OnNeighbour(ParseNeighbour(*message));
      } else {
        listener.OnRoutesChanged();
      }
    }
  }
}

}  // namespace linegate::net
