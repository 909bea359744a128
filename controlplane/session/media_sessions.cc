#include "controlplane/session/media_sessions.h"

#include <algorithm>

#include "dataplane/base/check.h"

namespace linegate::session {

using sip::CallId;
using sip::LegId;
using sip::LegKind;
using sip::MediaError;

Result<std::unique_ptr<MediaSessions>> MediaSessions::Create(const settings::DataplaneSettings& settings,
                                                             MediaConfig config, dtls::DtlsFactory& dtls,
                                                             Rng& rng, NextHopTable& next_hops,
                                                             UfragMaker make_ufrag) {
  auto web = LocalRealm::Find(settings, config.web_realm);
  if (!web) return Fail("no realm '" + config.web_realm + "' for browsers");
  if (web->settings().webrtc_port == 0) return Fail("realm '" + config.web_realm + "' has no webrtc_port");
  std::optional<LocalRealm> sip_realm;
  if (!config.sip_realm.empty()) {
    sip_realm = LocalRealm::Find(settings, config.sip_realm);
    if (!sip_realm) return Fail("no realm '" + config.sip_realm + "' for SIP");
    if (sip_realm->settings().rtp_ports.empty())
      return Fail("realm '" + config.sip_realm + "' has no rtp_ports");
  }
  return std::unique_ptr<MediaSessions>(new MediaSessions(settings, std::move(config), std::move(*web),
                                                          std::move(sip_realm), dtls, rng, next_hops,
                                                          std::move(make_ufrag)));
}

MediaSessions::MediaSessions(const settings::DataplaneSettings& settings, MediaConfig config, LocalRealm web,
                             std::optional<LocalRealm> sip_realm, dtls::DtlsFactory& dtls, Rng& rng,
                             NextHopTable& next_hops, UfragMaker make_ufrag)
    : config_(std::move(config)),
      web_(std::move(web)),
      sip_(std::move(sip_realm)),
      dtls_(dtls),
      rng_(rng),
      next_hops_(next_hops),
      make_ufrag_(std::move(make_ufrag)),
      own_fingerprint_(dtls.fingerprint().ToString()),
      slots_(settings.workers, settings.flows_per_worker, rng.U32()),
      ports_(sip_ ? sip_->settings().rtp_ports : settings::PortRange{}, settings.workers),
      commands_(config_.first_sequence) {}

// --- lifetimes ---

CallId MediaSessions::OpenCall() {
  const CallId id(next_call_id_++);
  calls_[id].worker = slots_.LeastLoaded();
  return id;
}

LegId MediaSessions::OpenLeg(CallId call_id, LegKind kind) {
  const auto call = calls_.find(call_id);
  const LegId id(next_leg_id_++);
  // A name without a leg: the first offer on it says so.
  if (call == calls_.end() || call->second.legs.size() >= kMaxLegsPerCall) return id;
  MediaLeg leg;
  leg.id = id;
  leg.call = call_id;
  leg.kind = kind;
  leg.worker = call->second.worker;
  // RFC 9429 section 5.2.1: a session id of at most 63 bits.
  leg.session_id = rng_.U64() >> 2;
  if (leg.is_webrtc()) {
    leg.msid = "linegate " + rng_.Hex(8);
    leg.dtls = std::make_unique<DtlsAssociation>(dtls_);
  } else {
    leg.sdes = std::make_unique<SdesAssociation>(config_.srtp, rng_);
  }
  call->second.legs.push_back(id);
  legs_.emplace(id, std::move(leg));
  return id;
}

sip::MediaResult<void> MediaSessions::TakeResources(MediaLeg& leg) {
  if (!leg.is_webrtc() && !sip_) return MakeUnexpected(MediaError{488, "no SIP realm is configured"});
  if (leg.flow) return {};
  const auto flow = slots_.Acquire(leg.worker);
  if (!flow) return MakeUnexpected(MediaError{503, "no free media flow"});
  if (!leg.is_webrtc()) {
    const auto port = ports_.Acquire(leg.worker, now_);
    if (!port) {
      slots_.Release(*flow);
      return MakeUnexpected(MediaError{503, "no free RTP port"});
    }
    leg.rtp_port = *port;
  } else {
    leg.ice = ice::MakeCredentials(make_ufrag_(*flow, rng_), rng_);
  }
  leg.flow = *flow;
  leg_of_flow_[{flow->worker, flow->index}] = leg.id;
  return {};
}

void MediaSessions::ReleaseResources(MediaLeg& leg) {
  if (!leg.flow) return;
  const FlowKey key{leg.flow.worker, leg.flow.index};
  leg_of_flow_.erase(key);
  if (commands_.Knows(leg.flow)) {
    commands_.Remove(leg.flow);
    releasing_[key] = {leg.flow, leg.rtp_port};
    return;
  }
  slots_.Release(leg.flow);
  if (leg.rtp_port != 0) ports_.ReleaseUnused(leg.worker, leg.rtp_port);
}

/// Ends the join of `leg`: what came from its partner has nowhere to go any more.
void MediaSessions::Detach(MediaLeg& leg) {
  MediaLeg* partner = leg.partner ? FindLeg(*leg.partner) : nullptr;
  leg.partner.reset();
  if (partner == nullptr || partner->partner != leg.id) return;
  partner->partner.reset();
  ProgramLeg(*partner);
}

void MediaSessions::CloseLeg(LegId id) {
  MediaLeg* leg = FindLeg(id);
  if (leg == nullptr) return;
  Detach(*leg);
  for (const LegId other_id : calls_[leg->call].legs) {
    MediaLeg& other = *FindLeg(other_id);
    if (other.exchange && other.exchange->offerer == id) other.exchange.reset();
  }
  ReleaseResources(*leg);
  SetConnectLimit(*leg, std::nullopt);
  if (const auto timer = dtls_timer_of_.find(id); timer != dtls_timer_of_.end()) {
    dtls_timers_.erase({timer->second, id});
    dtls_timer_of_.erase(timer);
  }
  std::erase(calls_[leg->call].legs, id);
  legs_.erase(id);
}

void MediaSessions::CloseCall(CallId id) {
  const auto call = calls_.find(id);
  if (call == calls_.end()) return;
  const std::vector<LegId> legs = call->second.legs;
  for (const LegId leg_id : legs)
    FindLeg(leg_id)->partner.reset();  // all go: nobody is programmed on the way
  for (const LegId leg_id : legs) CloseLeg(leg_id);
  calls_.erase(id);
}

MediaLeg* MediaSessions::FindLeg(LegId id) {
  const auto found = legs_.find(id);
  return found == legs_.end() ? nullptr : &found->second;
}

const MediaLeg* MediaSessions::FindLeg(LegId id) const {
  const auto found = legs_.find(id);
  return found == legs_.end() ? nullptr : &found->second;
}

MediaLeg* MediaSessions::FindByFlow(const abi::FlowRef& flow) {
  const auto found = leg_of_flow_.find({flow.worker, flow.index});
  if (found == leg_of_flow_.end()) return nullptr;
  MediaLeg* leg = FindLeg(found->second);
  return leg != nullptr && leg->flow == flow ? leg : nullptr;
}

// --- inputs ---

void MediaSessions::AdvanceTo(TimePoint now) { now_ = std::max(now_, now); }

void MediaSessions::HandleCommandDone(TimePoint now, const abi::CommandDone& done) {
  AdvanceTo(now);
  const auto confirmed = commands_.HandleDone(done);
  if (!confirmed) return;
  if (confirmed->type == FlowCommandType::kRemove) {
    const auto released = releasing_.find({done.flow.worker, done.flow.index});
    if (released == releasing_.end()) return;
    slots_.Release(released->second.flow);
    if (released->second.rtp_port != 0) ports_.Release(done.flow.worker, released->second.rtp_port, now_);
    releasing_.erase(released);
    return;
  }
  MediaLeg* leg = FindByFlow(done.flow);
  if (confirmed->status == abi::CommandStatus::kDone || leg == nullptr) return;
  Report(*leg, MediaEventType::kFlowRefused,
         "the dataplane refused a command, status " + std::to_string(uint32_t(confirmed->status)));
}

void MediaSessions::HandlePathValidated(TimePoint now, const abi::PathEvent& path) {
  AdvanceTo(now);
  MediaLeg* leg = FindByFlow(path.flow);
  if (leg == nullptr || !leg->is_webrtc()) return;
  leg->dtls->HandlePathValidated(now_, {path.local.ToEndpoint(), path.remote.ToEndpoint()});
  AfterDtls(*leg);
}

void MediaSessions::HandlePathSelected(TimePoint now, const abi::PathEvent& path) {
  AdvanceTo(now);
  MediaLeg* leg = FindByFlow(path.flow);
  if (leg == nullptr || !leg->is_webrtc()) return;
  leg->dtls->HandlePathSelected(now_, {path.local.ToEndpoint(), path.remote.ToEndpoint()});
  AfterDtls(*leg);
}

void MediaSessions::HandleConsentLost(TimePoint now, const abi::FlowRef& flow) {
  AdvanceTo(now);
  if (MediaLeg* leg = FindByFlow(flow)) {
    Report(*leg, MediaEventType::kConsentLost, "no connectivity check for 30 s");
  }
}

void MediaSessions::HandlePunt(TimePoint now, const abi::FlowRef& flow, const Endpoint& local,
                               const Endpoint& remote, ByteView datagram) {
  AdvanceTo(now);
  MediaLeg* leg = FindByFlow(flow);
  if (leg == nullptr || !leg->is_webrtc() || leg->failed) return;
  leg->dtls->HandleDatagram(now_, {local, remote}, datagram);
  AfterDtls(*leg);
}

void MediaSessions::HandleTimeout(TimePoint now) {
  AdvanceTo(now);
  commands_.HandleTimeout(now_);
  while (!dtls_timers_.empty() && dtls_timers_.begin()->first <= now_) {
    const LegId id = dtls_timers_.begin()->second;
    dtls_timers_.erase(dtls_timers_.begin());
    dtls_timer_of_.erase(id);
    MediaLeg& leg = *FindLeg(id);
    leg.dtls->HandleTimeout(now_);
    AfterDtls(leg);
  }
  EndUnconnected();
}

void MediaSessions::OnNextHopChanged() {
  for (auto& [id, leg] : legs_) {
    if (commands_.Knows(leg.flow)) ProgramLeg(leg);
  }
}

void MediaSessions::ReprogramAll() { commands_.ReprogramAll(); }

// --- DTLS ---

void MediaSessions::AgreeDtls(MediaLeg& leg, dtls::Role role) {
  if (!leg.fingerprint) return;
  if (leg.dtls->Agree(now_, role, *leg.fingerprint)) {
    leg.media_up = leg.failed = false;
    SetConnectLimit(leg, now_ + kConnectLimit);
  }
  AfterDtls(leg);
}

/// Takes everything out of the association that an input may have caused: datagrams, keys, failure, the next
/// timer.
void MediaSessions::AfterDtls(MediaLeg& leg) {
  MediaPath path;
  std::vector<uint8_t> datagram;
  while (leg.dtls->PollTransmit(path, datagram)) {
    Inject inject;
    inject.record.flow = leg.flow;
    inject.record.local = abi::SocketAddress::From(path.local);
    inject.record.remote = abi::SocketAddress::From(path.remote);
    inject.record.payload_bytes = uint32_t(datagram.size());
    inject.payload = std::exchange(datagram, {});
    outputs_.push_back(std::move(inject));
  }
  if (leg.dtls->state() == dtls::State::kConnected && !leg.media_up) {
    leg.media_up = true;
    SetConnectLimit(leg, std::nullopt);
    InstallKeys(leg);
    Report(leg, MediaEventType::kMediaUp, {});
  } else if (leg.dtls->state() == dtls::State::kFailed && !leg.failed) {
    leg.failed = true;
    SetConnectLimit(leg, std::nullopt);
    Report(leg, MediaEventType::kDtlsFailed, leg.dtls->failure());
  }
  ScheduleDtls(leg);
}

/// "Receive" belongs to the flow that comes in from the leg, "send" to the flow that goes out to it.
void MediaSessions::InstallKeys(MediaLeg& leg) {
  const dtls::SrtpKeys* keys = leg.keys();
  if (keys == nullptr || !commands_.Knows(leg.flow)) return;
  commands_.Install(leg.flow, abi::KeyUse::kReceive, keys->receive);
  const MediaLeg* sender = leg.service ? &leg : leg.partner ? FindLeg(*leg.partner) : nullptr;
  if (sender != nullptr && commands_.Knows(sender->flow)) {
    commands_.Install(sender->flow, abi::KeyUse::kSend, keys->send);
  }
}

void MediaSessions::ScheduleDtls(const MediaLeg& leg) {
  if (const auto timer = dtls_timer_of_.find(leg.id); timer != dtls_timer_of_.end()) {
    dtls_timers_.erase({timer->second, leg.id});
    dtls_timer_of_.erase(timer);
  }
  if (const auto at = leg.dtls->NextTimeout()) {
    dtls_timers_.insert({*at, leg.id});
    dtls_timer_of_[leg.id] = *at;
  }
}

void MediaSessions::SetConnectLimit(MediaLeg& leg, std::optional<TimePoint> connect_by) {
  if (leg.connect_by) connect_limits_.erase({*leg.connect_by, leg.id});
  leg.connect_by = connect_by;
  if (connect_by) connect_limits_.insert({*connect_by, leg.id});
}

void MediaSessions::EndUnconnected() {
  while (!connect_limits_.empty() && connect_limits_.begin()->first <= now_) {
    MediaLeg& leg = *FindLeg(connect_limits_.begin()->second);
    leg.failed = true;
    SetConnectLimit(leg, std::nullopt);
    Report(leg, MediaEventType::kNeverUp,
           leg.dtls->path() ? "DTLS did not finish" : "no connectivity check came");
  }
}

void MediaSessions::Report(MediaLeg& leg, MediaEventType type, std::string reason) {
  switch (type) {
    case MediaEventType::kMediaUp:
      break;
    case MediaEventType::kDtlsFailed:
      ++counters_.dtls_failed;
      break;
    case MediaEventType::kConsentLost:
      ++counters_.consent_lost;
      break;
    case MediaEventType::kNeverUp:
      ++counters_.never_up;
      break;
    case MediaEventType::kFlowRefused:
      ++counters_.flow_refused;
      break;
  }
  outputs_.push_back(MediaEvent{leg.call, leg.id, type, std::move(reason)});
}

// --- outputs ---

std::optional<Output> MediaSessions::PollOutput() {
  if (auto command = commands_.PollCommand(now_)) {
    return std::visit([](auto& c) -> Output { return c; }, *command);
  }
  if (outputs_.empty()) return std::nullopt;
  Output output = std::move(outputs_.front());
  outputs_.pop_front();
  return output;
}

std::optional<TimePoint> MediaSessions::NextTimeout() const {
  std::optional<TimePoint> next = commands_.NextTimeout();
  if (!dtls_timers_.empty() && (!next || dtls_timers_.begin()->first < *next))
    next = dtls_timers_.begin()->first;
  if (!connect_limits_.empty() && (!next || connect_limits_.begin()->first < *next))
    next = connect_limits_.begin()->first;
  return next;
}

}  // namespace linegate::session
