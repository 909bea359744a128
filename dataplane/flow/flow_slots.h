#pragma once
#include <cstdint>
#include <span>

#include "dataplane/abi/flow_event.h"
#include "dataplane/abi/flow_slot.h"
#include "dataplane/base/siphash.h"
#include "dataplane/flow/local_ports.h"

namespace linegate::flow {

/// One worker's slots in the vault, and the rules by which commands may change them. The control plane
/// chooses index and generation; nothing in a command is believed before it was checked here.
class FlowSlots {
 public:
  FlowSlots(std::span<abi::FlowSlot> slots, uint16_t worker, const LocalPorts& ports, SipKey ice_key)
      : slots_(slots), worker_(worker), ports_(ports), ice_key_(ice_key) {}

  uint32_t size() const { return uint32_t(slots_.size()); }
  uint16_t worker() const { return worker_; }
  abi::FlowSlot& operator[](uint32_t index) const { return slots_[index]; }
  std::span<abi::FlowSlot> all() const { return slots_; }

  /// The slot that `ref` names if it is live here; nullptr otherwise.
  abi::FlowSlot* Live(const abi::FlowRef& ref) const;
  bool IsLive(uint32_t index) const { return slots_[index].life_word().state == abi::SlotState::kLive; }
  abi::FlowRef RefOf(uint32_t index) const {
    return {index, slots_[index].life_word().generation, worker_, 0};
  }
  /// The live leg whose local ufrag, whole, is `ufrag` and which of its credential sets that is; nullptr:
  /// nobody's.
  const abi::FlowSlot* FindByUfrag(std::string_view ufrag, uint32_t* index, uint32_t* set) const;

  /// kBadSlot or kDone.
  abi::CommandStatus CheckRef(const abi::FlowRef& ref) const;
  /// Checks every field of a configuration for slot `ref`: kBadConfig, kPortTaken is not looked at here.
  abi::CommandStatus CheckConfig(const abi::FlowRef& ref, const abi::FlowConfig& config) const;

 private:
  bool IngressIsSound(const abi::FlowRef& ref, const abi::Ingress& ingress) const;
  bool EgressIsSound(const abi::Egress& egress) const;
  bool IsOurs(const abi::SocketAddress& address, LocalPortKind kind) const;
  bool IsRtpPort(const abi::SocketAddress& address) const;
  std::span<abi::FlowSlot> slots_;
  uint16_t worker_;
  const LocalPorts& ports_;
  SipKey ice_key_;
};

}  // namespace linegate::flow
