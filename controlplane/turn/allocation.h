#pragma once
#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "controlplane/turn/peer_table.h"
#include "controlplane/turn/requester.h"
#include "dataplane/base/time.h"

namespace linegate::turn {

using MobilityTicket = std::array<uint8_t, 16>;

/// An answer that waits until the worker has done what it reports.
struct PendingAnswer {
  uint64_t change = 0;  ///< of the last command it depends on
  TurnClient client;
  std::vector<uint8_t> message;
  TimePoint give_up_at;
};

/// One allocation (RFC 8656 section 3), UDP or TCP (RFC 6062). By-family arrays: [0] IPv4, [1] IPv6.
struct Allocation {
  enum class State : uint8_t {
    kStarting,  ///< the worker (or the kernel, for TCP) has not confirmed it
    kLive,
    kEnding,  ///< waits for the worker to have forgotten it; only its ports and its 5-tuple still count
  };
  AllocationId id;
  State state = State::kStarting;
  TurnClient client;
  Credential credential;
  bool tcp = false;
  size_t relay_realm = 0;  ///< index into TurnConfig::relay_realms
  uint16_t worker = 0;
  std::array<uint16_t, 2> ports = {};  ///< 0: none of that family
  std::array<TimePoint, 2> expires_at = {};
  PeerTable peers;
  uint32_t bytes_per_second = 0;  ///< as programmed

  uint64_t last_change = 0;           ///< of its last command
  uint64_t settled_change = 0;        ///< the worker has done everything up to here
  std::optional<Requester> starting;  ///< kStarting: who is told if the worker refuses
  std::deque<PendingAnswer> pending;
  std::array<uint8_t, wire::kStunTransactionIdBytes> allocate_transaction = {};
  std::vector<uint8_t> allocate_answer;  ///< for a retransmitted request

  std::optional<MobilityTicket> ticket,
      previous_ticket;  ///< RFC 8016; the previous one until the new one came

  bool HasFamily(IpFamily family) const { return ports[family == IpFamily::kIpv6 ? 1 : 0] != 0; }
  TimePoint expires_last() const {
    return ports[1] == 0   ? expires_at[0]
           : ports[0] == 0 ? expires_at[1]
                           : std::max(expires_at[0], expires_at[1]);
  }
};

}  // namespace linegate::turn
