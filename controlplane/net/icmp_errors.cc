#include "controlplane/net/icmp_errors.h"

#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace linegate::net {
namespace {

constexpr size_t kIcmpHeaderBytes = 8;
constexpr size_t kUdpPortsBytes = 4;
constexpr size_t kIpv4HeaderBytes = 20;
constexpr size_t kIpv6HeaderBytes = 40;
constexpr uint8_t kUdp = 17;
constexpr int kReceiveBuffer_bytes = 128 * 1024;
constexpr int kDrainLimit = 32;

/// The bytes behind an IPv4 header; empty if it is none.
ByteView BehindIpv4Header(ByteView packet) {
  if (packet.size() < kIpv4HeaderBytes || packet[0] >> 4 != 4) return {};
  const size_t header_bytes = size_t{packet[0] & 0x0fu} * 4;
  if (header_bytes < kIpv4HeaderBytes || packet.size() < header_bytes) return {};
  return packet.subspan(header_bytes);
}

bool Wanted(IpFamily family, uint8_t type) {
  if (family == IpFamily::kIpv4) return type == ICMP_DEST_UNREACH || type == ICMP_TIME_EXCEEDED;
  return type == ICMP6_DST_UNREACH || type == ICMP6_PACKET_TOO_BIG || type == ICMP6_TIME_EXCEEDED;
}

/// Fills in both ends from the quoted datagram (RFC 792, RFC 4443 section 3). False: not UDP, a later fragment, too short.
bool ReadQuote(IpFamily family, ByteView quote, IcmpError& error) {
  ByteView udp;
  if (family == IpFamily::kIpv4) {
    udp = BehindIpv4Header(quote);
    if (udp.empty() || quote[9] != kUdp || (LoadBe16(quote.data() + 6) & 0x1fff) != 0) return false;
    error.source.address = IpAddress::V4(std::span<const uint8_t, 4>(quote.data() + 12, 4));
    error.destination.address = IpAddress::V4(std::span<const uint8_t, 4>(quote.data() + 16, 4));
  } else {
    // The dataplane sends UDP without extension headers: others are not about us.
    if (quote.size() < kIpv6HeaderBytes || quote[0] >> 4 != 6 || quote[6] != kUdp) return false;
    udp = quote.subspan(kIpv6HeaderBytes);
    error.source.address = IpAddress::V6(std::span<const uint8_t, 16>(quote.data() + 8, 16));
    error.destination.address = IpAddress::V6(std::span<const uint8_t, 16>(quote.data() + 24, 16));
  }
  if (udp.size() < kUdpPortsBytes) return false;
  error.source.port = LoadBe16(udp.data());
  error.destination.port = LoadBe16(udp.data() + 2);
  return true;
}

}  // namespace

std::optional<IcmpError> ParseIcmpError(IpFamily family, ByteView packet) {
  const ByteView icmp = family == IpFamily::kIpv4 ? BehindIpv4Header(packet) : packet;
  if (icmp.size() < kIcmpHeaderBytes || !Wanted(family, icmp[0])) return std::nullopt;
  IcmpError error;
  error.type = icmp[0];
  error.code = icmp[1];
  std::copy_n(icmp.begin() + 4, error.data.size(), error.data.begin());
  if (!ReadQuote(family, icmp.subspan(kIcmpHeaderBytes), error)) return std::nullopt;
  return error;
}

Result<std::unique_ptr<IcmpErrorSocket>> IcmpErrorSocket::Open(
    Runtime& runtime, std::function<void(const IcmpError&)> on_error) {
  std::unique_ptr<IcmpErrorSocket> socket(new IcmpErrorSocket(runtime, std::move(on_error)));
  for (IpFamily family : {IpFamily::kIpv4, IpFamily::kIpv6}) {
    if (auto added = socket->Add(family); !added) return MakeUnexpected(std::move(added).error());
  }
  return socket;
}

Status IcmpErrorSocket::Add(IpFamily family) {
  const bool is_v4 = family == IpFamily::kIpv4;
  const int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
                        is_v4 ? int(IPPROTO_ICMP) : int(IPPROTO_ICMPV6));
  if (fd < 0) return Fail(std::string("raw ICMP socket: ") + std::strerror(errno));
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kReceiveBuffer_bytes, sizeof kReceiveBuffer_bytes);
  if (is_v4) {
    const icmp_filter filter = {~(1u << ICMP_DEST_UNREACH | 1u << ICMP_TIME_EXCEEDED)};
    setsockopt(fd, SOL_RAW, ICMP_FILTER, &filter, sizeof filter);
  } else {
    icmp6_filter filter;
    ICMP6_FILTER_SETBLOCKALL(&filter);
    for (int type : {ICMP6_DST_UNREACH, ICMP6_PACKET_TOO_BIG, ICMP6_TIME_EXCEEDED})
      ICMP6_FILTER_SETPASS(type, &filter);
    setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter);
  }
  const WatchId watch = runtime_.Watch(fd, FdEvent::kReadable, [this, fd, family] { Drain(fd, family); });
  sockets_.push_back({fd, watch});
  return {};
}

IcmpErrorSocket::~IcmpErrorSocket() {
  for (const Socket& socket : sockets_) {
    runtime_.Unwatch(socket.watch);
    close(socket.fd);
  }
}

void IcmpErrorSocket::Drain(int fd, IpFamily family) {
  std::array<uint8_t, 2048> packet;
  for (int i = 0; i < kDrainLimit; ++i) {
    const ssize_t length = recv(fd, packet.data(), packet.size(), 0);
    if (length <= 0) return;
    if (const auto error = ParseIcmpError(family, ByteView(packet).first(size_t(length)))) on_error_(*error);
  }
}

}  // namespace linegate::net
