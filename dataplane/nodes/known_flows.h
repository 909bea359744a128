#pragma once
#include <bit>
#include <cstdint>

#include "dataplane/base/huge_pages.h"
#include "dataplane/base/prf_stream.h"
#include "dataplane/flow/address_hash.h"
#include "dataplane/flow/flow_table.h"
#include "dataplane/wire/plain_udp.h"

namespace linegate::nodes {

/// Guesses the flow of a plain IPv4 packet from its 5-tuple, before anything else is known of it.
///
/// Theory of operation. A flow remembers the 5-tuple and the port that its last media packet was accepted from
/// (FlowRuntime::known). A packet of the same tuple needs no further checks of addresses: they were made then. Whatever
/// could make them come out differently (new configuration, a path that is dropped, a source that is learned) forgets the
/// tuple. Here stands only a hint where to look; a wrong or missing one costs time, nothing else. One place for each hash:
/// the newest flow has it.
class KnownFlows {
 public:
  KnownFlows(uint32_t flows, PrfStream& random)
      : mask_(std::bit_ceil(flows < 4 ? 16u : flows * 4u) - 1), entries_(mask_ + 1u) {
    for (uint64_t& key : key_) key = random.U64() | 1;
  }

  uint64_t HashOf(const wire::UdpTuple& tuple) const {
    return flow::FoldProduct(tuple.addresses ^ key_[0], tuple.ports ^ key_[1]);
  }
  void Prefetch(uint64_t hash) const { __builtin_prefetch(&entries_[hash & mask_]); }
  /// kNoFlow: none that is known.
  uint32_t Guess(uint64_t hash) const {
    const Entry& entry = entries_[hash & mask_];
    return entry.tag == uint32_t(hash >> 32) ? entry.flow : flow::kNoFlow;
  }
  void Remember(uint64_t hash, uint32_t flow) { entries_[hash & mask_] = {uint32_t(hash >> 32), flow}; }

 private:
  struct Entry {
    uint32_t tag = 0;
    uint32_t flow = flow::kNoFlow;
  };
  uint32_t mask_;
  uint64_t key_[2];
  HugePageVector<Entry> entries_;
};

}  // namespace linegate::nodes
