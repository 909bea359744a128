#pragma once
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "controlplane/turn/turn_config.h"
#include "dataplane/base/rng.h"

namespace linegate::turn {

/// Which relay ports are free: of each relay realm, worker and address family. Theory of operation: one bit per
/// port. A port is taken at random among the free (RFC 6056: a guessable one invites injection). A released
/// one rests, first in first out, until the resting are half of all: late packets of the last allocation
/// should not find the next. Rest is a preference: when nothing else is free, resting ports are. A port is
/// handed out to one holder, who gives back exactly that.
class RelayPortPool {
 public:
  RelayPortPool(const std::vector<RelayRealm>& realms, Rng& rng);

  struct Place {
    size_t realm = 0;  ///< index into relay_realms
    uint16_t worker = 0;
    IpFamily family = IpFamily::kIpv4;
  };
  enum class Parity : uint8_t { kAny, kEven };
  std::optional<uint16_t> Acquire(const Place& place, Parity parity);
  /// An even port and the next one: two ports, released one by one.
  std::optional<uint16_t> AcquirePair(const Place& place);
  void Release(const Place& place, uint16_t port);
  size_t in_use() const { return in_use_; }
  size_t in_use(uint16_t worker) const { return worker < by_worker_.size() ? by_worker_[worker] : 0; }

 private:
  struct PortSet {
    uint16_t first = 0;
    uint32_t count = 0;
    std::vector<uint64_t> free;  ///< bit i of word w: port first + 64 w + i
    std::deque<uint16_t> resting;
  };
  enum class Want : uint8_t { kAny, kEven, kPair };
  PortSet* SetOf(const Place& place);
  std::optional<uint16_t> Take(const Place& place, Want want);
  std::optional<uint16_t> TakeFree(PortSet& set, Want want);
  static void SetFree(PortSet& set, uint16_t port);

  Rng& rng_;
  std::vector<std::vector<std::array<PortSet, 2>>> sets_;  ///< by realm, worker, family
  std::vector<size_t> by_worker_;
  size_t in_use_ = 0;
};

}  // namespace linegate::turn
