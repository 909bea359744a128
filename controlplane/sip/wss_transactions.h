#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "controlplane/sip/message_wire.h"
#include "controlplane/sip/transport_events.h"
#include "dataplane/base/rng.h"
#include "dataplane/base/time.h"

/// The transaction layer of the WSS leg (RFC 7118 over RFC 3261 section 17 and RFC 6026).
///
/// Theory of operation. A flow is one WebSocket connection: reliable, so nothing is retransmitted (no timers
/// A, E, G) and D, I, J, K are zero; what remains is 64*T1 four times over:
///
///   server INVITE       Proceeding --3xx+--> Completed --ACK, H--> gone
///                           |--2xx--> Accepted --L--> gone; no ACK by then: AckTimedOut
///   server other        Proceeding --final--> gone; --64*T1 without a final--> gone, silently (RFC 4320)
///   client INVITE       Calling --1xx--> Proceeding --3xx+ (we ACK)--> gone
///                          | B: kTimeout   |--2xx--> Accepted --M--> gone
///                                          '-- 64*T1 after our CANCEL: kTimeout (RFC 3261 section 9.1)
///   client other        Trying --final--> gone; F: kTimeout
///
/// Every transaction belongs to its flow: requests and responses match only there (key: branch, sent-by,
/// method), and they end with it: client transactions fail with kTransport, server transactions are forgotten
/// (the core sees FlowClosed). An INVITE unanswered for 200 ms gets a 100. The layer owns Via: ours is
/// "SIP/2.0/WSS <via_host>;branch"; those of a request are echoed byte-exact and without `received`, for the
/// connection is the way back.
///
/// What is not a sound message is answered (400, 414, 505, 513) when it is a request with what an answer
/// needs, else counted; a flow that sends `kGarbageLimit` of the unanswerable kind is closed with 1008.
///
/// Does not: authenticate, route, check Require or Max-Forwards, know dialogs.
///
/// Re-entrancy: none needed. Every call only queues; drain PollEvent and PollOutput after each, then ask
/// NextTimeout.
namespace linegate::sip {

/// One WebSocket text message to send.
struct SendFrame {
  FlowToken flow;
  std::string text;
  friend bool operator==(const SendFrame&, const SendFrame&) = default;
};
/// Close the connection with this status (RFC 6455 section 7.4); HandleFlowClosed follows when it is down.
struct CloseConnection {
  FlowToken flow;
  uint16_t code;
  friend bool operator==(const CloseConnection&, const CloseConnection&) = default;
};
using WssOutput = std::variant<SendFrame, CloseConnection>;

struct WssTransactionsOptions {
  std::string via_host;  ///< our name in Via; a browser resolves it to nothing and does not need to
  Duration t1 = std::chrono::milliseconds(500);
  size_t transactions_per_flow = 256;  ///< of each kind; over it: 503, or kTransport for our own requests
};

struct WssCounters {
  uint64_t messages_received = 0;
  uint64_t refused = 0;          ///< unsound requests that were answered
  uint64_t garbage = 0;          ///< unsound messages that could not be answered
  uint64_t retransmissions = 0;  ///< requests absorbed
  uint64_t stray_responses = 0;  ///< responses without a transaction
  uint64_t stray_cancels = 0;    ///< answered 481
  uint64_t over_limit = 0;       ///< requests answered 503, or not sent
  uint64_t ack_timeouts = 0;
  uint64_t client_timeouts = 0;
};

class WssTransactions {
 public:
  static constexpr int kGarbageLimit = 16;

  /// `parser` and `rng` outlive this.
  WssTransactions(WssTransactionsOptions options, const MessageParser& parser, Rng& rng);

  void HandleFlowOpened(TimePoint now, FlowToken flow, Endpoint source);
  void HandleFlowClosed(TimePoint now, FlowToken flow);
  /// One whole WebSocket message: one SIP message (RFC 7118 section 5), or a keep-alive of RFC 5626
  /// section 3.5.1.
  void HandleMessage(TimePoint now, FlowToken flow, std::string_view bytes);
  /// False when the action is not for this transport (another peer, an id that is not ours or no longer
  /// lives).
  bool Execute(TimePoint now, const Action& action);

