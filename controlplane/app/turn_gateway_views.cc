// What linegatectl shows of TURN.
#include <cstdio>
#include <nlohmann/json.hpp>

#include "controlplane/app/turn_gateway.h"

namespace linegate::app {
namespace {

using Json = nlohmann::json;

/// One answer of the control plane's only thread must not hold up calls, however many allocations there are.
constexpr size_t kMostListed = 500;

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

const char* NameOf(turn::PeerView::Kind kind) {
  switch (kind) {
    case turn::PeerView::Kind::kPermission:
      return "permission";
    case turn::PeerView::Kind::kChannel:
      return "channel";
    case turn::PeerView::Kind::kConnecting:
      return "connecting";
    case turn::PeerView::Kind::kUnbound:
      return "unbound";
    case turn::PeerView::Kind::kBound:
      return "bound";
  }
  return "unknown";
}

std::string ChannelText(uint16_t channel) {
  char text[8];
  std::snprintf(text, sizeof text, "0x%04x", channel);
  return text;
}

int64_t SecondsUntil(TimePoint now, TimePoint then) {
  return std::chrono::duration_cast<std::chrono::seconds>(then - now).count();
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

/// Of relayed TCP also what each connection has carried; `row` gets their sum.
Json TurnGateway::PeersJson(TimePoint now, const turn::AllocationView& view, Json& row) const {
  Json peers = Json::array();
  net::TurnTcpTraffic sum;
  server_->ForEachPeer(view.id, [&](const turn::PeerView& peer) {
    Json entry = {{"kind", NameOf(peer.kind)},
                  {"peer", peer.peer.port == 0 ? peer.peer.address.ToString() : peer.peer.ToString()}};
    if (peer.channel != 0) entry["channel"] = ChannelText(peer.channel);
    if (peer.expires_at) entry["seconds"] = SecondsUntil(now, *peer.expires_at);
    if (peer.connection.value() != 0 && tcp_relay_) {
      const net::TurnTcpTraffic traffic = tcp_relay_->TrafficOf(peer.connection);
      entry["to_peer_bytes"] = traffic.to_peer_bytes;
      entry["to_client_bytes"] = traffic.to_client_bytes;
      sum.to_peer_bytes += traffic.to_peer_bytes;
      sum.to_client_bytes += traffic.to_client_bytes;
    }
    peers.push_back(std::move(entry));
  });
  if (view.tcp) row["to_peer_bytes"] = sum.to_peer_bytes, row["to_client_bytes"] = sum.to_client_bytes;
  return peers;
}

Json TurnGateway::AllocationsJson() const {
  Json rows = Json::array();
  uint64_t permissions = 0, channels = 0, not_listed = 0;
  const TimePoint now = MonotonicNow();
  server_->ForEachAllocation([&](const turn::AllocationView& view) {
    permissions += view.permissions;
    channels += view.channels;
    if (rows.size() == kMostListed) {
      ++not_listed;
      return;
    }
    Json row = {{"allocation", view.id.value()},
                {"user", ops::Masked(view.user)},
                {"transport", NameOf(view.client->transport)},
                {"client", view.client->remote.ToString()},
                {"server", view.client->local.ToString()},
                {"relayed", RelayedText(view)},
                {"relays", view.tcp ? "tcp" : "udp"},
                {"permissions", view.permissions},
                {"channels", view.channels},
                {"seconds", SecondsUntil(now, view.expires_at)}};
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
    row["peers"] = PeersJson(now, view, row);
    rows.push_back(std::move(row));
  });
  Json result = TotalsJson();
  result["permissions"] = permissions;
  result["channels"] = channels;
  if (not_listed != 0) result["not_listed"] = not_listed;
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
    counters["tcp_accept_errors"] = tcp.accept_errors;
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
