#include "dataplane/flow/flow_slots.h"

#include <cstring>

#include "dataplane/base/ice_ufrag.h"
#include "dataplane/base/secret.h"

namespace linegate::flow {
namespace {

using abi::CommandStatus;

bool InUse(const abi::IceCredentials& set) { return set.local_ufrag[0] != 0; }

std::string_view LocalUfrag(const abi::IceCredentials& set) {
  return {set.local_ufrag, abi::kLocalUfragLength};
}

bool PayloadsAreSound(const abi::FlowConfig& config) {
  if (config.payload_count > abi::kMaxPayloadTypes || config.tone_payload > 127) return false;
  for (uint32_t i = 0; i < config.payload_count; ++i) {
    if (config.payload[i].from > 127 || config.payload[i].to > 127) return false;
  }
  return true;
}

bool IsAddress(const abi::SocketAddress& a) {
  return (a.family == 4 || a.family == 6) && LoadBe16(a.port) != 0;
}

bool IsFlag(uint8_t value) { return value <= 1; }

}  // namespace

abi::FlowSlot* FlowSlots::Live(const abi::FlowRef& ref) const {
  if (!ref || ref.worker != worker_ || ref.index >= slots_.size()) return nullptr;
  const abi::LifeWord life = slots_[ref.index].life_word();
  if (life.state != abi::SlotState::kLive || life.generation != ref.generation) return nullptr;
  return &slots_[ref.index];
}

const abi::FlowSlot* FlowSlots::FindByUfrag(std::string_view ufrag, uint32_t* index, uint32_t* set) const {
  const auto target = DecodeIceUfrag(ice_key_, ufrag);
  if (!target || target->worker != worker_ || target->index >= slots_.size()) return nullptr;
  const abi::FlowSlot& slot = slots_[target->index];
  if (slot.life_word().state != abi::SlotState::kLive || slot.config.ingress.kind != abi::SideKind::kWebRtc)
    return nullptr;
  for (uint32_t i = 0; i < 2; ++i) {
    const abi::IceCredentials& credentials = slot.config.ingress.ice[i];
    if (!InUse(credentials) || !ConstantTimeEqual(AsBytes(LocalUfrag(credentials)), AsBytes(ufrag))) continue;
    *index = target->index;
    *set = i;
    return &slot;
  }
  return nullptr;
}

CommandStatus FlowSlots::CheckRef(const abi::FlowRef& ref) const {
  const bool sound = ref && ref.worker == worker_ && ref.index < slots_.size();
  return sound ? CommandStatus::kDone : CommandStatus::kBadSlot;
}

bool FlowSlots::IsOurs(const abi::SocketAddress& address, LocalPortKind kind) const {
  LocalPort port;
  return IsAddress(address) && ports_.Find(address.ToEndpoint(), port) && port.kind == kind &&
         port.owner == worker_;
}

/// The source of an RTP egress is the ingress of the opposite direction, which may live on another worker.
bool FlowSlots::IsRtpPort(const abi::SocketAddress& address) const {
  LocalPort port;
  return IsAddress(address) && ports_.Find(address.ToEndpoint(), port) && port.kind == LocalPortKind::kRtp;
}

bool FlowSlots::IngressIsSound(const abi::FlowRef& ref, const abi::Ingress& ingress) const {
  if (!IsFlag(ingress.latch) || !IsFlag(ingress.rtcp_mux) || !IsFlag(ingress.srtp)) return false;
  if (ingress.kind == abi::SideKind::kRtp) {
    if (!IsOurs(ingress.local[0], LocalPortKind::kRtp)) return false;
    return ingress.rtcp_mux != 0 || ingress.local[1].family == 0 ||
           (IsOurs(ingress.local[1], LocalPortKind::kRtp) && !(ingress.local[0] == ingress.local[1]));
  }
  if (ingress.kind != abi::SideKind::kWebRtc) return false;
  bool any_address = false;
  for (const abi::SocketAddress& local : ingress.local) {
    if (local.family == 0) continue;
    if (!IsOurs(local, LocalPortKind::kWebRtc)) return false;
    any_address = true;
  }
  if (!any_address || !InUse(ingress.ice[0])) return false;
  for (const abi::IceCredentials& set : ingress.ice) {
    if (set.remote_ufrag_length > abi::kUfragMax || set.remote_pwd_length > abi::kPwdMax) return false;
    if (!InUse(set)) continue;
    // A ufrag that names another slot would never be found by a check.
    const auto target = DecodeIceUfrag(ice_key_, LocalUfrag(set));
    if (!target || target->worker != worker_ || target->index != ref.index) return false;
  }
  return true;
}

bool FlowSlots::EgressIsSound(const abi::Egress& egress) const {
  // A leg whose partner has not answered yet: its checks and its DTLS are served, its media goes nowhere.
  if (egress.kind == abi::SideKind::kNone) return true;
  if (!IsFlag(egress.srtp)) return false;
  if (egress.kind == abi::SideKind::kWebRtc) return egress.dscp <= 63;
  if (egress.kind != abi::SideKind::kRtp || egress.dscp > 63 || !IsFlag(egress.rtcp_mux)) return false;
  for (uint32_t c = 0; c < 2; ++c) {
    if (egress.remote[c].family == 0) continue;
    if (!IsAddress(egress.remote[c]) || egress.local[c].family != egress.remote[c].family) return false;
    if (!IsRtpPort(egress.local[c])) return false;
  }
  return true;
}

CommandStatus FlowSlots::CheckConfig(const abi::FlowRef& ref, const abi::FlowConfig& config) const {
  const bool reflects =
      config.service == abi::FlowService::kEcho || config.service == abi::FlowService::kTone;
  if (!reflects && config.service != abi::FlowService::kRelay) return CommandStatus::kBadConfig;
  if (reflects && (config.reverse != ref || config.egress.kind != config.ingress.kind))
    return CommandStatus::kBadConfig;
  if (!IsFlag(config.send_rtp) || !IsFlag(config.send_rtcp) || !PayloadsAreSound(config))
    return CommandStatus::kBadConfig;
  if (!IngressIsSound(ref, config.ingress) || !EgressIsSound(config.egress)) return CommandStatus::kBadConfig;
  return CommandStatus::kDone;
}

}  // namespace linegate::flow
