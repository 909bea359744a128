#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "controlplane/net/asio_runtime.h"
#include "dataplane/base/byte_view.h"
#include "dataplane/base/net_address.h"
#include "dataplane/base/result.h"

namespace linegate::net {

/// An ICMP error about a UDP datagram that this host sent.
struct IcmpError {
  uint8_t type = 0;  ///< 3 or 11; of ICMPv6 1, 2 or 3
  uint8_t code = 0;
  std::array<uint8_t, 4> data = {};  ///< of the second word: the next hop's MTU, where there is one
  Endpoint source;                   ///< of the datagram: ours
  Endpoint destination;
};

/// `packet` as a raw socket gives it: for IPv4 with its IP header, for IPv6 from the ICMPv6 header on. nullopt: no error of
/// the kinds that TURN passes on (RFC 8656 section 11.5), not about UDP, or cut short.
std::optional<IcmpError> ParseIcmpError(IpFamily family, ByteView packet);

/// ICMP errors from the kernel, which keeps ICMP although UDP is ours (design D2). Anybody can forge one: who acts on an
/// error looks up both ends first. Bursts are bounded: the socket's buffer is small, and what does not fit is lost.
class IcmpErrorSocket {
 public:
  /// Error: no CAP_NET_RAW.
  static Result<std::unique_ptr<IcmpErrorSocket>> Open(Runtime& runtime,
                                                       std::function<void(const IcmpError&)> on_error);
  ~IcmpErrorSocket();
  IcmpErrorSocket(const IcmpErrorSocket&) = delete;

 private:
  IcmpErrorSocket(Runtime& runtime, std::function<void(const IcmpError&)> on_error)
      : runtime_(runtime), on_error_(std::move(on_error)) {}
  Status Add(IpFamily family);
  void Drain(int fd, IpFamily family);

  struct Socket {
    int fd;
    WatchId watch;
  };
  Runtime& runtime_;
  std::function<void(const IcmpError&)> on_error_;
  std::vector<Socket> sockets_;
};

}  // namespace linegate::net
