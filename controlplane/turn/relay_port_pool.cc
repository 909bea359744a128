#include "controlplane/turn/relay_port_pool.h"

#include <algorithm>
#include <bit>

#include "dataplane/base/check.h"

namespace linegate::turn {
namespace {

constexpr uint64_t kEvenBits = 0x5555555555555555;

}  // namespace

RelayPortPool::RelayPortPool(const std::vector<RelayRealm>& realms, Rng& rng) : rng_(rng) {
  for (const RelayRealm& realm : realms) {
    auto& workers = sets_.emplace_back(realm.shares.size());
    by_worker_.resize(std::max(by_worker_.size(), workers.size()));
    for (size_t worker = 0; worker < workers.size(); ++worker) {
      const auto& share = realm.shares[worker];
      for (size_t family = 0; family < 2; ++family) {
        if (realm.bound[family].family() == IpFamily::kNone || share.last < share.first) continue;
        PortSet& set = workers[worker][family];
        LG_ASSERT(share.first % 2 == 0);
        set.first = share.first;
        set.count = uint32_t(share.last - share.first) + 1;
        set.free.resize((set.count + 63) / 64);
        for (uint32_t port = share.first; port <= share.last; ++port) SetFree(set, uint16_t(port));
      }
    }
  }
}

void RelayPortPool::SetFree(PortSet& set, uint16_t port) {
  const uint32_t bit = uint32_t(port - set.first);
  set.free[bit / 64] |= uint64_t{1} << (bit % 64);
}

RelayPortPool::PortSet* RelayPortPool::SetOf(const Place& place) {
  if (place.realm >= sets_.size() || place.worker >= sets_[place.realm].size()) return nullptr;
  return &sets_[place.realm][place.worker][place.family == IpFamily::kIpv6 ? 1 : 0];
}

std::optional<uint16_t> RelayPortPool::TakeFree(PortSet& set, Want want) {
  const size_t words = set.free.size();
  const uint32_t random = rng_.U32();
  for (size_t i = 0; i < words; ++i) {
    uint64_t& word = set.free[(random / 64 + i) % words];
    uint64_t candidates = word;
    if (want != Want::kAny) candidates &= kEvenBits;
    if (want == Want::kPair) candidates &= word >> 1;
    if (candidates == 0) continue;
    const int turn = int(random % 64);
    const int bit = (std::countr_zero(std::rotr(candidates, turn)) + turn) % 64;
    word &= ~((want == Want::kPair ? uint64_t{3} : uint64_t{1}) << bit);
    return uint16_t(set.first + ((random / 64 + i) % words) * 64 + size_t(bit));
  }
  return std::nullopt;
}

std::optional<uint16_t> RelayPortPool::Take(const Place& place, Want want) {
  PortSet* set = SetOf(place);
  if (set == nullptr || set->count == 0) return std::nullopt;
  auto port = TakeFree(*set, want);
  if (!port && !set->resting.empty()) {
    for (uint16_t resting : set->resting) SetFree(*set, resting);
    set->resting.clear();
    port = TakeFree(*set, want);
  }
  if (!port) return std::nullopt;
  const size_t taken = want == Want::kPair ? 2 : 1;
  in_use_ += taken;
  by_worker_[place.worker] += taken;
  return port;
}

std::optional<uint16_t> RelayPortPool::Acquire(const Place& place, Parity parity) {
  return Take(place, parity == Parity::kEven ? Want::kEven : Want::kAny);
}

std::optional<uint16_t> RelayPortPool::AcquirePair(const Place& place) { return Take(place, Want::kPair); }

void RelayPortPool::Release(const Place& place, uint16_t port) {
  PortSet* set = SetOf(place);
  LG_ASSERT(set != nullptr && in_use_ > 0 && port >= set->first && port < set->first + set->count);
  set->resting.push_back(port);
  if (set->resting.size() > set->count / 2) {
    SetFree(*set, set->resting.front());
    set->resting.pop_front();
  }
  --in_use_;
  --by_worker_[place.worker];
}

}  // namespace linegate::turn
