#include "controlplane/net/sofia_source_filter.h"

#include <dirent.h>
#include <linux/filter.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "dataplane/base/byte_view.h"

namespace linegate::net {
namespace {

constexpr uint32_t kAccept = 0xffffffff, kDrop = 0;
// Source address in the IP header, RFC 791 section 3.1 and RFC 8200 section 3.
constexpr uint32_t kIpv4Source = 12, kIpv6Source = 8;

sock_filter Load(uint32_t offset) {
  return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, uint32_t(SKF_NET_OFF) + offset);
}
sock_filter Return(uint32_t verdict) { return BPF_STMT(BPF_RET | BPF_K, verdict); }
/// Continues if equal, else skips `skip` instructions.
sock_filter UnlessEqualSkip(uint32_t value, uint8_t skip) {
  return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip);
}

std::vector<sock_filter> Program(IpFamily family, const std::vector<IpAddress>& sources) {
  std::vector<sock_filter> program;
  for (const IpAddress& source : sources) {
    if (source.family() != family) continue;
    const ByteView bytes = source.bytes();
    const uint32_t base = family == IpFamily::kIpv4 ? kIpv4Source : kIpv6Source;
    const size_t words = bytes.size() / 4;
    for (size_t i = 0; i < words; ++i) {
      program.push_back(Load(base + uint32_t(4 * i)));
      program.push_back(UnlessEqualSkip(LoadBe32(bytes.data() + 4 * i), uint8_t(2 * (words - 1 - i) + 1)));
    }
    program.push_back(Return(kAccept));
  }
  program.push_back(Return(kDrop));
  return program;
}

bool IsBoundTo(int socket, const Endpoint& local) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (getsockname(socket, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return false;
  const void* address = nullptr;
  uint16_t port = 0;
  if (storage.ss_family == AF_INET && local.address.is_v4()) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&storage);
    address = &v4->sin_addr, port = ntohs(v4->sin_port);
  } else if (storage.ss_family == AF_INET6 && local.address.is_v6()) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&storage);
    address = &v6->sin6_addr, port = ntohs(v6->sin6_port);
  }
  return address != nullptr && port == local.port &&
         std::memcmp(address, local.address.bytes().data(), local.address.bytes().size()) == 0;
}

std::vector<int> SocketsBoundTo(const Endpoint& local) {
  std::vector<int> sockets;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir("/proc/self/fd"), closedir);
  if (!directory) return sockets;
  while (const dirent* entry = readdir(directory.get())) {
    char* end = nullptr;
    const long number = std::strtol(entry->d_name, &end, 10);
    if (end != entry->d_name && *end == '\0' && IsBoundTo(int(number), local)) sockets.push_back(int(number));
  }
  return sockets;
}

}  // namespace

Result<SourceFilter> SourceFilter::Attach(const Endpoint& local, const std::vector<IpAddress>& sources) {
  if (sources.size() > kMaxSources) return Fail("more than 64 allowed SIP sources");
  SourceFilter filter;
  filter.sockets_ = SocketsBoundTo(local);
  if (filter.sockets_.empty()) return Fail("no socket is bound to " + local.ToString());
  std::vector<sock_filter> program = Program(local.address.family(), sources);
  const sock_fprog descriptor{static_cast<unsigned short>(program.size()), program.data()};
  for (const int socket : filter.sockets_) {
    if (setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &descriptor, sizeof descriptor) != 0) {
      return Fail("source filter on " + local.ToString() + ": " + std::strerror(errno));
    }
  }
  return filter;
}

uint64_t SourceFilter::dropped_packets() const {
  uint64_t total = 0;
  for (const int socket : sockets_) {
    uint32_t information[SK_MEMINFO_VARS] = {};
    socklen_t length = sizeof information;
    if (getsockopt(socket, SOL_SOCKET, SO_MEMINFO, information, &length) == 0)
      total += information[SK_MEMINFO_DROPS];
  }
  return total;
}

}  // namespace linegate::net
