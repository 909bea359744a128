#pragma once
// sofia types the context of its callbacks by macro.
namespace linegate::net {
class SofiaAgent;
}
#define NTA_LEG_MAGIC_T ::linegate::net::SofiaAgent
#define NTA_INCOMING_MAGIC_T ::linegate::net::SofiaAgent
#define NTA_OUTGOING_MAGIC_T ::linegate::net::SofiaAgent
#define SU_TIMER_ARG_T ::linegate::net::SofiaAgent
#include <sofia-sip/su_wait.h>

#include <sofia-sip/nta.h>

#include <atomic>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "controlplane/net/sofia_source_filter.h"
#include "controlplane/net/sofia_trunk.h"
#include "controlplane/sip/message_wire.h"
#include "dataplane/base/time.h"

namespace linegate::net {

/// Counters that the agent's thread writes and any thread reads.
struct AtomicTrunkCounters {
  std::atomic<uint64_t> requests_received{0}, responses_received{0}, refused{0}, unsendable{0}, over_limit{0},
      client_timeouts{0}, transport_failures{0}, ack_timeouts{0}, success_retransmissions{0};
};

/// The trunk's nta agent with the transactions it carries. Everything here, construction included, happens on
/// the thread of `root`. See sofia_trunk.h for what nta does and what is done here.
class SofiaAgent {
 public:
  using Emit = std::function<void(sip::Event)>;

  SofiaAgent(su_root_t* root, const TrunkOptions& options, Emit emit, AtomicTrunkCounters& counters);
  ~SofiaAgent();
  SofiaAgent(const SofiaAgent&) = delete;
  SofiaAgent& operator=(const SofiaAgent&) = delete;

  Status Open();
  void Execute(const sip::Action& action);
  const std::vector<SourceFilter>& filters() const { return filters_; }

 private:
  /// One counter for both tables; also the key of the timers.
  using Handle = uint64_t;

  struct Server {
    nta_incoming_t* incoming = nullptr;
    std::string method;
    std::string identity;           ///< of an INVITE, for the ACK
    std::vector<std::string> vias;  ///< as nta completed them
    std::string success;            ///< our 2xx as bytes while it waits for its ACK
    std::string to_tag;             ///< of that 2xx
    Duration interval{};            ///< until it is sent again
    TimePoint give_up_at{};
    std::optional<TimePoint> timer;
    bool invite() const { return method == "INVITE"; }
  };
  struct Client {
    nta_outgoing_t* outgoing = nullptr;
    sip::ClientTransactionId id;
    sip::TrunkPeer to;
    sip::Message request;  ///< without body: CANCEL is made from it
    std::string identity;
    bool proceeding = false, cancel_wanted = false, cancel_sent = false;
    /// To tags of the 2xx passed up, each with the core's ACK once it was sent.
    std::map<std::string, std::optional<sip::Message>, std::less<>> accepted;
    std::optional<TimePoint> timer;
    bool invite() const { return request.method == "INVITE"; }
  };

  // nta's callbacks
  static int OnRequest(SofiaAgent* self, nta_leg_t*, nta_incoming_t* incoming, const sip_t* request);
  static int OnAckOrCancel(SofiaAgent* self, nta_incoming_t* incoming, const sip_t* request);
  static int OnResponse(SofiaAgent* self, nta_outgoing_t* outgoing, const sip_t* response);
  static void OnTimer(su_root_magic_t*, su_timer_t*, SofiaAgent* self);

  // Server side
  void HandleRequest(nta_incoming_t* incoming, const sip_t& request);
  void HandleAck(sip::Message ack, sip::TrunkPeer from, Endpoint source);
  void HandleCancel(nta_incoming_t* incoming, const sip_t& request);
  void Respond(const sip::SendResponse& action);
  bool SendReply(Server& server, const std::string& bytes);
  void EndServer(Handle handle);
  // Client side
  void HandleResponse(Handle handle, Client& client, const sip_t* response);
  void HandleSuccess(Handle handle, Client& client, sip::Message response);
  void HandleFailure(Handle handle, Client& client, int status);
  void Send(const sip::SendRequest& action);
  void SendAck(const sip::TrunkPeer& to, const sip::Message& ack);
  void RememberAck(const sip::Message& ack);
  void Cancel(const sip::CancelRequest& action);
  void SendCancel(Handle handle, Client& client);
  void EndClient(Handle handle);
  // Timers
  void RunTimers();
  void ServerTimerFired(TimePoint now, Handle handle, Server& server);
  template <typename Transaction>
  void SetTimer(Handle handle, Transaction& transaction, std::optional<TimePoint> at);
  void ArmTimer();
  Duration SixtyFourT1() const { return 64 * Duration(options_.t1); }

  su_root_t* const root_;
  const TrunkOptions options_;
  const Emit emit_;
  AtomicTrunkCounters& counters_;
  const sip::WireLimits limits_{};
  nta_agent_t* agent_ = nullptr;
  nta_leg_t* leg_ = nullptr;
  su_timer_t* timer_ = nullptr;
  std::vector<SourceFilter> filters_;
  Handle next_handle_ = 1;
  std::unordered_map<Handle, Server> servers_;
  std::unordered_map<const nta_incoming_t*, Handle> incoming_;
  std::unordered_map<Handle, Client> clients_;
  std::unordered_map<const nta_outgoing_t*, Handle> outgoing_;
  std::unordered_map<sip::ClientTransactionId, Handle> client_ids_;
  std::set<std::pair<TimePoint, Handle>> timers_;
};

}  // namespace linegate::net
