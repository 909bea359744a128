#include "controlplane/sip/wss_transactions.h"

#include "controlplane/sip/sip_text.h"

namespace linegate::sip {
namespace {

constexpr Duration kTryingDelay = std::chrono::milliseconds(200);  // RFC 3261 section 17.2.1
constexpr uint16_t kPolicyViolation = 1008;                        // RFC 6455 section 7.4.1
constexpr std::string_view kBranchCookie = "z9hG4bK";              // RFC 3261 section 8.1.1.7

/// RFC 3261 section 17.2.3. Without the cookie (RFC 2543) the whole of what identifies a request is its key;
/// such clients do not exist over WebSocket, so no more is done for them than to keep apart what is
/// different.
std::string ServerKey(const ParsedMessage& request, std::string_view method) {
  std::string key(method);
  if (request.top_via.branch.starts_with(kBranchCookie)) {
    return key.append(" ").append(request.top_via.branch).append(" ").append(request.top_via.sent_by);
  }
  const Message& message = request.message;
  const auto cseq = ParseCSeq(message.Get("CSeq").value_or(""));
  return key.append(" 2543 ")
      .append(message.Get("Call-ID").value_or(""))
      .append(" ")
      .append(std::to_string(cseq ? cseq->number : 0))
      .append(" ")
      .append(message.Get("From").value_or(""))
      .append(" ")
      .append(request.vias.front());
}

std::string_view TagOf(const Message& message, std::string_view header) {
  return GetTag(message.Get(header).value_or("")).value_or(std::string_view());
}

/// An ACK for a 2xx has a branch of its own: it belongs to the INVITE by dialog and CSeq number.
bool Acknowledges(const Message& ack, const Message& invite, std::string_view to_tag) {
  return TagOf(ack, "To") == to_tag && InviteIdentity(ack) == InviteIdentity(invite);
}

}  // namespace

WssTransactions::WssTransactions(WssTransactionsOptions options, const MessageParser& parser, Rng& rng)
    : options_(std::move(options)), parser_(parser), rng_(rng) {}

// ---- flows

void WssTransactions::HandleFlowOpened(TimePoint, FlowToken token, Endpoint source) {
  flows_[token].source = source;
  events_.push_back(FlowOpened{token, source});
}

void WssTransactions::HandleFlowClosed(TimePoint, FlowToken token) {
  const auto found = flows_.find(token);
  if (found == flows_.end()) return;
  const Flow flow = std::move(found->second);
  flows_.erase(found);
  for (const auto& [branch, handle] : flow.clients) {
    const ClientTransaction& client = clients_.at(handle);
    if (client.state != ClientState::kAccepted) {
      events_.push_back(ClientTransactionFailed{client.id, FailureReason::kTransport});
    }
    EndClient(handle);
  }
  for (const auto& [key, handle] : flow.servers) EndServer(handle);
  events_.push_back(FlowClosed{token});
}

void WssTransactions::HandleMessage(TimePoint now, FlowToken token, std::string_view bytes) {
  const auto found = flows_.find(token);
  if (found == flows_.end()) return;
  if (bytes == "\r\n\r\n") return Transmit(token, "\r\n");  // RFC 5626 section 3.5.1: ping, pong
  if (bytes == "\r\n") return;
  ++counters_.messages_received;
  ParseResult parsed = parser_.Parse(bytes);
  if (!parsed) return HandleUnsound(token, found->second, parsed.error());
  if (parsed->message.is_request()) {
    HandleRequest(now, token, found->second, *std::move(parsed));
  } else {
    HandleResponse(now, token, found->second, *std::move(parsed));
  }
}

// ---- requests in

void WssTransactions::HandleRequest(TimePoint now, FlowToken token, Flow& flow, ParsedMessage request) {
  if (request.message.method == "ACK") return HandleAck(token, flow, std::move(request));
  if (request.message.method == "CANCEL") return HandleCancel(token, flow, std::move(request));
  std::string key = ServerKey(request, request.message.method);
  if (const auto existing = flow.servers.find(key); existing != flow.servers.end()) {
    ++counters_.retransmissions;
    const ServerTransaction& server = servers_.at(existing->second);
    // RFC 3261 section 17.2.1; RFC 6026 section 7.1: in Accepted the retransmission is absorbed without an
    // answer.
    if (server.state != ServerState::kAccepted && !server.last_response.empty()) {
      Transmit(token, server.last_response);
    }
    return;
  }
  if (flow.servers.size() >= options_.transactions_per_flow) {
    ++counters_.over_limit;
    return RespondStatelessly(token, request, 503, "Service Unavailable", "");
  }
  const Handle handle = next_handle_++;
  flow.servers.emplace(key, handle);
  ServerTransaction& server = servers_[handle];
  server.flow = token;
  server.key = std::move(key);
  server.invite = request.message.method == "INVITE";
  server.request = request;
  server.request.message.body.clear();
  // Not INVITE: after 64*T1 the client has given up, and a response of ours would find nobody (RFC 4320
  // section 4.2).
  SetTimer(handle, server, now + (server.invite ? kTryingDelay : SixtyFourT1()));
  events_.push_back(
      RequestReceived{ServerTransactionId(handle), WssPeer{token}, flow.source, std::move(request.message)});
}

void WssTransactions::HandleAck(FlowToken token, Flow& flow, ParsedMessage ack) {
  if (const auto same_branch = flow.servers.find(ServerKey(ack, "INVITE"));
      same_branch != flow.servers.end()) {
    const Handle handle = same_branch->second;
    if (servers_.at(handle).state == ServerState::kCompleted) return EndServer(handle);  // timer I is zero
    if (servers_.at(handle).state == ServerState::kProceeding) return;  // acknowledges nothing
  }
  for (const auto& [key, handle] : flow.servers) {
    ServerTransaction& server = servers_.at(handle);
    if (server.state != ServerState::kAccepted) continue;
    if (!Acknowledges(ack.message, server.request.message, server.to_tag)) continue;
    if (std::exchange(server.acked, true)) return;  // repeated
    break;
  }
  // Without a transaction as well: the dialog may have moved to this flow after the INVITE's was lost.
  events_.push_back(
      RequestReceived{ServerTransactionId(0), WssPeer{token}, flow.source, std::move(ack.message)});
}

void WssTransactions::HandleCancel(FlowToken token, Flow& flow, ParsedMessage cancel) {
  const auto found = flow.servers.find(ServerKey(cancel, "INVITE"));
  if (found == flow.servers.end()) {
    ++counters_.stray_cancels;
    return RespondStatelessly(token, cancel, 481, "Call/Transaction Does Not Exist", "");
  }
  ServerTransaction& server = servers_.at(found->second);
  RespondStatelessly(token, cancel, 200, "OK", server.to_tag);
  // RFC 3261 section 9.2: no effect on a request that has its final response.
  if (server.state != ServerState::kProceeding || std::exchange(server.cancelled, true)) return;
  events_.push_back(CancelReceived{ServerTransactionId(found->second), std::move(cancel.message)});
}

void WssTransactions::HandleUnsound(FlowToken token, Flow& flow, const ParseError& error) {
  if (error.request) {
    ++counters_.refused;
    return RespondStatelessly(token, *error.request, error.status, error.reason, "");
  }
  ++counters_.garbage;
  if (++flow.garbage == kGarbageLimit) outputs_.push_back(CloseConnection{token, kPolicyViolation});
}

void WssTransactions::RespondStatelessly(FlowToken token, const ParsedMessage& request, int status,
                                         std::string_view reason, std::string_view to_tag) {
  Message response = MakeResponse(request.message, status, reason);
  if (TagOf(response, "To").empty()) {
    const std::string tag = to_tag.empty() ? rng_.Hex(8) : std::string(to_tag);
    response.Set("To", SetParam(*response.Get("To"), "tag", tag));
  }
  if (status == 503) response.Add("Retry-After", "5");
  Transmit(token, Serialise(response, request.vias));
}

// ---- responses in

void WssTransactions::HandleResponse(TimePoint now, FlowToken token, Flow& flow, ParsedMessage response) {
  const auto found = flow.clients.find(response.top_via.branch);
  // RFC 3261 section 8.1.3.3: more than our own Via was not meant for us.
  const bool ours = found != flow.clients.end() && response.vias.size() == 1 &&
                    SplitCommas(response.vias.front()).size() == 1 &&
                    response.top_via.sent_by == options_.via_host;
  if (!ours) {
    ++counters_.stray_responses;
    return;
  }
  const Handle handle = found->second;
  ClientTransaction& client = clients_.at(handle);
  const auto cseq = ParseCSeq(response.message.Get("CSeq").value_or(""));
  if (cseq && cseq->method == "CANCEL") return;  // the INVITE's own final response tells what became of it
  if (!cseq || cseq->method != client.request.method) {
    ++counters_.stray_responses;
    return;
  }
  if (client.invite) return HandleInviteResponse(now, handle, client, std::move(response.message));
  if (response.message.status == 100) return;
  const bool final = response.message.status >= 200;
  events_.push_back(ResponseReceived{client.id, WssPeer{token}, std::move(response.message)});
  if (final) EndClient(handle);  // timer K is zero
}

void WssTransactions::HandleInviteResponse(TimePoint now, Handle handle, ClientTransaction& client,
                                           Message response) {
  const int status = response.status;
  if (status < 200) {
    if (client.state == ClientState::kAccepted) return;
    if (client.state == ClientState::kCalling) {
      client.state = ClientState::kProceeding;
      SetTimer(handle, client, std::nullopt);  // how long to let it ring is the core's business
      if (client.cancel_wanted) SendCancel(now, handle, client);
    }
    if (status != 100)
      events_.push_back(ResponseReceived{client.id, WssPeer{client.flow}, std::move(response)});
    return;
  }
  if (status >= 300) {
    if (client.state == ClientState::kAccepted) return;
    SendAckForFailure(client, response);
    events_.push_back(ResponseReceived{client.id, WssPeer{client.flow}, std::move(response)});
    return EndClient(handle);  // timer D is zero
  }
  const std::string tag(TagOf(response, "To"));
  if (client.state == ClientState::kAccepted) {
    // The same 2xx again: browsers repeat it until the ACK arrives, which is on its way on a reliable
    // connection.
    if (tag == client.accepted_tag) return;
  } else {
    client.state = ClientState::kAccepted;
    client.accepted_tag = tag;
    SetTimer(handle, client, now + SixtyFourT1());  // timer M
  }
  events_.push_back(ResponseReceived{client.id, WssPeer{client.flow}, std::move(response)});
}

void WssTransactions::SendAckForFailure(const ClientTransaction& client, const Message& response) {
  const Message ack = MakeCompanion(client.request, "ACK", response.Get("To").value_or(""));
  Transmit(client.flow, Serialise(ack, {OwnVia(client.branch)}));
}

// ---- actions

bool WssTransactions::Execute(TimePoint now, const Action& action) {
  if (const auto* request = std::get_if<SendRequest>(&action)) return Send(now, *request);
  if (const auto* response = std::get_if<SendResponse>(&action)) return Respond(now, *response);
  if (const auto* cancel = std::get_if<CancelRequest>(&action)) return Cancel(now, *cancel);
  return Close(std::get<CloseFlow>(action));
}

bool WssTransactions::Send(TimePoint now, const SendRequest& action) {
  const auto* peer = std::get_if<WssPeer>(&action.to);
  if (peer == nullptr) return false;
  const auto found = flows_.find(peer->flow);
  const bool ack = action.request.method == "ACK";
  if (found == flows_.end() || found->second.clients.size() >= options_.transactions_per_flow) {
    if (found != flows_.end()) ++counters_.over_limit;
    if (!ack) events_.push_back(ClientTransactionFailed{action.transaction, FailureReason::kTransport});
    return true;
  }
  // 128 random bits: nobody guesses a branch, so nobody answers for another (RFC 3261 section 8.1.1.7).
  std::string branch = std::string(kBranchCookie) + rng_.Hex(16);
  Transmit(peer->flow, Serialise(action.request, {OwnVia(branch)}));
  if (ack) return true;
  const Handle handle = next_handle_++;
  found->second.clients.emplace(branch, handle);
  client_ids_[action.transaction] = handle;
  ClientTransaction& client = clients_[handle];
  client.flow = peer->flow;
  client.id = action.transaction;
  client.branch = std::move(branch);
  client.request = action.request;
  client.request.body.clear();
  client.invite = action.request.method == "INVITE";
  SetTimer(handle, client, now + SixtyFourT1());  // timer B or F
  return true;
}

bool WssTransactions::Respond(TimePoint now, const SendResponse& action) {
  const Handle handle = action.transaction.value();
  const auto found = servers_.find(handle);
  if (found == servers_.end()) return false;
  ServerTransaction& server = found->second;
  const int status = action.response.status;
  // After a final response nothing follows; a second 2xx of another fork would need RFC 6026 proxies behind a
  // UAS.
  if (server.state != ServerState::kProceeding) return true;
  std::string bytes = Serialise(action.response, server.request.vias);
  if (const auto tag = TagOf(action.response, "To"); !tag.empty()) server.to_tag = std::string(tag);
  Transmit(server.flow, bytes);
  if (status < 200) {
    server.last_response = std::move(bytes);
    if (server.invite) SetTimer(handle, server, std::nullopt);
  } else if (!server.invite) {
    EndServer(handle);  // timer J is zero
  } else {
    server.state = status < 300 ? ServerState::kAccepted : ServerState::kCompleted;
    server.last_response = status < 300 ? std::string() : std::move(bytes);
    SetTimer(handle, server, now + SixtyFourT1());  // timer L or H
  }
  return true;
}

bool WssTransactions::Cancel(TimePoint now, const CancelRequest& action) {
  const auto found = client_ids_.find(action.transaction);
  if (found == client_ids_.end()) return false;
  ClientTransaction& client = clients_.at(found->second);
  if (!client.invite || client.state == ClientState::kAccepted) return true;
  client.cancel_wanted = true;
  if (client.state == ClientState::kProceeding) SendCancel(now, found->second, client);
  return true;
}

void WssTransactions::SendCancel(TimePoint now, Handle handle, ClientTransaction& client) {
  if (std::exchange(client.cancel_sent, true)) return;
  const Message cancel = MakeCompanion(client.request, "CANCEL", client.request.Get("To").value_or(""));
  Transmit(client.flow, Serialise(cancel, {OwnVia(client.branch)}));
  SetTimer(handle, client, now + SixtyFourT1());  // RFC 3261 section 9.1
}

bool WssTransactions::Close(const CloseFlow& action) {
  if (!flows_.contains(action.flow)) return false;
  outputs_.push_back(CloseConnection{action.flow, action.code});
  return true;
}

// ---- timers

void WssTransactions::HandleTimeout(TimePoint now) {
  while (!timers_.empty() && timers_.begin()->first <= now) {
    const Handle handle = timers_.begin()->second;
    if (const auto server = servers_.find(handle); server != servers_.end()) {
      ServerTimerFired(now, handle, server->second);
    } else {
      ClientTimerFired(handle, clients_.at(handle));
    }
  }
}

void WssTransactions::ServerTimerFired(TimePoint, Handle handle, ServerTransaction& server) {
  if (server.invite && server.state == ServerState::kProceeding) {
    SetTimer(handle, server, std::nullopt);
    server.last_response =
        Serialise(MakeResponse(server.request.message, 100, "Trying"), server.request.vias);
    return Transmit(server.flow, server.last_response);
  }
  if (server.state == ServerState::kAccepted && !server.acked) {
    ++counters_.ack_timeouts;
    events_.push_back(AckTimedOut{ServerTransactionId(handle)});
  }
  EndServer(handle);
}

void WssTransactions::ClientTimerFired(Handle handle, ClientTransaction& client) {
  if (client.state != ClientState::kAccepted) {
    ++counters_.client_timeouts;
    events_.push_back(ClientTransactionFailed{client.id, FailureReason::kTimeout});
  }
  EndClient(handle);
}

std::optional<TimePoint> WssTransactions::NextTimeout() const {
  return timers_.empty() ? std::nullopt : std::optional(timers_.begin()->first);
}

template <typename Transaction>
void WssTransactions::SetTimer(Handle handle, Transaction& transaction, std::optional<TimePoint> at) {
  if (transaction.timer) timers_.erase({*transaction.timer, handle});
  transaction.timer = at;
  if (at) timers_.emplace(*at, handle);
}

void WssTransactions::EndServer(Handle handle) {
  const auto found = servers_.find(handle);
  SetTimer(handle, found->second, std::nullopt);
  if (const auto flow = flows_.find(found->second.flow); flow != flows_.end()) {
    flow->second.servers.erase(found->second.key);
  }
  servers_.erase(found);
}

void WssTransactions::EndClient(Handle handle) {
  const auto found = clients_.find(handle);
  SetTimer(handle, found->second, std::nullopt);
  if (const auto flow = flows_.find(found->second.flow); flow != flows_.end()) {
    flow->second.clients.erase(found->second.branch);
  }
  client_ids_.erase(found->second.id);
  clients_.erase(found);
}

// ---- queues

bool WssTransactions::PollEvent(Event& event) {
  if (events_.empty()) return false;
  event = std::move(events_.front());
  events_.pop_front();
  return true;
}

bool WssTransactions::PollOutput(WssOutput& output) {
  if (outputs_.empty()) return false;
  output = std::move(outputs_.front());
  outputs_.pop_front();
  return true;
}

std::string WssTransactions::OwnVia(std::string_view branch) const {
  return "SIP/2.0/WSS " + options_.via_host + ";branch=" + std::string(branch);
}

}  // namespace linegate::sip
