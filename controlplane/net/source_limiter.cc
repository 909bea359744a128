#include "controlplane/net/source_limiter.h"

#include <algorithm>
#include <array>

#include "dataplane/base/check.h"

namespace linegate::net {
namespace {

IpAddress SourceOf(const IpAddress& address) {
  if (!address.is_v6()) return address;
  std::array<uint8_t, 16> prefix = {};
  std::copy_n(address.bytes().begin(), 8, prefix.begin());
  return IpAddress::V6(prefix);
}

}  // namespace

SourceLimiter::Admission SourceLimiter::Admit(const IpAddress& source) {
  if (total_ >= limits_.total) return Admission::kTotalReached;
  size_t& held = held_[SourceOf(source)];
  if (held >= limits_.per_source) return Admission::kSourceReached;
  ++held, ++total_;
  return Admission::kAdmitted;
}

void SourceLimiter::Release(const IpAddress& source) {
  auto found = held_.find(SourceOf(source));
  LG_ASSERT(found != held_.end() && total_ > 0);
  --total_;
  if (--found->second == 0) held_.erase(found);
}

}  // namespace linegate::net
