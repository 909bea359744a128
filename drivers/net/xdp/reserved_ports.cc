#include "drivers/net/xdp/reserved_ports.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>

#include "drivers/net/xdp/system_error.h"

namespace linegate::drivers {
namespace {

constexpr size_t kPortCount = 65536;

template <typename T>
bool ParseWhole(std::string_view text, T& value, int base = 10) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return error == std::errc{} && end == text.data() + text.size();
}

std::string_view Trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

Result<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path);
  if (!file) return FailErrno(path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

}  // namespace

Result<PortSet> PortSet::Parse(std::string_view text) {
  PortSet result;
  text = Trim(text);
  while (!text.empty()) {
    const size_t comma = text.find(',');
    const std::string_view item = Trim(text.substr(0, comma));
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    const size_t dash = item.find('-');
    uint16_t first = 0, last = 0;
    const bool first_ok = ParseWhole(item.substr(0, dash), first);
    const bool last_ok =
        dash == std::string_view::npos ? (last = first, true) : ParseWhole(item.substr(dash + 1), last);
    if (!first_ok || !last_ok || last < first)
      return Fail("'" + std::string(item) + "' is no port or range of ports");
    result.Set(first, last);
  }
  return result;
}

PortSet PortSet::OfClaims(std::span<const UdpPortClaim> claims) {
  PortSet result;
  for (const UdpPortClaim& claim : claims) result.Set(claim.first, claim.last);
  return result;
}

void PortSet::Set(uint32_t first, uint32_t last) {
  if (ports_.empty()) ports_.resize(kPortCount);
  std::fill(ports_.begin() + first, ports_.begin() + last + 1, true);
}

std::string PortSet::ToString() const {
  std::string text;
  for (size_t first = 0; first < ports_.size(); ++first) {
    if (!ports_[first]) continue;
    size_t last = first;
    while (last + 1 < ports_.size() && ports_[last + 1]) ++last;
    text += (text.empty() ? "" : ",") + std::to_string(first);
    if (last > first) text += "-" + std::to_string(last);
    first = last;
  }
  return text;
}

bool PortSet::Contains(uint16_t port) const { return !ports_.empty() && ports_[port]; }

PortSet PortSet::Union(const PortSet& other) const {
  if (ports_.empty()) return other;
  PortSet result = *this;
  for (size_t port = 0; port < other.ports_.size(); ++port) {
    if (other.ports_[port]) result.ports_[port] = true;
  }
  return result;
}

PortSet PortSet::Minus(const PortSet& other) const {
  PortSet result = *this;
  for (size_t port = 0; port < std::min(ports_.size(), other.ports_.size()); ++port) {
    if (other.ports_[port]) result.ports_[port] = false;
  }
  if (std::find(result.ports_.begin(), result.ports_.end(), true) == result.ports_.end())
    result.ports_.clear();
  return result;
}

ReservedPorts::ReservedPorts(std::string record_file, std::string sysctl_file)
    : record_file_(std::move(record_file)), sysctl_file_(std::move(sysctl_file)) {}

Result<PortSet> ReservedPorts::RecordedByUs() const {
  if (access(record_file_.c_str(), F_OK) != 0) return PortSet();
  auto text = ReadFile(record_file_);
  if (!text) return MakeUnexpected(std::move(text).error());
  auto ports = PortSet::Parse(*text);
  if (!ports) return MakeUnexpected(std::move(ports).error().WithContext(record_file_));
  return ports;
}

Status ReservedPorts::Write(const PortSet& reserved) {
  // One write(2): the kernel parses each write as a whole list. "\n" alone clears it.
  std::FILE* file = std::fopen(sysctl_file_.c_str(), "we");
  if (file == nullptr) return FailErrno(sysctl_file_);
  const std::string text = reserved.ToString() + "\n";
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  const bool closed = std::fclose(file) == 0;
  if (!written || !closed)
    return FailErrno("cannot write '" + text.substr(0, text.size() - 1) + "' to " + sysctl_file_);
  return {};
}

