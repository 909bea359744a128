#pragma once
#include <cstddef>

#include "dataplane/abi/flow_slot.h"
#include "dataplane/abi/relay_config.h"

/// The vault's record of one TURN allocation. The rules are those of FlowSlot: one owner, one worker; `life` is stored
/// last on creation and first on removal, and is kUpdating while the configuration is replaced. A peer entry is written
/// with its `wire.family` cleared first and stored last. A worker that starts again rebuilds its tables from the live
/// slots; a slot found kUpdating waits for its command, which is delivered again.
namespace linegate::abi {

struct alignas(64) RelaySlot {
  uint64_t life = 0;
  uint64_t command_sequence = 0;  ///< of the newest command carried out on this slot
  uint32_t command_status = 0;    ///< what it was answered
  RelayConfig config;
  uint32_t reserved[2] = {};
  RelayPeer peers[kRelayPeers];

  LifeWord life_word() const { return LifeWord::From(life); }
  void set_life(const LifeWord& word) {
    StoreBarrier();
    life = word.word();
    StoreBarrier();
  }
};
static_assert(sizeof(RelaySlot) == 128 + 56 * kRelayPeers);
static_assert(offsetof(RelaySlot, config) == 20 && offsetof(RelaySlot, peers) == 128);
static_assert(sizeof(RelaySlot) % 64 == 0 && std::is_standard_layout_v<RelaySlot>);

}  // namespace linegate::abi
