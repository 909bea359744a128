#pragma once
#include <cstdint>
#include <vector>

#include "dataplane/base/net_address.h"
#include "dataplane/base/result.h"

namespace linegate::net {

/// Lets only some source addresses through to sockets that a library opened for us.
///
/// Why in the kernel: nta answers before we are asked (400 to a malformed request, 600 to STUN), so a
/// stranger must not reach it at all. A classic BPF program on each socket bound to `local` drops the rest
/// without a reply: no ICMP, no SYN-ACK. The sockets are found by their bound address, because nta does not
/// give them out; a TCP listener hands its filter down to the connections it accepts.
class SourceFilter {
 public:
  static constexpr size_t kMaxSources = 64;

  /// Errors: no socket bound to `local`; too many sources; the kernel refused the program.
  static Result<SourceFilter> Attach(const Endpoint& local, const std::vector<IpAddress>& sources);

  /// Packets dropped at these sockets since they were opened: strangers', and those a full receive buffer
  /// cost.
  uint64_t dropped_packets() const;

 private:
  std::vector<int> sockets_;  ///< not owned
};

}  // namespace linegate::net