Status ReservedPorts::Reserve(const PortSet& ours) {
  auto text = ReadFile(sysctl_file_);
  if (!text) return MakeUnexpected(std::move(text).error());
  auto current = PortSet::Parse(*text);
  if (!current) return MakeUnexpected(std::move(current).error().WithContext(sysctl_file_));
  auto recorded = RecordedByUs();
  if (!recorded) return MakeUnexpected(std::move(recorded).error());
  const PortSet of_others = current->Minus(*recorded);
  const PortSet added = ours.Minus(of_others);

  const std::string temporary = record_file_ + ".new";
  std::ofstream record(temporary, std::ios::trunc);
  record << added.ToString() << "\n";
  record.close();
  if (!record || std::rename(temporary.c_str(), record_file_.c_str()) != 0) return FailErrno(record_file_);
  const PortSet wanted = of_others.Union(added);
  return wanted == *current ? Status() : Write(wanted);
}

Status ReservedPorts::Release() {
  auto recorded = RecordedByUs();
  if (!recorded) return MakeUnexpected(std::move(recorded).error());
  auto text = ReadFile(sysctl_file_);
  if (!text) return MakeUnexpected(std::move(text).error());
  auto current = PortSet::Parse(*text);
  if (!current) return MakeUnexpected(std::move(current).error().WithContext(sysctl_file_));
  if (!recorded->empty()) {
    if (Status written = Write(current->Minus(*recorded)); !written) return written;
  }
  unlink(record_file_.c_str());
  return {};
}

namespace {

/// "0100007F" or 32 digits: the words of the address, each printed as a host-order (little-endian) number.
std::optional<IpAddress> ParseProcAddress(std::string_view hex) {
  if (hex.size() != 8 && hex.size() != 32) return std::nullopt;
  std::array<uint8_t, 16> bytes = {};
  for (size_t word = 0; word < hex.size() / 8; ++word) {
    uint32_t value = 0;
    if (!ParseWhole(hex.substr(word * 8, 8), value, 16)) return std::nullopt;
    std::memcpy(bytes.data() + word * 4, &value, 4);
  }
  if (hex.size() == 8) return IpAddress::V4(std::span<const uint8_t, 4>(bytes.data(), 4));
  return IpAddress::V6(bytes);
}

}  // namespace

std::vector<KernelUdpSocket> ParseKernelUdpSockets(std::string_view text) {
  std::vector<KernelUdpSocket> sockets;
  while (!text.empty()) {
    const size_t newline = text.find('\n');
    const std::string_view line = text.substr(0, newline);
    text = newline == std::string_view::npos ? std::string_view() : text.substr(newline + 1);
    // "  sl  local_address rem_address ..." then " 123: 0100007F:0035 00000000:0000 07 ..."
    const size_t colon = line.find(": ");
    if (colon == std::string_view::npos) continue;
    const std::string_view rest = Trim(line.substr(colon + 1));
    const std::string_view local = rest.substr(0, rest.find(' '));
    const size_t separator = local.find(':');
    if (separator == std::string_view::npos) continue;
    auto address = ParseProcAddress(local.substr(0, separator));
    uint16_t port = 0;
    if (!address || !ParseWhole(local.substr(separator + 1), port, 16)) continue;
    sockets.push_back({*address, port});
  }
  return sockets;
}

Status CheckNoKernelSocket(std::span<const UdpPortClaim> claims, std::span<const KernelUdpSocket> sockets) {
  for (const KernelUdpSocket& socket : sockets) {
    for (const UdpPortClaim& claim : claims) {
      if (socket.port < claim.first || socket.port > claim.last) continue;
      // A wildcard socket of IPv6 usually serves IPv4 too.
      const bool wildcard = socket.address.is_unspecified() &&
                            (socket.address.is_v6() || socket.address.family() == claim.address.family());
      if (!wildcard && socket.address != claim.address) continue;
      const std::string port = std::to_string(socket.port);
      return Fail("UDP port " + port + " of " + claim.address.ToString() +
                  " is in use: a socket of another program is bound to " +
                  Endpoint{socket.address, socket.port}.ToString() + " (ss -ulpn 'sport = :" + port +
                  "' names it); stop that program or configure other ports");
    }
  }
  return {};
}

std::vector<KernelUdpSocket> ListKernelUdpSockets() {
  std::vector<KernelUdpSocket> all;
  for (const char* path : {"/proc/net/udp", "/proc/net/udp6"}) {
    if (auto text = ReadFile(path)) {
      for (const KernelUdpSocket& socket : ParseKernelUdpSockets(*text)) all.push_back(socket);
    }
  }
  return all;
}

}  // namespace linegate::drivers
