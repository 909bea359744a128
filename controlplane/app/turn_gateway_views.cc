// What linegatectl shows of TURN.
#include <nlohmann/json.hpp>

#include "controlplane/app/turn_gateway.h"

namespace linegate::app {
namespace {

using Json = nlohmann::json;

const char* NameOf(turn::ClientTransport transport) {
  switch (transport) {
    case turn::ClientTransport::kUdp:
      return "udp";
    case turn::ClientTransport::kTcp:
      return "tcp";
    case turn::ClientTransport::kTls:
      return "tls";
    case turn::ClientTransport::kDtls:
      return "dtls";
  }
  return "unknown";
}

std::string RelayedText(const turn::AllocationView& view) {
  std::string text;
  for (const Endpoint& relayed : view.relayed) {
    if (relayed.address.family() == IpFamily::kNone) continue;
    text += (text.empty() ? "" : " ") + relayed.ToString();
  }
  return text;
}

}  // namespace

Json TurnGateway::AllocationsJson() const {
  Json rows = Json::array();
  uint64_t permissions = 0, channels = 0;
  const TimePoint now = MonotonicNow();
  server_->ForEachAllocation([&](const turn::AllocationView& view) {
    Json row = {{"allocation", view.id.value()},
                {"user", ops::Masked(view.user)},
                {"transport", NameOf(view.client->transport)},
                {"client", view.client->remote.ToString()},
                {"server", view.client->local.ToString()},
                {"relayed", RelayedText(view)},
                {"relays", view.tcp ? "tcp" : "udp"},
                {"permissions", view.permissions},
                {"channels", view.channels},
                {"seconds", std::chrono::duration_cast<std::chrono::seconds>(view.expires_at - now).count()}};
    const auto relay = programmer_.RelayOf(view.id);
    const auto stats = relay ? link_.ReadRelayStats(*relay) : std::nullopt;
    if (relay) row["worker"] = relay->worker, row["slot"] = relay->index;
    if (stats) {
      row["to_peer_pkts"] = stats->to_peer_pkts;
      row["to_peer_bytes"] = stats->to_peer_bytes;
      row["to_client_pkts"] = stats->to_client_pkts;
      row["to_client_bytes"] = stats->to_client_bytes;
      row["dropped_pkts"] = stats->dropped_pkts;
      row["last_drop_reason"] = stats->last_drop_reason < abi::kDropReasonInfoCount
                                    ? abi::kDropReasonInfo[stats->last_drop_reason].name
                                    : "unknown";
    }
    permissions += view.permissions;
    channels += view.channels;
    rows.push_back(std::move(row));
  });
  Json result = TotalsJson();
  result["permissions"] = permissions;
  result["channels"] = channels;
  result["list"] = std::move(rows);
  return result;
}

/// All zero once every allocation has ended and the workers have confirmed it.
Json TurnGateway::TotalsJson() const {
  return {{"allocations", server_->allocation_count()},
          {"relays", programmer_.relay_count()},
          {"turn_connections", streams_->connection_count() + (dtls_ ? dtls_->association_count() : 0)},
          {"turn_tcp_peers", tcp_relay_ ? tcp_relay_->connection_count() : 0}};
}

Json TurnGateway::CountersJson() const {
  Json counters = Json::object();
  server_->counters().ForEach(
      [&](std::string_view name, std::string_view, uint64_t value) { counters[std::string(name)] = value; });
  streams_->counters().ForEach([&](std::string_view name, std::string_view, uint64_t value) {
    counters["stream_" + std::string(name)] = value;
  });
  counters["answers_dropped"] = counters_.answers_dropped;
  counters["client_data_dropped"] = counters_.client_data_dropped;
  counters["icmp_passed_on"] = counters_.icmp_passed_on;
  counters["icmp_limited"] = counters_.icmp_limited;
  counters["client_data_unknown"] = counters_.client_data_unknown;
  if (dtls_) {
    const net::TurnDtlsCounters& dtls = dtls_->counters();
    counters["dtls_cookies_sent"] = dtls.cookies_sent;
    counters["dtls_associations_opened"] = dtls.associations_opened;
    counters["dtls_associations_closed"] = dtls.associations_closed;
    counters["dtls_refused"] = dtls.refused;
    counters["dtls_strays"] = dtls.strays;
    counters["dtls_handshake_timeouts"] = dtls.handshake_timeouts;
    counters["dtls_idle_timeouts"] = dtls.idle_timeouts;
    counters["dtls_send_failures"] = dtls.send_failures;
  }
  if (tcp_relay_) {
    const net::TurnTcpRelayCounters& tcp = tcp_relay_->counters();
    counters["tcp_listeners_refused"] = tcp.listeners_refused;
    counters["tcp_peers_accepted"] = tcp.peers_accepted;
    counters["tcp_peers_refused"] = tcp.peers_refused;
    counters["tcp_peers_connected"] = tcp.peers_connected;
    counters["tcp_connect_failures"] = tcp.connect_failures;
    counters["tcp_bytes_to_peers"] = tcp.bytes_to_peers;
    counters["tcp_bytes_to_clients"] = tcp.bytes_to_clients;
  }
  return counters;
}

}  // namespace linegate::app
