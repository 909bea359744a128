#include "dataplane/worker/relay_commands.h"

#include <algorithm>
#include <new>

#include "dataplane/nodes/relay_targets.h"

namespace linegate::worker {
namespace {

using abi::CommandStatus;
using abi::LifeWord;
using abi::SlotState;

bool IsRepeat(const abi::RelaySlot& slot, const abi::CommandHeader& header) {
  return header.sequence != 0 && slot.command_sequence == header.sequence;
}

void Remember(abi::RelaySlot& slot, const abi::CommandHeader& header) {
  slot.command_sequence = header.sequence;
  slot.command_status = uint32_t(CommandStatus::kDone);
}

/// Entries are compared as a whole: what means nothing is zero.
void Normalise(abi::SocketAddress& address) {
  address.reserved = 0;
  if (address.family == 4) std::fill(address.address + 4, address.address + 16, uint8_t{0});
}

/// One channel names one peer, one peer has one channel (RFC 8656 section 12): the newest command says which. The entry
/// that had it stays a permission until its own command comes.
void YieldChannel(abi::RelaySlot& slot, uint32_t index, const abi::RelayPeer& peer) {
  if (peer.channel == 0) return;
  for (uint32_t i = 0; i < abi::kRelayPeers; ++i) {
    abi::RelayPeer& other = slot.peers[i];
    if (i == index || other.wire.family == 0 || other.channel == 0) continue;
    if (other.channel == peer.channel || other.wire == peer.wire) other.channel = 0;
  }
}

}  // namespace

bool RelayCommands::AddressesAreFree(uint32_t index, const abi::RelayConfig& config) const {
  const flow::RelayTable& table = context_.turn.table;
  const auto free_for = [&](uint32_t owner) { return owner == flow::kNoRelay || owner == index; };
  if (config.transport == abi::ClientTransport::kDatagram &&
      !free_for(table.FindClient(config.client_local, config.client_remote)))
    return false;
  for (const abi::SocketAddress& relayed : config.relayed) {
    if (relayed.family != 0 && !free_for(table.FindPort(relayed))) return false;
  }
  return true;
}

void RelayCommands::Enter(uint32_t index) {
  const abi::RelaySlot& slot = context_.turn.slots[index];
  nodes::RelayRuntime& runtime = context_.turn.runtime[index];
  context_.turn.table.Add(index);
  if (slot.config.transport == abi::ClientTransport::kDatagram)
    context_.turn.directory.Add(slot.config.client_local, slot.config.client_remote);
  runtime.to_peer = nodes::ByteRate(slot.config.bytes_per_second);
  runtime.to_client = nodes::ByteRate(slot.config.bytes_per_second);
  nodes::RefreshRelay(index, context_);
}

void RelayCommands::Leave(uint32_t index) {
  const abi::RelayConfig& config = context_.turn.slots[index].config;
  context_.turn.table.Remove(index);
  if (config.transport == abi::ClientTransport::kDatagram)
    context_.turn.directory.Remove(config.client_local, config.client_remote);
}

CommandStatus RelayCommands::Program(const abi::ProgramRelay& command) {
  const abi::RelayRef& ref = command.header.flow;
  CommandStatus status = context_.turn.slots.CheckRef(ref);
  if (status != CommandStatus::kDone) return status;
  abi::RelaySlot& slot = context_.turn.slots[ref.index];
  const LifeWord life = slot.life_word();
  if (life.state != SlotState::kFree) {
    if (life.generation != ref.generation) return CommandStatus::kStaleFlow;
    if (life.state == SlotState::kLive && IsRepeat(slot, command.header))
      return CommandStatus(slot.command_status);
  }
  abi::RelayConfig config = command.config;
  for (abi::SocketAddress* address :
       {&config.client_local, &config.client_remote, &config.relayed[0], &config.relayed[1]})
    Normalise(*address);
  status = context_.turn.slots.CheckConfig(config);
  if (status == CommandStatus::kDone && !AddressesAreFree(ref.index, config))
    status = CommandStatus::kPortTaken;
  if (status != CommandStatus::kDone) return status;

  if (life.state == SlotState::kFree) {
    new (&slot) abi::RelaySlot();
    abi::RelayStats& stats = context_.turn.stats[ref.index];
    stats = {};
    stats.generation = ref.generation;
    ++active_;
  } else if (life.state == SlotState::kLive) {
    Leave(ref.index);
  }
  slot.set_life({SlotState::kUpdating, ref.worker, ref.generation});
  slot.config = config;
  Remember(slot, command.header);
  slot.set_life({SlotState::kLive, ref.worker, ref.generation});
  Enter(ref.index);
  return CommandStatus::kDone;
}

CommandStatus RelayCommands::SetPeer(const abi::SetRelayPeer& command) {
  const abi::RelayRef& ref = command.header.flow;
  const CommandStatus bad_slot = context_.turn.slots.CheckRef(ref);
  if (bad_slot != CommandStatus::kDone) return bad_slot;
  abi::RelaySlot* slot = context_.turn.slots.Live(ref);
  if (slot == nullptr) return CommandStatus::kStaleFlow;
  if (IsRepeat(*slot, command.header)) return CommandStatus(slot->command_status);
  if (command.index >= abi::kRelayPeers) return CommandStatus::kBadConfig;
  abi::RelayPeer peer = command.peer;
  Normalise(peer.wire);
  Normalise(peer.shown);
  if (peer.wire.family != 0) {
    const CommandStatus status = context_.turn.slots.CheckPeer(slot->config, peer);
    if (status != CommandStatus::kDone) return status;
    YieldChannel(*slot, command.index, peer);
  }
  abi::RelayPeer& stored = slot->peers[command.index];
  stored.wire.family = 0;
  abi::StoreBarrier();
  const uint8_t family = peer.wire.family;
  peer.wire.family = 0;
  stored = family != 0 ? peer : abi::RelayPeer{};
  abi::StoreBarrier();
  stored.wire.family = family;
  Remember(*slot, command.header);
  nodes::RefreshRelay(ref.index, context_);
  return CommandStatus::kDone;
}

CommandStatus RelayCommands::Remove(const abi::RelayRef& ref) {
  const CommandStatus status = context_.turn.slots.CheckRef(ref);
  if (status != CommandStatus::kDone) return status;
  const LifeWord life = context_.turn.slots[ref.index].life_word();
  if (life.state != SlotState::kFree && life.generation == ref.generation) Free(ref.index);
  return CommandStatus::kDone;
}

void RelayCommands::RemoveAll() {
  for (uint32_t i = 0; i < context_.turn.slots.size(); ++i) {
    if (context_.turn.slots[i].life_word().state != SlotState::kFree) Free(i);
  }
}

void RelayCommands::Free(uint32_t index) {
  abi::RelaySlot& slot = context_.turn.slots[index];
  if (slot.life_word().state == SlotState::kLive) Leave(index);
  slot.set_life({});
  context_.turn.runtime[index] = nodes::RelayRuntime();
  new (&slot) abi::RelaySlot();
  --active_;
}

bool RelayCommands::SlotIsSound(uint32_t index) const {
  const abi::RelaySlot& slot = context_.turn.slots[index];
  const LifeWord life = slot.life_word();
  if (context_.turn.slots.CheckRef({index, life.generation, life.owner, 0}) != CommandStatus::kDone)
    return false;
  if (life.state == SlotState::kUpdating) return true;
  return life.state == SlotState::kLive &&
         context_.turn.slots.CheckConfig(slot.config) == CommandStatus::kDone &&
         AddressesAreFree(index, slot.config);
}

bool RelayCommands::AdoptSlot(uint32_t index) {
  abi::RelaySlot& slot = context_.turn.slots[index];
  const LifeWord life = slot.life_word();
  ++active_;
  if (!SlotIsSound(index)) {
    slot.set_life({SlotState::kUpdating, life.owner, life.generation});  // nothing of it is in a table
    Free(index);
    return false;
  }
  // Died between two configurations: the peers are kept, and the command comes again.
  if (life.state == SlotState::kUpdating) return true;
  for (uint32_t i = 0; i < abi::kRelayPeers; ++i) {
    abi::RelayPeer& peer = slot.peers[i];
    if (peer.wire.family == 0) continue;
    if (context_.turn.slots.CheckPeer(slot.config, peer) != CommandStatus::kDone) peer = {};
  }
  Enter(index);
  return true;
}

}  // namespace linegate::worker
