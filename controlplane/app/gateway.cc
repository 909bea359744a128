#include "controlplane/app/gateway.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "controlplane/app/state_key.h"
#include "controlplane/dtls/certificate.h"
#include "controlplane/ops/sqlite_binding_store.h"
#include "controlplane/sip/digest.h"
#include "dataplane/abi/link_region.h"
#include "dataplane/base/ice_ufrag.h"

namespace linegate::app {
namespace {

/// With legs to serve an event waits half a millisecond on average (docs/decisions/0002); without, ten times that.
constexpr Duration kPollBusy = std::chrono::milliseconds(1);
constexpr Duration kPollIdle = std::chrono::milliseconds(10);
constexpr Duration kReattachInterval = std::chrono::milliseconds(500);
/// Without a dataplane nobody watches consent; this long after its last beat no browser has any left (RFC 7675 section 5.1).
constexpr Duration kDataplaneGrace = std::chrono::seconds(30);

template <typename T>
MutableByteView BytesOf(T& record) {
  return {reinterpret_cast<uint8_t*>(&record), sizeof record};
}

std::optional<TimePoint> Earliest(std::initializer_list<std::optional<TimePoint>> times) {
  std::optional<TimePoint> earliest;
  for (const auto& time : times) {
    if (time && (!earliest || *time < *earliest)) earliest = time;
  }
  return earliest;
}

session::SdesPolicy SdesPolicyOf(const ops::SipConfig& sip) {
  session::SdesPolicy policy;
  policy.mode = session::SdesMode(sip.srtp);
  static_assert(int(ops::SrtpUse::kOptional) == int(session::SdesMode::kOptional) &&
                int(ops::SrtpUse::kRequired) == int(session::SdesMode::kRequired));
  for (const std::string& name : sip.srtp_suites) {
    const auto suite = sdp::SuiteOf(name);
    LG_FATAL(suite.has_value());  // LoadConfig knows the names
    policy.suites.push_back(*suite);
  }
  policy.mki_bytes = sip.srtp_mki_bytes;
  return policy;
}

Endpoint Advertised(const settings::Realm& realm, const Endpoint& local) {
  for (size_t i = 0; i < realm.addresses.size() && i < realm.advertise.size(); ++i) {
    if (realm.addresses[i] == local.address) return {realm.advertise[i], local.port};
  }
  return local;
}

}  // namespace

Result<std::unique_ptr<Gateway>> Gateway::Start(net::Runtime& runtime, ops::Config config) {
  auto link = link::ShmLink::Attach(abi::LinkPath(config.media.runtime_directory), config.media.hash,
                                    config.media.workers, config.media.flows_per_worker,
                                    config.media.relays_per_worker);
  if (!link) return MakeUnexpected(std::move(link).error());
  std::unique_ptr<Gateway> gateway(new Gateway(runtime, std::move(config), std::move(link).value()));
  if (auto started = gateway->StartParts(); !started) return MakeUnexpected(std::move(started).error());
  return gateway;
}

Gateway::Gateway(net::Runtime& runtime, ops::Config config, link::ShmLink link)
    : runtime_(runtime), config_(std::move(config)), link_(std::move(link)) {}

Gateway::~Gateway() = default;

Status Gateway::StartParts() {
  if (mkdir(config_.state_directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return Fail("state directory " + config_.state_directory + ": " + std::strerror(errno));
  }
  auto key = LoadOrMakeKey(config_.state_directory + "/identity.key", rng_);
  if (!key) return MakeUnexpected(std::move(key).error());
  auto dtls = dtls::MakeOpenSslDtlsFactory(config_.state_directory);
  if (!dtls) return MakeUnexpected(std::move(dtls).error());
  dtls_ = std::move(dtls).value();
  auto bindings = ops::SqliteBindingStore::Open(config_.state_directory + "/bindings.sqlite");
  if (!bindings) return MakeUnexpected(std::move(bindings).error());
  bindings_ = std::move(bindings).value();
  auto next_hops = NextHops::Start(runtime_, config_.media, [this] {
    // A router's new address is told once for every destination behind it: all are looked at together.
    if (media_ == nullptr || std::exchange(next_hops_moved_, true)) return;
    runtime_.Post([this] {
      next_hops_moved_ = false;
      media_->OnNextHopChanged();
      if (turn_) turn_->HandleNextHopChanged();
      Pump();
    });
  });
  if (!next_hops) return MakeUnexpected(std::move(next_hops).error());
  next_hops_ = std::move(next_hops).value();

  ForgetCallsOfPredecessor();
  session::MediaConfig media_config;
  media_config.web_realm = config_.web.realm;
  media_config.sip_realm = config_.sip ? config_.sip->realm : "";
  if (config_.sip) media_config.srtp = SdesPolicyOf(*config_.sip);
  media_config.first_sequence = link_.first_sequence() + link_.workers();
  auto media = session::MediaSessions::Create(
      config_.media, media_config, *dtls_, rng_, *next_hops_, [this](const abi::FlowRef& flow, Rng& rng) {
        const auto ice_key = link_.ice_key();
        return MakeIceUfrag(ice_key, {flow.worker, flow.index, flow.generation}, rng);
      });
  if (!media) return MakeUnexpected(std::move(media).error());
  media_ = std::move(media).value();

  sip::WssTransactionsOptions wss_options;
  wss_options.via_host = "gateway.invalid";
  wss_ = std::make_unique<sip::WssTransactions>(wss_options, parser_, rng_);
  core_ = std::make_unique<sip::B2bua>(SignallingConfig(std::move(*key)), *media_, *bindings_, hashes_, rng_);
  if (auto started = StartTrunk(); !started) return started;
  if (auto started = StartTurn(); !started) return started;
  if (auto started = StartWeb(); !started) return started;
  if (auto started = StartAdmin(); !started) return started;
  PollLink();
  return {};
}

sip::B2buaConfig Gateway::SignallingConfig(SecretBytes<32> identity_key) const {
  sip::B2buaConfig result;
  const settings::Realm& web = config_.realm(config_.web.realm);
  if (!config_.web.listen.empty()) result.web_host = Advertised(web, config_.web.listen.front()).ToString();
  if (config_.sip) {
    result.trunk_local = Advertised(config_.realm(config_.sip->realm), config_.sip->listen.front());
    result.sip_server = config_.sip->server;
  }
  for (const ops::DomainConfig& domain : config_.domains) {
    sip::DomainConfig d;
    d.name = domain.name;
    d.mode = domain.mode == ops::DomainMode::kLocal ? sip::DomainMode::kLocal : sip::DomainMode::kRelay;
    d.test_numbers =
        domain.test_numbers == ops::TestNumbers::kOn ? sip::TestNumbers::kOn : sip::TestNumbers::kOff;
    for (const ops::UserConfig& user : domain.users) {
      d.users.push_back(
          {user.name, sip::ComputeHa1(hashes_, user.name, domain.name, user.password.reveal())});
    }
    result.domains.push_back(std::move(d));
  }
  result.registration.min_expires = config_.registration.min_expires;
  result.registration.max_expires = config_.registration.max_expires;
  result.identity_key = std::move(identity_key);
  return result;
}

Status Gateway::StartTrunk() {
  if (!config_.sip) return {};
  net::TrunkOptions options;
  options.listen = config_.sip->listen;
  options.allowed_sources = config_.sip->allowed_sources;
  options.allowed_sources.push_back(config_.sip->server.address);
  auto trunk = net::SofiaTrunk::Start(
      options, [this](std::function<void()> work) { runtime_.Post(std::move(work)); },
      [this](sip::Event event) {
        const TimePoint now = MonotonicNow();
        media_->AdvanceTo(now);  // what the call asks of media happens at this time, not at the last event's
        core_->Handle(now, event);
        Pump();
      });
  if (!trunk) return MakeUnexpected(std::move(trunk).error());
  trunk_ = std::move(trunk).value();
  return {};
}

Status Gateway::StartAdmin() {
  auto admin = ops::AdminServer::Start(runtime_, config_.admin_socket);
  if (!admin) return MakeUnexpected(std::move(admin).error());
  admin_ = std::move(admin).value();
  RegisterViews();
  return {};
}

void Gateway::Reload() {
  auto reloaded = web_->Reload();
  if (reloaded && turn_) reloaded = turn_->Reload();
  if (!reloaded) {
    ops::LogError("reload_failed", {{"reason", reloaded.error().message()}});
    return;
  }
  ops::LogInfo("reloaded", {{"what", "certificate and page; other changes need a restart"}});
}

// ---- edges in

void Gateway::OnFlowOpened(sip::FlowToken flow, Endpoint source) {
  wss_->HandleFlowOpened(MonotonicNow(), flow, source);
  Pump();
}

void Gateway::OnText(sip::FlowToken flow, std::string_view message) {
  wss_->HandleMessage(MonotonicNow(), flow, message);
  Pump();
}

void Gateway::OnFlowClosed(sip::FlowToken flow) {
  wss_->HandleFlowClosed(MonotonicNow(), flow);
  Pump();
}

void Gateway::OnCommandDone(const abi::CommandDone& done) {
  if (!session::IsRelay(done.flow)) {
    media_->HandleCommandDone(MonotonicNow(), done);
  } else if (turn_) {
    turn_->HandleCommandDone(done);
  }
  link_moved_ = true;
}

void Gateway::OnPathValidated(const abi::PathEvent& path) {
  media_->HandlePathValidated(MonotonicNow(), path);
  link_moved_ = true;
}

void Gateway::OnPathSelected(const abi::PathEvent& path) {
  media_->HandlePathSelected(MonotonicNow(), path);
  link_moved_ = true;
}

void Gateway::OnConsentLost(const abi::FlowRef& flow) {
  media_->HandleConsentLost(MonotonicNow(), flow);
  link_moved_ = true;
}

void Gateway::OnPuntedDtls(const abi::FlowRef& flow, const Endpoint& local, const Endpoint& remote,
                           ByteView datagram) {
  media_->HandlePunt(MonotonicNow(), flow, local, remote, datagram);
  link_moved_ = true;
}

void Gateway::OnPuntedTurn(uint16_t worker, const abi::TurnPuntRecord& record, ByteView message) {
  if (!turn_) return;
  turn_->HandlePunt(MonotonicNow(), worker, record, message);
  link_moved_ = true;
}

void Gateway::OnRelayToClient(const abi::RelayRef& relay, ByteView message) {
  if (turn_) turn_->HandleRelayToClient(relay, message);
}

void Gateway::OnDataplaneRestarted() {
  ops::LogWarning("dataplane_restarted", {{"calls", media_->totals().calls}});
  media_->ReprogramAll();
  if (turn_) turn_->ReprogramAll();
  link_moved_ = true;
}

// ---- between the parts

void Gateway::Pump() {
  if (pumping_) return;
  pumping_ = true;
  const TimePoint now = MonotonicNow();
  media_->AdvanceTo(now);
  while (PumpOnce(now)) {
  }
  pumping_ = false;
  ArmTimer(now);
}

bool Gateway::PumpOnce(TimePoint now) {
  bool moved = false;
  for (sip::Event event; wss_->PollEvent(event); moved = true) core_->Handle(now, event);
  while (auto action = core_->PollAction()) Dispatch(now, *action), moved = true;
  for (sip::WssOutput output; wss_->PollOutput(output); moved = true) Deliver(output);
  while (auto output = media_->PollOutput()) Deliver(now, *output), moved = true;
  if (turn_ && turn_->Pump(now)) moved = true;
  return moved;
}

void Gateway::Dispatch(TimePoint now, const sip::Action& action) {
  if (wss_->Execute(now, action)) return;
  if (trunk_ != nullptr) trunk_->Execute(action);
}

void Gateway::Deliver(const sip::WssOutput& output) {
  if (const auto* frame = std::get_if<sip::SendFrame>(&output)) {
    web_->Send(frame->flow, frame->text);
  } else if (const auto* close = std::get_if<sip::CloseConnection>(&output)) {
    web_->Close(close->flow, close->code);
  }
}

void Gateway::Deliver(TimePoint now, session::Output& output) {
  if (auto* program = std::get_if<abi::ProgramFlow>(&output)) {
    SendCommand(program->header.flow.worker, abi::CommandType::kProgramFlow, program->header.sequence,
                BytesOf(*program));
  } else if (auto* keys = std::get_if<abi::InstallKeys>(&output)) {
    SendCommand(keys->header.flow.worker, abi::CommandType::kInstallKeys, keys->header.sequence,
                BytesOf(*keys));
    Wipe(keys, sizeof *keys);
  } else if (auto* remove = std::get_if<abi::RemoveFlow>(&output)) {
    SendCommand(remove->header.flow.worker, abi::CommandType::kRemoveFlow, remove->header.sequence,
                BytesOf(*remove));
  } else if (const auto* inject = std::get_if<session::Inject>(&output)) {
    link_.Inject(inject->record.flow.worker, inject->record, inject->payload);
  } else if (const auto* event = std::get_if<session::MediaEvent>(&output)) {
    HandleMediaEvent(now, *event);
  }
}

/// A full ring loses nothing: MediaSessions sends again what was not answered.
void Gateway::SendCommand(uint16_t worker, abi::CommandType type, uint64_t sequence,
                          MutableByteView command) {
  link_.SendCommand(worker, type, command);
  link_.NoteSequence(sequence);
}

void Gateway::HandleMediaEvent(TimePoint now, const session::MediaEvent& event) {
  switch (event.type) {
    case session::MediaEventType::kMediaUp:
      ops::LogInfo("media_up",
                   {{"call", event.call.value()}, {"leg", event.leg.value()}, {"detail", event.reason}});
      return;
    case session::MediaEventType::kDtlsFailed:
    case session::MediaEventType::kConsentLost:
    case session::MediaEventType::kNeverUp:
    case session::MediaEventType::kFlowRefused:
      break;
  }
  ops::LogWarning("media_failed",
                  {{"call", event.call.value()}, {"leg", event.leg.value()}, {"reason", event.reason}});
  core_->EndCall(now, event.call);
}

void Gateway::ArmTimer(TimePoint now) {
  const auto due = Earliest({core_->NextTimeout(), wss_->NextTimeout(), media_->NextTimeout(),
                             turn_ ? turn_->NextTimeout() : std::nullopt});
  if (timer_ && due && timer_due_ == *due) return;
  if (timer_) runtime_.Cancel(*timer_);
  timer_.reset();
  if (!due) return;
  timer_due_ = std::max(*due, now);
  timer_ = runtime_.CallAt(timer_due_, [this] {
    timer_.reset();
    const TimePoint fired = MonotonicNow();
    media_->AdvanceTo(fired);
    wss_->HandleTimeout(fired);
    core_->HandleTimeout(fired);
    media_->HandleTimeout(fired);
    if (turn_) turn_->HandleTimeout(fired);
    Pump();
  });
}

// ---- the dataplane

void Gateway::PollLink() {
  const TimePoint now = MonotonicNow();
  link_moved_ = false;
  link_.Poll(now, *this);
  ReattachIfGone(now);
  if (link_moved_) Pump();
  const bool is_busy = media_->totals().legs > 0 || (turn_ && turn_->relay_count() > 0);
  runtime_.CallAfter(is_busy ? kPollBusy : kPollIdle, [this] { PollLink(); });
}

/// A dataplane that stopped cleanly has unlinked its region and the next one makes another file.
void Gateway::ReattachIfGone(TimePoint now) {
  const bool up = link_.dataplane_up(now);
  media_->SetDataplaneUp(up);
  if (up) {
    dataplane_seen_ = now;
    return;
  }
  if (now - last_attach_attempt_ < kReattachInterval) return;
  last_attach_attempt_ = now;
  if (now - dataplane_seen_ >= kDataplaneGrace) EndCallsWithoutMedia(now);
  auto link = link::ShmLink::Attach(abi::LinkPath(config_.media.runtime_directory), config_.media.hash,
                                    config_.media.workers, config_.media.flows_per_worker,
                                    config_.media.relays_per_worker);
  if (!link || !link->dataplane_up(now)) return;
  link_ = std::move(link).value();
  media_->SetDataplaneUp(true);
  OnDataplaneRestarted();
}

void Gateway::EndCallsWithoutMedia(TimePoint now) {
  const std::vector<session::CallView> calls = media_->Calls(session::Redaction::kRedacted);
  if (calls.empty()) return;
  ops::LogError("dataplane_gone", {{"calls_ended", calls.size()}});
  for (const session::CallView& call : calls) core_->EndCall(now, call.id);
  link_moved_ = true;
}

/// No journal yet: what an earlier control plane programmed belongs to calls nobody can end any more.
void Gateway::ForgetCallsOfPredecessor() {
  for (uint16_t worker = 0; worker < link_.workers(); ++worker) {
    abi::RemoveAllFlows command;
    command.header.sequence = link_.first_sequence() + worker;
    command.header.flow.worker = worker;
    SendCommand(worker, abi::CommandType::kRemoveAllFlows, command.header.sequence, BytesOf(command));
  }
}

}  // namespace linegate::app
