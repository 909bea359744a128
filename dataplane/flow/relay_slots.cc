#include "dataplane/flow/relay_slots.h"

namespace linegate::flow {
namespace {

using abi::ClientTransport;
using abi::CommandStatus;

constexpr uint16_t kFirstChannel = 0x4000;  // RFC 8656 section 12
constexpr uint16_t kLastChannel = 0x7fff;   // RFC 5766 section 11
constexpr uint16_t kLastVlan = 4094;

bool IsFamily(uint8_t family) { return family == 4 || family == 6; }
bool HasPort(const abi::SocketAddress& address) { return LoadBe16(address.port) != 0; }
size_t RelayedIndex(uint8_t family) { return family == 4 ? 0 : 1; }

}  // namespace

abi::RelaySlot* RelaySlots::Live(const abi::RelayRef& ref) const {
  if (!ref || ref.worker != worker_ || ref.index >= slots_.size()) return nullptr;
  const abi::LifeWord life = slots_[ref.index].life_word();
  if (life.state != abi::SlotState::kLive || life.generation != ref.generation) return nullptr;
  return &slots_[ref.index];
}

CommandStatus RelaySlots::CheckRef(const abi::RelayRef& ref) const {
  const bool sound = ref && ref.worker == worker_ && ref.index < slots_.size();
  return sound ? CommandStatus::kDone : CommandStatus::kBadSlot;
}

bool RelaySlots::NextHopIsSound(const abi::NextHop& next_hop) const {
  return next_hop.known == 0 ||
         (next_hop.known == 1 && next_hop.port_id < port_count_ && next_hop.vlan <= kLastVlan);
}

bool RelaySlots::IsOwnRelayPort(const abi::SocketAddress& address) const {
  LocalPort port;
  return ports_.Find(address.ToEndpoint(), port) && port.kind == LocalPortKind::kRelay &&
         port.owner == worker_;
}

bool RelaySlots::IsListener(const abi::SocketAddress& address) const {
  LocalPort port;
  return ports_.Find(address.ToEndpoint(), port) && port.kind == LocalPortKind::kTurnListener;
}

CommandStatus RelaySlots::CheckConfig(const abi::RelayConfig& config) const {
  if (config.transport == ClientTransport::kDatagram) {
    if (!IsListener(config.client_local) || !HasPort(config.client_remote) ||
        config.client_remote.family != config.client_local.family || !NextHopIsSound(config.client_next_hop))
      return CommandStatus::kBadConfig;
  } else if (config.transport != ClientTransport::kStream) {
    return CommandStatus::kBadConfig;
  }
  bool any = false;
  for (size_t f = 0; f < 2; ++f) {
    const abi::SocketAddress& relayed = config.relayed[f];
    if (relayed.family == 0) continue;
    if (!IsFamily(relayed.family) || RelayedIndex(relayed.family) != f || !IsOwnRelayPort(relayed))
      return CommandStatus::kBadConfig;
    any = true;
  }
  return any ? CommandStatus::kDone : CommandStatus::kBadConfig;
}

CommandStatus RelaySlots::CheckPeer(const abi::RelayConfig& config, const abi::RelayPeer& peer) const {
  const bool sound = IsFamily(peer.wire.family) && peer.shown.family == peer.wire.family &&
                     config.relayed[RelayedIndex(peer.wire.family)].family == peer.wire.family &&
                     peer.permitted <= 1 && NextHopIsSound(peer.next_hop) &&
                     (peer.channel == 0 ||
                      (peer.channel >= kFirstChannel && peer.channel <= kLastChannel && HasPort(peer.wire)));
  return sound ? CommandStatus::kDone : CommandStatus::kBadConfig;
}

}  // namespace linegate::flow
