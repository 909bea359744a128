#pragma once
#include <array>
#include <cstdint>
#include <span>

#include "dataplane/abi/relay_slot.h"
#include "dataplane/base/prf_stream.h"
#include "dataplane/flow/hash_index.h"

namespace linegate::flow {

inline constexpr uint32_t kNoRelay = HashIndex::kNotFound;

/// Finds the TURN allocation of a packet: two private indices over the worker's relay slots, rebuilt from them after a
/// restart, as FlowTable does for flows.
///   clients  (listener, client)       -> allocations whose client speaks UDP
///   ports    relayed transport address -> its allocation
class RelayTable {
 public:
  RelayTable(std::span<abi::RelaySlot> slots, PrfStream& random);

  uint32_t FindClient(const abi::SocketAddress& local, const abi::SocketAddress& remote) const {
    return FindClient(local, remote, HashOf(local, remote));
  }
  uint32_t FindPort(const abi::SocketAddress& local) const { return FindPort(local, HashOf(local)); }

  // The same in steps, for bursts: hash and prefetch all, fetch all candidates, then look up all.
  uint32_t HashOf(const abi::SocketAddress& local) const;
  uint32_t HashOf(const abi::SocketAddress& local, const abi::SocketAddress& remote) const;
  void PrefetchClient(uint32_t hash) const { clients_.Prefetch(hash); }
  void PrefetchPort(uint32_t hash) const { ports_.Prefetch(hash); }
  /// The allocation that the look-up will probably find, or kNoRelay.
  uint32_t ClientCandidate(uint32_t hash) const { return clients_.Candidate(hash); }
  uint32_t PortCandidate(uint32_t hash) const;
  uint32_t FindClient(const abi::SocketAddress& local, const abi::SocketAddress& remote, uint32_t hash) const;
  uint32_t FindPort(const abi::SocketAddress& local, uint32_t hash) const;

  /// Pre: the configuration stands in the slot; nothing of it is in the table.
  void Add(uint32_t relay);
  /// Pre: the configuration that was added still stands in the slot.
  void Remove(uint32_t relay);

 private:
  std::span<abi::RelaySlot> slots_;
  std::array<uint64_t, 3> key_;
  HashIndex clients_;
  HashIndex ports_;
};

}  // namespace linegate::flow
