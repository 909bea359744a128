#pragma once
#include "dataplane/abi/flow_command.h"
#include "dataplane/nodes/node_context.h"

namespace linegate::worker {

/// Carries out the commands of TURN allocations on this worker's relay slots, by the rules of CommandDrain: validated in
/// full, then applied; the newest sequence of a slot is remembered in the slot with its answer.
class RelayCommands {
 public:
  explicit RelayCommands(nodes::NodeContext& context) : context_(context) {}

  abi::CommandStatus Program(const abi::ProgramRelay& command);
  abi::CommandStatus SetPeer(const abi::SetRelayPeer& command);
  abi::CommandStatus Remove(const abi::RelayRef& ref);
  void RemoveAll();
  /// Rebuilds everything private to the worker from a slot that survived it. False: the slot is unusable and was freed.
  bool AdoptSlot(uint32_t index);
  uint32_t active_relays() const { return active_; }

 private:
  bool AddressesAreFree(uint32_t index, const abi::RelayConfig& config) const;
  void Enter(uint32_t index);
  void Leave(uint32_t index);
  void Free(uint32_t index);
  bool SlotIsSound(uint32_t index) const;

  nodes::NodeContext& context_;
  uint32_t active_ = 0;
};

}  // namespace linegate::worker
