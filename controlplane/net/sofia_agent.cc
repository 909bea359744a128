#include "controlplane/net/sofia_agent.h"

#include <sofia-sip/msg_addr.h>
#include <sofia-sip/nta_tag.h>
#include <sofia-sip/su_tag.h>
#include <sofia-sip/tport_tag.h>

#include <algorithm>
#include <utility>

#include "controlplane/net/sofia_message.h"

namespace linegate::net {
namespace {

/// RFC 3261 section 18.1.1: larger requests must not go by UDP when the path MTU is unknown.
constexpr unsigned kUdpRequestBytes = 1300;

std::string UriOf(const Endpoint& endpoint, std::string_view transport) {
  return "sip:" + endpoint.ToString() + ";transport=" + std::string(transport);
}

}  // namespace

SofiaAgent::SofiaAgent(su_root_t* root, const TrunkOptions& options, Emit emit, AtomicTrunkCounters& counters)
    : root_(root), options_(options), emit_(std::move(emit)), counters_(counters) {}

SofiaAgent::~SofiaAgent() {
  while (!servers_.empty()) EndServer(servers_.begin()->first);
  while (!clients_.empty()) EndClient(clients_.begin()->first);
  if (timer_ != nullptr) su_timer_destroy(timer_);
  if (leg_ != nullptr) nta_leg_destroy(leg_);
  if (agent_ != nullptr) nta_agent_destroy(agent_);
}

Status SofiaAgent::Open() {
  if (options_.listen.empty()) return Fail("no SIP address to listen on");
  const auto t1 = unsigned(options_.t1.count());
  for (const Endpoint& local : options_.listen) {
    for (const char* transport : {"udp", "tcp"}) {
      const std::string uri = UriOf(local, transport);
      if (agent_ == nullptr) {
        agent_ = nta_agent_create(root_, URL_STRING_MAKE(uri.c_str()), nullptr, nullptr, NTATAG_UA(0),
                                  NTATAG_SIPFLAGS(MSG_DO_EXTRACT_COPY | MSG_DO_CANONIC),
                                  NTATAG_MAXSIZE(limits_.message_bytes), NTATAG_UDP_MTU(kUdpRequestBytes),
                                  NTATAG_MAX_PROCEEDING(options_.max_transactions), NTATAG_PASS_100(1),
                                  NTATAG_TIMEOUT_408(1), NTATAG_CANCEL_487(0), NTATAG_USE_NAPTR(0),
                                  NTATAG_USE_SRV(0), NTATAG_SIP_T1(t1), NTATAG_SIP_T1X64(64 * t1),
                                  NTATAG_SIP_T2(8 * t1), NTATAG_SIP_T4(10 * t1), TAG_END());
        if (agent_ == nullptr) return Fail("cannot listen on " + local.ToString() + " (" + transport + ")");
      } else if (nta_agent_add_tport(agent_, URL_STRING_MAKE(uri.c_str()), TAG_END()) < 0) {
        return Fail("cannot listen on " + local.ToString() + " (" + transport + ")");
      }
    }
    auto filter = SourceFilter::Attach(local, options_.allowed_sources);
    if (!filter) return MakeUnexpected(std::move(filter).error());
    filters_.push_back(*std::move(filter));
  }
  leg_ = nta_leg_tcreate(agent_, OnRequest, this, NTATAG_NO_DIALOG(1), TAG_END());
  timer_ = su_timer_create(su_root_task(root_), 0);
  if (leg_ == nullptr || timer_ == nullptr) return Fail("SIP trunk: out of memory");
  return {};
}

void SofiaAgent::Execute(const sip::Action& action) {
  if (const auto* request = std::get_if<sip::SendRequest>(&action)) Send(*request);
  if (const auto* response = std::get_if<sip::SendResponse>(&action)) Respond(*response);
  if (const auto* cancel = std::get_if<sip::CancelRequest>(&action)) Cancel(*cancel);
}

// ---- timers

void SofiaAgent::OnTimer(su_root_magic_t*, su_timer_t*, SofiaAgent* self) { self->RunTimers(); }

void SofiaAgent::RunTimers() {
  const TimePoint now = MonotonicNow();
  while (!timers_.empty() && timers_.begin()->first <= now) {
    const Handle handle = timers_.begin()->second;
    if (const auto server = servers_.find(handle); server != servers_.end()) {
      ServerTimerFired(now, handle, server->second);
      continue;
    }
    // A 2xx long enough ago is forgotten (timer M); a CANCEL that ended nothing ends here (RFC 3261
    // section 9.1).
    Client& client = clients_.at(handle);
    if (client.accepted.empty()) {
      HandleFailure(handle, client, 408);
    } else {
      EndClient(handle);
    }
  }
  ArmTimer();
}

template <typename Transaction>
void SofiaAgent::SetTimer(Handle handle, Transaction& transaction, std::optional<TimePoint> at) {
  if (transaction.timer) timers_.erase({*transaction.timer, handle});
  transaction.timer = at;
  if (at) timers_.emplace(*at, handle);
  ArmTimer();
}
template void SofiaAgent::SetTimer(Handle, Server&, std::optional<TimePoint>);
template void SofiaAgent::SetTimer(Handle, Client&, std::optional<TimePoint>);

void SofiaAgent::ArmTimer() {
  if (timer_ == nullptr) return;
  if (timers_.empty()) {
    su_timer_reset(timer_);
    return;
  }
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(timers_.begin()->first - MonotonicNow());
  su_timer_set_interval(timer_, OnTimer, this, std::max<su_duration_t>(1, left.count()));
}

}  // namespace linegate::net