  void HandleTimeout(TimePoint now);
  std::optional<TimePoint> NextTimeout() const;
  bool PollEvent(Event& event);
  bool PollOutput(WssOutput& output);

  const WssCounters& counters() const { return counters_; }
  size_t transaction_count() const { return servers_.size() + clients_.size(); }

 private:
  enum class ServerState : uint8_t { kProceeding, kCompleted, kAccepted };
  enum class ClientState : uint8_t { kCalling, kProceeding, kAccepted };
  /// Key of the timer queue and of both tables; server and client handles come from one counter.
  using Handle = uint64_t;

  struct ServerTransaction {
    FlowToken flow;
    std::string key;
    ParsedMessage request;  ///< body dropped: responses need its Vias, ACK and CANCEL its identity
    ServerState state = ServerState::kProceeding;
    std::string last_response;  ///< bytes, for a retransmitted request
    std::string to_tag;         ///< of the last response with one
    bool invite = false, cancelled = false, acked = false;
    std::optional<TimePoint> timer;
  };
  struct ClientTransaction {
    FlowToken flow;
    ClientTransactionId id;
    std::string branch;
    Message request;  ///< body dropped: ACK and CANCEL are made from it
    ClientState state = ClientState::kCalling;
    std::string accepted_tag;  ///< To tag of the 2xx already passed up
    bool invite = false, cancel_wanted = false, cancel_sent = false;
    std::optional<TimePoint> timer;
  };
  struct Flow {
    Endpoint source;
    std::map<std::string, Handle, std::less<>> servers;  ///< by transaction key
    std::map<std::string, Handle, std::less<>> clients;  ///< by branch
    int garbage = 0;
  };

  // Requests in
  void HandleRequest(TimePoint now, FlowToken token, Flow& flow, ParsedMessage request);
  void HandleAck(FlowToken token, Flow& flow, ParsedMessage ack);
  void HandleCancel(FlowToken token, Flow& flow, ParsedMessage cancel);
  void HandleUnsound(FlowToken token, Flow& flow, const ParseError& error);
  void RespondStatelessly(FlowToken token, const ParsedMessage& request, int status, std::string_view reason,
                          std::string_view to_tag);
  // Responses in
  void HandleResponse(TimePoint now, FlowToken token, Flow& flow, ParsedMessage response);
  void HandleInviteResponse(TimePoint now, Handle handle, ClientTransaction& client, Message response);
  // Actions
  bool Send(TimePoint now, const SendRequest& action);
  bool Respond(TimePoint now, const SendResponse& action);
  bool Cancel(TimePoint now, const CancelRequest& action);
  bool Close(const CloseFlow& action);
  void SendCancel(TimePoint now, Handle handle, ClientTransaction& client);
  void SendAckForFailure(const ClientTransaction& client, const Message& response);
  // Timers
  void ServerTimerFired(TimePoint now, Handle handle, ServerTransaction& server);
  void ClientTimerFired(Handle handle, ClientTransaction& client);
  template <typename Transaction>
  void SetTimer(Handle handle, Transaction& transaction, std::optional<TimePoint> at);
  void EndServer(Handle handle);
  void EndClient(Handle handle);

  void Transmit(FlowToken flow, std::string text) { outputs_.push_back(SendFrame{flow, std::move(text)}); }
  std::string OwnVia(std::string_view branch) const;
  Duration SixtyFourT1() const { return 64 * options_.t1; }

  const WssTransactionsOptions options_;
  const MessageParser& parser_;
  Rng& rng_;
  Handle next_handle_ = 1;
  std::unordered_map<FlowToken, Flow> flows_;
  std::unordered_map<Handle, ServerTransaction> servers_;  ///< the handle is the ServerTransactionId
  std::unordered_map<Handle, ClientTransaction> clients_;
  std::unordered_map<ClientTransactionId, Handle> client_ids_;
  std::set<std::pair<TimePoint, Handle>> timers_;
  std::deque<Event> events_;
  std::deque<WssOutput> outputs_;
  WssCounters counters_;
};

}  // namespace linegate::sip
