#include "dataplane/worker/command_drain.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "dataplane/base/secret.h"
#include "dataplane/nodes/flow_egress.h"
#include "dataplane/nodes/ice_paths.h"

namespace linegate::worker {
namespace {

using abi::CommandStatus;
using abi::LifeWord;
using abi::SlotState;
using nodes::FlowRuntime;

/// Copies a command out of the ring. False: the record has another size.
template <typename Command>
bool Read(ByteView record, Command& out) {
  if (record.size() != sizeof out) return false;
  std::memcpy(static_cast<void*>(&out), record.data(), sizeof out);
  return true;
}

srtp::MasterKey MasterKeyOf(const abi::KeyMaterial& material) {
  srtp::MasterKey key;
  key.profile = srtp::Profile(material.profile);
  key.key.Assign({material.key, material.key_bytes});
  key.salt.Assign({material.salt, material.salt_bytes});
  return key;
}

srtp::MkiCodec MkiOf(const abi::KeyMaterial& material) {
  static_assert(sizeof material.mki == srtp::kMaxMkiBytes);
  srtp::Mki mki;
  mki.length = std::min<uint8_t>(material.mki_bytes, srtp::kMaxMkiBytes);
  std::copy_n(material.mki, mki.length, mki.bytes);
  return srtp::MkiCodec(mki, srtp::Profile(material.profile));
}

bool IsRepeat(const abi::FlowSlot& slot, const abi::CommandHeader& header) {
  return header.sequence != 0 && slot.command_sequence == header.sequence;
}

bool SameIngressAddresses(const abi::Ingress& a, const abi::Ingress& b) {
  return a.kind == b.kind && a.local[0] == b.local[0] && a.local[1] == b.local[1];
}

bool SameKey(const abi::KeyMaterial& a, const abi::KeyMaterial& b) {
  return a.installed == b.installed && a.profile == b.profile && a.key_bytes == b.key_bytes &&
         a.salt_bytes == b.salt_bytes && ConstantTimeEqual(a.key, b.key) && ConstantTimeEqual(a.salt, b.salt);
}

/// Numbering belongs to a key: a new one starts anew.
void ResetNumbering(abi::FlowSlot& slot, abi::KeyUse use) {
  if (use == abi::KeyUse::kReceive) {
    for (abi::ReceiveSource& source : slot.receive) source = {};
  } else {
    slot.transmit = {};
  }
}

}  // namespace

bool CommandDrain::Run() {
  if (!with_old_key_.empty()) [[unlikely]]
    ForgetOldKeys();
  if (commands_.empty()) return false;
  // An unanswered command is worse than a late one.
  constexpr uint32_t kAnswerBytes = kLimitPerTurn * (sizeof(abi::RecordHeader) + sizeof(abi::CommandDone));
  if (context_.events.TryClaim(uint32_t(abi::EventType::kCommandDone), kAnswerBytes).data() == nullptr)
    return false;
  return commands_.Drain(kLimitPerTurn,
                         [this](uint32_t type, MutableByteView record) { Handle(type, record); }) != 0;
}

void CommandDrain::Handle(uint32_t type, MutableByteView record) {
  abi::CommandHeader header;
  if (record.size() < sizeof header) return context_.Count(abi::Counter::kCommandsRefused);
  std::memcpy(static_cast<void*>(&header), record.data(), sizeof header);
  CommandStatus status = CommandStatus::kBadConfig;
  switch (abi::CommandType(type)) {
    case abi::CommandType::kProgramFlow: {
      abi::ProgramFlow command;
      if (Read(record, command)) status = Program(command);
      break;
    }
    case abi::CommandType::kInstallKeys: {
      abi::InstallKeys command;
      if (Read(record, command)) status = Install(command);
      Wipe(&command, sizeof command);
      Wipe(record.data(), record.size());
      break;
    }
    case abi::CommandType::kRemoveFlow:
      status = Remove(header.flow);
      break;
    case abi::CommandType::kRemoveAllFlows:
      status = RemoveAll();
      break;
    case abi::CommandType::kProgramRelay: {
      abi::ProgramRelay command;
      if (Read(record, command)) status = relays_.Program(command);
      break;
    }
    case abi::CommandType::kSetRelayPeer: {
      abi::SetRelayPeer command;
      if (Read(record, command)) status = relays_.SetPeer(command);
      break;
    }
    case abi::CommandType::kRemoveRelay:
      status = relays_.Remove(header.flow);
      break;
  }
  Answer(header, status);
}

void CommandDrain::Answer(const abi::CommandHeader& header, CommandStatus status) {
  context_.Count(status == CommandStatus::kDone ? abi::Counter::kCommandsDone
                                                : abi::Counter::kCommandsRefused);
  context_.Emit(abi::EventType::kCommandDone, abi::CommandDone{header.sequence, header.flow, status});
  uint64_t last = link_.last_command_sequence.load(std::memory_order_relaxed);
  while (last < header.sequence &&
         !link_.last_command_sequence.compare_exchange_weak(last, header.sequence)) {
  }
}

bool CommandDrain::PortsAreFree(uint32_t index, const abi::FlowConfig& config) const {
  if (config.ingress.kind != abi::SideKind::kRtp) return true;
  return std::ranges::all_of(config.ingress.local, [&](const abi::SocketAddress& local) {
    if (local.family == 0) return true;
    const uint32_t owner = context_.table.FindPort(local.ToEndpoint()).flow;
    return owner == flow::kNoFlow || owner == index;
  });
}

CommandStatus CommandDrain::Program(const abi::ProgramFlow& command) {
  const abi::FlowRef& ref = command.header.flow;
  CommandStatus status = context_.slots.CheckRef(ref);
  if (status != CommandStatus::kDone) return status;
  abi::FlowSlot& slot = context_.slots[ref.index];
  const LifeWord life = slot.life_word();
  if (life.state != SlotState::kFree) {
    if (life.generation != ref.generation) return CommandStatus::kStaleFlow;
    if (life.state == SlotState::kLive && IsRepeat(slot, command.header))
      return CommandStatus(slot.command_status);
  }
  status = context_.slots.CheckConfig(ref, command.config);
  if (status == CommandStatus::kDone && !PortsAreFree(ref.index, command.config))
    status = CommandStatus::kPortTaken;
  if (status != CommandStatus::kDone) return status;

  if (life.state == SlotState::kFree) {
    new (&slot) abi::FlowSlot();
    abi::FlowStats& stats = context_.stats[ref.index];
    stats = {};
    stats.generation = ref.generation;
    ++active_flows_;
  } else if (life.state == SlotState::kLive) {
    if (slot.config.reverse != command.config.reverse) nodes::WithdrawPath(ref.index, context_);
    if (slot.config.ingress.kind == abi::SideKind::kRtp) context_.table.RemovePorts(ref.index);
    if (!SameIngressAddresses(slot.config.ingress, command.config.ingress))
      nodes::ForgetPaths(ref.index, context_);
    const bool restart = std::memcmp(slot.config.ingress.ice[0].local_ufrag,
                                     command.config.ingress.ice[0].local_ufrag, abi::kLocalUfragLength) != 0;
    if (restart) slot.ice.nominated = 0;  // RFC 8445 section 9: an ICE restart nominates anew
    const bool same_sources = slot.config.ingress.expected[0] == command.config.ingress.expected[0] &&
                              slot.config.ingress.expected[1] == command.config.ingress.expected[1];
    if (!same_sources) slot.latched = 0;
  }
  slot.set_life({SlotState::kUpdating, ref.worker, ref.generation});
  slot.config = command.config;
  slot.command_sequence = command.header.sequence;
  slot.command_status = uint32_t(CommandStatus::kDone);
  slot.set_life({SlotState::kLive, ref.worker, ref.generation});
  ApplyConfig(ref.index);
  return CommandStatus::kDone;
}

void CommandDrain::ApplyConfig(uint32_t index) {
  const abi::FlowSlot& slot = context_.slots[index];
  FlowRuntime& runtime = context_.runtime[index];
  const abi::FlowConfig& config = slot.config;
  runtime.generation = slot.life_word().generation;
  const bool reverse_is_here = config.reverse && config.reverse.worker == context_.worker &&
                               config.reverse.index < context_.slots.size();
  runtime.reverse = reverse_is_here ? config.reverse.index : flow::kNoFlow;
  runtime.reverse_generation = config.reverse.generation;
  runtime.known = {};
  runtime.encrypted_ingress = IsEncrypted(config.ingress);
  runtime.encrypted_egress = IsEncrypted(config.egress);
  runtime.rtcp_mux = config.ingress.rtcp_mux != 0;
  runtime.send_rtp = config.send_rtp != 0;
  runtime.send_rtcp = config.send_rtcp != 0;
  runtime.service = config.service;
  runtime.ForgetPayloadTypes();
  runtime.to_learn = config.ingress.latch != 0 ? uint8_t(~slot.latched & 3) : 0;
  for (uint32_t c = 0; c < 2; ++c) {
    const bool learned = config.ingress.latch != 0 && (slot.latched & (1u << c)) != 0;
    runtime.expected[c] = (learned ? slot.source[c] : config.ingress.expected[c]).ToEndpoint();
  }
  if (config.ingress.kind == abi::SideKind::kRtp) context_.table.AddPorts(index);
  nodes::RefreshEgress(index, context_);
  nodes::ReportPath(index, context_);
  nodes::RequestPath(index, context_);
}

CommandStatus CommandDrain::Install(const abi::InstallKeys& command) {
  const abi::FlowRef& ref = command.header.flow;
  const CommandStatus bad_slot = context_.slots.CheckRef(ref);
  if (bad_slot != CommandStatus::kDone) return bad_slot;
  abi::FlowSlot* slot = context_.slots.Live(ref);
  if (slot == nullptr) return CommandStatus::kStaleFlow;
  if (IsRepeat(*slot, command.header)) return CommandStatus(slot->command_status);
  const auto traits = srtp::TraitsOf(srtp::Profile(command.profile));
  const bool known_use = command.use == abi::KeyUse::kReceive || command.use == abi::KeyUse::kSend;
  if (!traits || !known_use || command.key_bytes != traits->key_bytes ||
      command.salt_bytes != traits->salt_bytes || command.mki_bytes > sizeof command.mki) {
    return CommandStatus::kKeyRefused;
  }
  const bool receive = command.use == abi::KeyUse::kReceive;
  // A send key belongs to the leg at the other end (SendFlowOf): the flow has to be joined with it first. Whether that leg
  // is encrypted at the moment does not matter: one that went back to plain RTP keeps its key, and its numbering.
  if (!receive && (slot->config.egress.kind == abi::SideKind::kNone || !slot->config.reverse))
    return CommandStatus::kBadConfig;
  abi::KeyMaterial material;
  material.installed = 1;
  material.profile = command.profile;
  material.key_bytes = command.key_bytes;
  material.salt_bytes = command.salt_bytes;
  std::copy_n(command.key, material.key_bytes, material.key);
  std::copy_n(command.salt, material.salt_bytes, material.salt);
  material.mki_bytes = command.mki_bytes;
  std::copy_n(command.mki, material.mki_bytes, material.mki);
  const uint32_t holder = receive ? ref.index : nodes::SendFlowOf(ref.index, context_.runtime);
  abi::FlowSlot& keys = context_.slots[holder];
  abi::KeyMaterial& stored = receive ? keys.receive_key : keys.send_key;
  std::unique_ptr<srtp::CryptoContext>& context =
      receive ? context_.runtime[holder].receive_context : context_.runtime[holder].send_context;
  // The same key again (another flow joined with the leg, a control plane that lost its memory) must not
  // start the numbering again: that would encrypt two packets with one keystream.
  if (!SameKey(stored, material)) {
    auto made = context_.transform.CreateContext(
        MasterKeyOf(material), receive ? srtp::Direction::kUnprotect : srtp::Direction::kProtect);
    if (!made) {
      Wipe(&material, sizeof material);
      return CommandStatus::kKeyRefused;
    }
    if (receive) KeepOldKey(holder);
    stored.installed = 0;
    abi::StoreBarrier();
    ResetNumbering(keys, command.use);
    const uint32_t installed = material.installed;
    material.installed = 0;
    stored = material;
    abi::StoreBarrier();
    stored.installed = installed;
    context = std::move(*made);
  }
  stored.mki_bytes = material.mki_bytes;
  std::copy_n(material.mki, sizeof stored.mki, stored.mki);
  ApplyMki(holder, command.use);
  slot->command_sequence = command.header.sequence;
  slot->command_status = uint32_t(CommandStatus::kDone);
  Wipe(&material, sizeof material);
  return CommandStatus::kDone;
}

/// What is under way under the key that goes is still accepted for a while. Pre: the key in force is the old one.
void CommandDrain::KeepOldKey(uint32_t index) {
  FlowRuntime& runtime = context_.runtime[index];
  if (runtime.receive_context == nullptr) return;
  if (!runtime.has_receive_extras) runtime.SetReceiveExtras(std::make_unique<nodes::ReceiveKeyExtras>());
  nodes::ReceiveKeyExtras& extras = *runtime.receive_extras;
  if (extras.old_context == nullptr) with_old_key_.push_back(index);
  extras.old_context = std::move(runtime.receive_context);
  extras.old_mki = MkiOf(context_.slots[index].receive_key);
  extras.old_until_ns = context_.now_ns + nodes::ReceiveKeyExtras::kOldKeyLimitNs;
  extras.new_key_heard = false;
  std::ranges::copy(context_.slots[index].receive, extras.old_sources.begin());
}

void CommandDrain::ForgetOldKeys() {
  std::erase_if(with_old_key_, [this](uint32_t index) {
    FlowRuntime& runtime = context_.runtime[index];
    nodes::ReceiveKeyExtras* const extras = runtime.receive_extras.get();
    if (extras == nullptr || extras->old_context == nullptr) return true;  // the flow has gone
    if (context_.now_ns < extras->old_until_ns) return false;
    extras->old_context.reset();
    if (!extras->mki) runtime.SetReceiveExtras(nullptr);
    return true;
  });
}

/// Brings the worker's copy of a key's MKI in line with the slot.
void CommandDrain::ApplyMki(uint32_t index, abi::KeyUse use) {
  FlowRuntime& runtime = context_.runtime[index];
  if (use == abi::KeyUse::kSend) {
    const srtp::MkiCodec mki = MkiOf(context_.slots[index].send_key);
    runtime.SetSendMki(mki ? std::make_unique<srtp::MkiCodec>(mki) : nullptr);
    return;
  }
  const srtp::MkiCodec mki = MkiOf(context_.slots[index].receive_key);
  if (runtime.receive_extras == nullptr && mki)
    runtime.SetReceiveExtras(std::make_unique<nodes::ReceiveKeyExtras>());
  if (runtime.receive_extras != nullptr) runtime.receive_extras->mki = mki;
}

CommandStatus CommandDrain::Remove(const abi::FlowRef& ref) {
  const CommandStatus status = context_.slots.CheckRef(ref);
  if (status != CommandStatus::kDone) return status;
  const LifeWord life = context_.slots[ref.index].life_word();
  if (life.state != SlotState::kFree && life.generation == ref.generation) Free(ref.index);
  return CommandStatus::kDone;
}

CommandStatus CommandDrain::RemoveAll() {
  for (uint32_t i = 0; i < context_.slots.size(); ++i) {
    if (context_.slots[i].life_word().state != SlotState::kFree) Free(i);
  }
  relays_.RemoveAll();
  return CommandStatus::kDone;
}

void CommandDrain::Free(uint32_t index) {
  abi::FlowSlot& slot = context_.slots[index];
  if (slot.life_word().state == SlotState::kLive) {
    nodes::WithdrawPath(index, context_);
    nodes::ForgetPaths(index, context_);
    if (slot.config.ingress.kind == abi::SideKind::kRtp) context_.table.RemovePorts(index);
  }
  slot.set_life({});
  context_.runtime[index] = FlowRuntime();
  Wipe(&slot, sizeof slot);
  new (&slot) abi::FlowSlot();
  --active_flows_;
}

bool CommandDrain::MakeContexts(uint32_t index) {
  const abi::FlowSlot& slot = context_.slots[index];
  FlowRuntime& runtime = context_.runtime[index];
  for (const auto& [material, direction, context] :
       {std::tuple(&slot.receive_key, srtp::Direction::kUnprotect, &runtime.receive_context),
        std::tuple(&slot.send_key, srtp::Direction::kProtect, &runtime.send_context)}) {
    if (material->installed == 0) continue;
    const auto traits = srtp::TraitsOf(srtp::Profile(material->profile));
    if (!traits || material->key_bytes != traits->key_bytes || material->salt_bytes != traits->salt_bytes)
      return false;
    auto made = context_.transform.CreateContext(MasterKeyOf(*material), direction);
    if (!made) return false;
    *context = std::move(*made);
    ApplyMki(index, direction == srtp::Direction::kUnprotect ? abi::KeyUse::kReceive : abi::KeyUse::kSend);
  }
  return true;
}

/// Nobody knows which of the last packets left or were forwarded: all of them count.
void CommandDrain::AdoptNumbering(abi::FlowSlot& slot) {
  for (abi::ReceiveSource& source : slot.receive) {
    if (source.rtp.started != 0) source.rtp.RecordAllUpTo(source.rtp.highest);
    if (source.rtcp.started != 0) source.rtcp.RecordAllUpTo(source.rtcp.highest);
  }
  for (abi::TransmitSource& source : slot.transmit.sources) source.index.RestoreAtMark();
  slot.transmit.retired_count = std::min<uint16_t>(slot.transmit.retired_count, abi::kRetiredSources);
}

/// Validated addresses go back into the table. Nobody could be heard while we were away: timers begin again now.
void CommandDrain::AdoptPaths(uint32_t index) {
  abi::FlowSlot& slot = context_.slots[index];
  for (uint8_t p = 0; p < abi::kMaxValidatedPaths; ++p) {
    abi::ValidatedPath& path = slot.ice.paths[p];
    bool usable = path.state == 1 && path.local_index < 2 && path.next_hop.port_id < context_.ports.size() &&
                  slot.config.ingress.kind == abi::SideKind::kWebRtc;
    if (usable) {
      const Endpoint local = slot.config.ingress.local[path.local_index].ToEndpoint();
      usable = context_.table.FindPath(local, path.remote.ToEndpoint()).flow == flow::kNoFlow;
    }
    if (!usable) {
      path = {};
      if (slot.ice.selected == p) slot.ice.selected = abi::kNoPath;
      continue;
    }
    path.last_check_ns = context_.now_ns;
    context_.table.AddPath(index, p);
  }
  if (slot.ice.selected >= abi::kMaxValidatedPaths) slot.ice.selected = abi::kNoPath;
  if (slot.ice.consent_ns != 0) slot.ice.consent_ns = context_.now_ns;
}

bool CommandDrain::SlotIsSound(uint32_t index) const {
  const abi::FlowSlot& slot = context_.slots[index];
  const LifeWord life = slot.life_word();
  const abi::FlowRef ref{index, life.generation, life.owner, 0};
  if (context_.slots.CheckRef(ref) != CommandStatus::kDone) return false;
  if (life.state == SlotState::kUpdating) return true;
  return life.state == SlotState::kLive &&
         context_.slots.CheckConfig(ref, slot.config) == CommandStatus::kDone &&
         PortsAreFree(index, slot.config);
}

bool CommandDrain::AdoptSlot(uint32_t index) {
  abi::FlowSlot& slot = context_.slots[index];
  const LifeWord life = slot.life_word();
  ++active_flows_;
  if (!SlotIsSound(index) || !MakeContexts(index)) {
    slot.set_life({SlotState::kUpdating, life.owner, life.generation});  // nothing of it is in a table
    Free(index);
    return false;
  }
  AdoptNumbering(slot);
  if (life.state == SlotState::kUpdating) {
    // Died between two configurations: numbering is kept, addresses are not, and the command comes again.
    slot.ice = {};
    return true;
  }
  AdoptPaths(index);
  ApplyConfig(index);
  nodes::ArmIceTimer(index, context_);
  return true;
}

}  // namespace linegate::worker
