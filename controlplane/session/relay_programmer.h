#pragma once
#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "controlplane/session/flow_slot_pool.h"
#include "controlplane/session/next_hop_table.h"
#include "controlplane/session/relay_command_queue.h"
#include "controlplane/turn/turn_output.h"
#include "dataplane/settings/settings.h"

namespace linegate::session {

/// turn::TurnService::HandleRelaySettled wants to know this.
struct RelaySettled {
  turn::AllocationId allocation;
  uint64_t change = 0;
  bool refused = false;
};
/// turn::TurnService::HandleRelayRemoved.
struct RelayRemoved {
  turn::AllocationId allocation;
};
using RelayEvent = std::variant<RelaySettled, RelayRemoved>;

/// Makes what TURN wants of an allocation into what the dataplane knows: a relay slot, addresses as they stand on the
/// wire, next hops. Theory of operation:
///
///   turn::ProgramRelay, SetRelayPeer, RemoveRelay  ->  Apply
///   PollCommand -> ring; CommandDone -> HandleDone -> PollEvent -> TurnService
///
/// A peer that the client names by one of our advertised addresses (1:1 NAT) stands behind the bound one; the worker
/// keeps both and translates. Next hops are looked up again, for every relay, when the kernel's tables have moved. An
/// allocation for which no slot is free is refused with its first change.
class RelayProgrammer {
 public:
  /// `first_generation` and `first_sequence` as for MediaSessions; `next_hops` outlives the object.
  RelayProgrammer(const settings::DataplaneSettings& settings, NextHopTable& next_hops,
                  uint32_t first_generation, uint64_t first_sequence);

  void Apply(const turn::ProgramRelay& program);
  void Apply(const turn::SetRelayPeer& set);
  void Apply(const turn::RemoveRelay& remove);

  /// Pre: IsRelay(done.flow).
  void HandleDone(const abi::CommandDone& done);
  void HandleNextHopChanged();
  void HandleTimeout(TimePoint now) { queue_.HandleTimeout(now); }
  std::optional<TimePoint> NextTimeout() const { return queue_.NextTimeout(); }
  /// Another dataplane took over: its slots may be empty.
  void ReprogramAll() { queue_.ReprogramAll(); }

  std::optional<RelayCommand> PollCommand(TimePoint now) { return queue_.PollCommand(now); }
  std::optional<RelayEvent> PollEvent();

  /// The slot of an allocation; nullopt: none (refused, or removed).
  std::optional<abi::RelayRef> RelayOf(turn::AllocationId allocation) const;
  /// Whose message the worker punted; nullopt: an allocation that is gone.
  std::optional<turn::AllocationId> AllocationOf(const abi::RelayRef& relay) const;
  /// Slots in use, those included whose removal is not confirmed.
  size_t relay_count() const { return slots_.in_use(); }

 private:
  struct Relay {
    abi::RelayRef ref;
    turn::RelayTerms terms;
    std::map<uint32_t, turn::RelayPeerTerms> peers;
    abi::RelayConfig sent_config;  ///< what the queue was told last
    std::map<uint32_t, abi::RelayPeer> sent_peers;
    uint64_t newest_change = 0;
    bool refused = false;
  };
  abi::RelayConfig ConfigOf(const turn::RelayTerms& terms);
  abi::RelayPeer PeerOf(const turn::RelayPeerTerms& terms);
  abi::NextHop HopTo(const IpAddress& address);
  IpAddress Bound(const IpAddress& address) const;
  void Program(Relay& relay, uint64_t change);
  void SetPeer(Relay& relay, uint32_t index, uint64_t change);

  NextHopTable& next_hops_;
  FlowSlotPool slots_;
  RelayCommandQueue queue_;
  std::vector<std::pair<IpAddress, IpAddress>> advertised_;  ///< advertised, bound
  std::map<turn::AllocationId, Relay> relays_;
  std::map<std::pair<uint16_t, uint32_t>, turn::AllocationId> by_slot_;  ///< also of relays being removed
  std::deque<RelayEvent> events_;
};

}  // namespace linegate::session
