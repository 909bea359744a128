// What linegatectl shows: views over the parts, made when asked for.
#include <map>
#include <nlohmann/json.hpp>

#include "controlplane/app/gateway.h"

namespace linegate::app {
namespace {

using Json = nlohmann::json;

Json FlowJson(const session::CallView& call, const session::LegView& leg,
              const std::optional<abi::FlowStats>& stats) {
  Json flow = {
      {"call", call.id.value()},           {"leg", leg.id.value()},
      {"worker", leg.flow.worker},         {"slot", leg.flow.index},
      {"generation", leg.flow.generation}, {"from", leg.kind == sip::LegKind::kWebRtc ? "webrtc" : "sip"}};
  if (!stats) return flow;
  flow["received_pkts"] = stats->received_pkts;
  flow["received_bytes"] = stats->received_bytes;
  flow["sent_pkts"] = stats->sent_pkts;
  flow["sent_bytes"] = stats->sent_bytes;
  flow["dropped_pkts"] = stats->dropped_pkts;
  flow["lost_pkts"] = stats->lost_pkts;
  flow["rtcp_received_pkts"] = stats->rtcp_received_pkts;
  flow["jitter_rtp_ticks"] = stats->jitter_rtp_ticks;
  flow["last_drop_reason"] = stats->last_drop_reason < abi::kDropReasonInfoCount
                                 ? abi::kDropReasonInfo[stats->last_drop_reason].name
                                 : "unknown";
  return flow;
}

Json LegJson(const session::LegView& leg) {
  return {{"leg", leg.id.value()},    {"kind", leg.kind == sip::LegKind::kWebRtc ? "webrtc" : "sip"},
          {"state", leg.state},       {"codec", leg.codec},
          {"srtp", leg.srtp_profile}, {"remote", leg.remote}};
}

int64_t SecondsBetween(TimePoint from, TimePoint to) {
  return std::chrono::duration_cast<std::chrono::seconds>(to - from).count();
}

}  // namespace

void Gateway::RegisterViews() {
  admin_->Register("status", [this](const Json&) -> Json {
    const session::MediaTotals totals = media_->totals();
    const TimePoint now = MonotonicNow();
    Json status = {{"calls", totals.calls},
                   {"legs", totals.legs},
                   {"flows", totals.flows},
                   {"registrations", core_->Registrations(now).size()},
                   {"connections", web_->flow_count()},
                   {"dataplane", link_.dataplane_up(now) ? "up" : "down"},
                   {"workers", link_.workers()}};
    if (turn_) status.update(turn_->TotalsJson());
    return status;
  });
  admin_->Register("turn", [this](const Json&) -> Json {
    return turn_ ? turn_->AllocationsJson() : Json{{"allocations", 0}};
  });
  admin_->Register("calls", [this](const Json&) -> Json {
    std::map<uint64_t, session::CallView> media;
    for (session::CallView& view : media_->Calls(session::Redaction::kPlain))
      media.emplace(view.id.value(), std::move(view));
    Json calls = Json::array();
    for (const sip::CallSummary& summary : core_->Calls()) {
      Json call = {{"call", summary.media.value()},
                   {"caller", summary.caller},
                   {"callee", summary.callee},
                   {"state", summary.state},
                   {"call_id", summary.caller_call_id},
                   {"seconds", SecondsBetween(summary.started_at, MonotonicNow())},
                   {"legs", Json::array()}};
      if (const auto found = media.find(summary.media.value()); found != media.end()) {
        for (const session::LegView& leg : found->second.legs) call["legs"].push_back(LegJson(leg));
      }
      calls.push_back(std::move(call));
    }
    return calls;
  });
  admin_->Register("flows", [this](const Json&) -> Json {
    Json flows = Json::array();
    for (const session::CallView& call : media_->Calls(session::Redaction::kRedacted)) {
      for (const session::LegView& leg : call.legs) {
        if (leg.flow) flows.push_back(FlowJson(call, leg, link_.ReadFlowStats(leg.flow)));
      }
    }
    return flows;
  });
  admin_->Register("registrations", [this](const Json&) -> Json {
    Json registrations = Json::array();
    const TimePoint now = MonotonicNow();
    for (const sip::RegistrationSummary& r : core_->Registrations(now)) {
      registrations.push_back({{"aor", r.aor},
                               {"expires_s", SecondsBetween(now, r.expires_at)},
                               {"connected", r.flow.has_value()}});
    }
    return registrations;
  });
  admin_->Register("drops", [this](const Json&) -> Json { return DropsJson(); });
}

/// Everything that was refused anywhere, by reason: the dataplane's packets first, then signalling.
Json Gateway::DropsJson() const {
  Json packets = Json::object(), counters = Json::object(), signalling = Json::object();
  for (uint16_t worker = 0; worker < link_.workers(); ++worker) {
    abi::WorkerCounters all;
    link_.ReadCounters(worker, all);
    for (uint32_t i = 1; i < abi::kDropReasonInfoCount; ++i) {
      auto& sum = packets[std::string(abi::kDropReasonInfo[i].name)];
      sum = (sum.is_null() ? uint64_t(0) : sum.get<uint64_t>()) + all.drops[abi::kDropReasonInfo[i].id];
    }
    for (uint32_t i = 0; i < abi::kCounterInfoCount; ++i) {
      auto& sum = counters[std::string(abi::kCounterInfo[i].name)];
      sum = (sum.is_null() ? uint64_t(0) : sum.get<uint64_t>()) + all.counters[abi::kCounterInfo[i].id];
    }
  }
  const link::XdpDrops xdp = link_.ReadXdpDrops();
  packets["xdp_no_socket"] = xdp.no_socket_pkts;
  packets["xdp_fragment"] = xdp.fragment_pkts;
  web_->counters().ForEach([&](std::string_view name, std::string_view, uint64_t value) {
    signalling["web_" + std::string(name)] = value;
  });
  const sip::WssCounters& wss = wss_->counters();
  signalling["wss_refused"] = wss.refused;
  signalling["wss_garbage"] = wss.garbage;
  signalling["wss_stray_responses"] = wss.stray_responses;
  signalling["wss_over_limit"] = wss.over_limit;
  core_->counters().ForEach([&](std::string_view name, std::string_view, uint64_t value) {
    signalling["sip_" + std::string(name)] = value;
  });
  const session::MediaCounters& media = media_->counters();
  signalling["media_dtls_failed"] = media.dtls_failed;
  signalling["media_consent_lost"] = media.consent_lost;
  signalling["media_never_up"] = media.never_up;
  signalling["media_flow_refused"] = media.flow_refused;
  if (trunk_ != nullptr) {
    const net::TrunkCounters trunk = trunk_->counters();
    signalling["trunk_foreign_packets_dropped"] = trunk.foreign_packets_dropped;
    signalling["trunk_refused"] = trunk.refused;
    signalling["trunk_unsendable"] = trunk.unsendable;
    signalling["trunk_client_timeouts"] = trunk.client_timeouts;
    signalling["trunk_transport_failures"] = trunk.transport_failures;
  }
  signalling["link_malformed_records"] = link_.counters().malformed_records;
  signalling["link_inject_ring_full"] = link_.counters().inject_ring_full;
  Json drops = {{"packets", std::move(packets)},
                {"counters", std::move(counters)},
                {"signalling", std::move(signalling)}};
  if (turn_) drops["turn"] = turn_->CountersJson();
  return drops;
}

}  // namespace linegate::app
