#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

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

/// RFC 7118 section 4.1: the value `sip` must be among the offered subprotocols (a list per RFC 6455
/// section 4.1).
bool OffersSipSubprotocol(std::string_view sec_websocket_protocol);

/// RFC 6455 section 10.2: with an empty list every page may connect; else the Origin field must name one of
/// the list (scheme, host and port as browsers serialise them, compared without regard to case). No Origin
/// field: refused, too.
bool OriginAllowed(const std::vector<std::string>& allowed, std::string_view origin);

}  // namespace linegate::net
