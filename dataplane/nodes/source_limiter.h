#pragma once
#include <array>
#include <cstdint>
#include <memory>

#include "dataplane/base/net_address.h"
#include "dataplane/base/prf_stream.h"
#include "dataplane/base/siphash.h"
#include "dataplane/nodes/rate_gate.h"

namespace linegate::nodes {

/// How often strangers are answered, per source: an IPv4 address, or an IPv6 /64 (whoever holds one address of it holds
/// all). A table of fixed size, reached by a keyed hash: it cannot be filled, and nobody can aim at the bucket of another
/// source; two that meet in one bucket by chance share it.
class SourceLimiter {
 public:
  static constexpr uint32_t kBuckets = 65536;
  static constexpr uint32_t kUsedAddressBytes = 8;

  /// `per_second` 0: no limit. At most twice that many at once.
  SourceLimiter(uint32_t per_second, PrfStream& random)
      : limit_(RateLimit::PerSecond(per_second, 2 * per_second)),
        paid_until_ns_(std::make_unique<uint64_t[]>(kBuckets)) {
    random.Fill(key_);
  }
  bool Take(const IpAddress& source, uint64_t now_ns) {
    if (limit_.interval_ns == 0) return true;
    const uint64_t hash = SipHash24(key_, source.padded().first<kUsedAddressBytes>());
    return limit_.Take(paid_until_ns_[hash % kBuckets], now_ns);
  }

 private:
  std::array<uint8_t, 16> key_ = {};
  RateLimit limit_;
  std::unique_ptr<uint64_t[]> paid_until_ns_;
};

}  // namespace linegate::nodes
