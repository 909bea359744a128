#pragma once
#include <vector>

#include "dataplane/abi/flow_command.h"
#include "dataplane/abi/link_region.h"
#include "dataplane/abi/spsc_ring.h"
#include "dataplane/nodes/node_context.h"
#include "dataplane/worker/relay_commands.h"

namespace linegate::worker {

/// Carries out what the control plane commands (flow_command.h). Theory of operation: a command is copied out
/// of the ring, validated in full, then applied; keys are wiped from the ring whatever becomes of them.
/// At-least-once: the newest sequence of a slot is remembered in the slot with its answer, so that a repeat
/// changes nothing and is answered alike. Commands are read only while the event ring has room for their
/// answers. A receive key that gives way to another stays good for a while (nodes::ReceiveKeyExtras) and is wiped here.
class CommandDrain {
 public:
  static constexpr uint32_t kLimitPerTurn = 16;

  CommandDrain(nodes::NodeContext& context, abi::RingConsumer& commands, abi::LinkHeader& link)
      : context_(context), commands_(commands), link_(link), relays_(context) {}

  /// True: something was done.
  bool Run();
  /// Rebuilds everything private to the worker from a slot that survived it. False: the slot is unusable and
  /// was freed.
  bool AdoptSlot(uint32_t index);
  uint32_t active_flows() const { return active_flows_; }
  RelayCommands& relays() { return relays_; }

 private:
  void Handle(uint32_t type, MutableByteView record);
  abi::CommandStatus Program(const abi::ProgramFlow& command);
  abi::CommandStatus Install(const abi::InstallKeys& command);
  abi::CommandStatus Remove(const abi::FlowRef& ref);
  abi::CommandStatus RemoveAll();
  bool PortsAreFree(uint32_t index, const abi::FlowConfig& config) const;
  bool MakeContexts(uint32_t index);
  void KeepOldKey(uint32_t index);
  void ForgetOldKeys();
  void ApplyMki(uint32_t index, abi::KeyUse use);
  void ApplyConfig(uint32_t index);
  bool SlotIsSound(uint32_t index) const;
  static void AdoptNumbering(abi::FlowSlot& slot);
  void AdoptPaths(uint32_t index);
  void Free(uint32_t index);
  void Answer(const abi::CommandHeader& header, abi::CommandStatus status);

  nodes::NodeContext& context_;
  abi::RingConsumer& commands_;
  abi::LinkHeader& link_;
  RelayCommands relays_;
  std::vector<uint32_t> with_old_key_;  ///< flows whose old receive key has to be wiped
  uint32_t active_flows_ = 0;
};

}  // namespace linegate::worker
