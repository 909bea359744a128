#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "controlplane/sip/transport_events.h"
#include "dataplane/base/net_address.h"
#include "dataplane/base/result.h"

/// The trunk: SIP over UDP and TCP towards the SIP Server, on sofia-sip's transaction layer (nta).
///
/// Theory of operation. nta lives on a thread of its own with its event loop; no nta call is made anywhere
/// else. Actions go in through a queue and a doorbell (su_msg), events come out through `post`, which the
/// owner implements as "run this on my loop" (asio::post). nta does the transactions of RFC 3261 section 17
/// for unreliable and reliable transports, 100 Trying after 200 ms (over TCP after T2/2), ACK for failures,
/// 200 for CANCEL, and moves requests over 1,300 bytes to TCP (section 18.1.1). Dialogs are ours, so nta has
/// one default leg; NTATAG_MERGE_482 stays unset, for in a hairpin both legs share Call-ID and CSeq. It runs
/// as a non-UA (NTATAG_UA unset), because as a UA it refuses every PRACK that is not its own and asserts on
/// an ACK whose INVITE it has forgotten; hence these are ours:
///   - a 2xx is sent again at T1, 2*T1 ... T2 until its ACK, for 64*T1 (section 13.3.1.4), then AckTimedOut;
///   - a repeated 2xx is answered with the ACK the core sent for it, and not passed up again;
///   - CANCEL is a transaction of our own on the INVITE's branch (nta's own, as a non-UA over TCP, would make
///   it
///     forget the INVITE and miss its 487).
///
/// Strangers: SourceFilter drops what does not come from `allowed_sources` in the kernel, without a reply.
///
/// Known of nta: a request whose Via names another transport than it came by is dropped without a reply; a
/// repeated 2xx over TCP is dropped, which is harmless there; an INVITE that rings for 185 s without news
/// ends as a timeout (its timer C); an unknown method shorter than a known one of the same first letter
/// ("PING", "SERVICE") counts as garbage both ways.
namespace linegate::net {

/// Set in every ServerTransactionId of the trunk; those of the WSS leg never have it.
inline constexpr uint64_t kTrunkTransactionBit = uint64_t(1) << 63;

struct TrunkOptions {
  std::vector<Endpoint> listen;            ///< UDP and TCP on each; at least one
  std::vector<IpAddress> allowed_sources;  ///< the SIP Server and its peers
  std::chrono::milliseconds t1{500};  ///< RFC 3261 section 17.1.1.1; T2 and T4 follow as 8 and 10 times T1
  size_t max_transactions = 8192;     ///< of each kind; over it: 503, or kTransport for our own requests
};

struct TrunkCounters {
  uint64_t requests_received = 0;
  uint64_t responses_received = 0;
  uint64_t foreign_packets_dropped =
      0;                    ///< from addresses that are not allowed (and by full receive buffers)
  uint64_t refused = 0;     ///< unsound requests that were answered here
  uint64_t unsendable = 0;  ///< messages of ours that sofia found unsound
  uint64_t over_limit = 0;
  uint64_t client_timeouts = 0;
  uint64_t transport_failures = 0;
  uint64_t ack_timeouts = 0;
  uint64_t success_retransmissions = 0;
};

class SofiaTrunk {
 public:
  using Post = std::function<void(std::function<void()>)>;
  using Sink = std::function<void(sip::Event)>;

  /// Opens the sockets and starts the thread. `post` is called on the trunk's thread and must hand the
  /// closure over to the owner's; `sink` is called only inside such closures. A closure may run after the
  /// trunk is gone. Errors: nothing to listen on; an address in use or not ours; the source filter.
  static Result<std::unique_ptr<SofiaTrunk>> Start(TrunkOptions options, Post post, Sink sink);
  /// Answers what is pending with 500, forgets the rest, joins the thread.
  ~SofiaTrunk();
  SofiaTrunk(const SofiaTrunk&) = delete;
  SofiaTrunk& operator=(const SofiaTrunk&) = delete;

  /// False when the action is certainly not for the trunk (a WSS peer, a WSS transaction, a flow).
  /// CancelRequest has no peer in it: offer it to the WSS leg first. Never blocks; any thread.
  bool Execute(const sip::Action& action);

  TrunkCounters counters() const;

 private:
  class Thread;
  explicit SofiaTrunk(std::unique_ptr<Thread> thread);
  std::unique_ptr<Thread> thread_;
};

}  // namespace linegate::net
