#pragma once
#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include "dataplane/base/net_address.h"

namespace linegate::net {

/// Counts what each source holds. A source is an IPv4 address or an IPv6 /64: one subscriber is handed a
/// whole /64 (RFC 6177), so counting single IPv6 addresses would limit nobody. Bounded by the total.
class SourceLimiter {
 public:
  struct Limits {
    size_t total;
    size_t per_source;  ///< a call centre behind one NAT is one source
  };
  enum class Admission : uint8_t { kAdmitted, kTotalReached, kSourceReached };

  explicit SourceLimiter(Limits limits) : limits_(limits) {}
  /// Pair every kAdmitted with one Release.
  Admission Admit(const IpAddress& source);
  void Release(const IpAddress& source);
  size_t total() const { return total_; }

 private:
  Limits limits_;
  size_t total_ = 0;
  std::unordered_map<IpAddress, size_t> held_;
};

}  // namespace linegate::net
