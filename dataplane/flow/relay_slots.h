#pragma once
#include <cstdint>
#include <span>

#include "dataplane/abi/flow_event.h"
#include "dataplane/abi/relay_slot.h"
#include "dataplane/flow/local_ports.h"

namespace linegate::flow {

/// One worker's relay slots in the vault, and the rules by which commands may change them. As with FlowSlots the control
/// plane chooses index and generation, and nothing in a command is believed before it was checked here.
class RelaySlots {
 public:
  /// `port_count`: network ports of the worker; a next hop names one of them.
  RelaySlots(std::span<abi::RelaySlot> slots, uint16_t worker, const LocalPorts& ports, size_t port_count)
      : slots_(slots), worker_(worker), ports_(ports), port_count_(port_count) {}

  uint32_t size() const { return uint32_t(slots_.size()); }
  abi::RelaySlot& operator[](uint32_t index) const { return slots_[index]; }
  /// The slot that `ref` names if it is live here; nullptr otherwise.
  abi::RelaySlot* Live(const abi::RelayRef& ref) const;
  abi::RelayRef RefOf(uint32_t index) const {
    return {index, slots_[index].life_word().generation, worker_, 0};
  }

  /// kBadSlot or kDone.
  abi::CommandStatus CheckRef(const abi::RelayRef& ref) const;
  /// kBadConfig or kDone: every field; whether addresses are taken is not looked at here.
  abi::CommandStatus CheckConfig(const abi::RelayConfig& config) const;
  /// kBadConfig or kDone: `peer` (wire.family not 0) as an entry of an allocation of configuration `config`.
  abi::CommandStatus CheckPeer(const abi::RelayConfig& config, const abi::RelayPeer& peer) const;

 private:
  bool NextHopIsSound(const abi::NextHop& next_hop) const;
  bool IsOwnRelayPort(const abi::SocketAddress& address) const;
  bool IsListener(const abi::SocketAddress& address) const;
  std::span<abi::RelaySlot> slots_;
  uint16_t worker_;
  const LocalPorts& ports_;
  size_t port_count_;
};

}  // namespace linegate::flow
