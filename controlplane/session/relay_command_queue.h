#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <variant>

#include "dataplane/abi/flow_command.h"
#include "dataplane/abi/flow_event.h"
#include "dataplane/base/time.h"

namespace linegate::session {

using RelayCommand = std::variant<abi::ProgramRelay, abi::SetRelayPeer, abi::RemoveRelay>;

/// Brings every relay slot of the dataplane to the state that TURN wants. Theory of operation: as FlowCommandQueue. Per
/// relay one command is under way, repeated after 50 ms, then twice that and so on, until the worker has answered;
/// what changes meanwhile is merged. Order within a relay: configuration, then peers by index; removal replaces
/// everything.
///
/// Every wish carries a change number that rises within its relay. A relay is settled up to change c when no wish of c or
/// before is still to be sent or to be answered.
class RelayCommandQueue {
 public:
  static constexpr Duration kFirstRepeat = std::chrono::milliseconds(50);
  static constexpr int kMaxDoublings = 7;

  explicit RelayCommandQueue(uint64_t first_sequence) : next_sequence_(first_sequence) {}

  void Program(const abi::RelayRef& relay, const abi::RelayConfig& config, uint64_t change);
  /// Pre: the relay was programmed, `index < abi::kRelayPeers`. wire.family 0: the entry is removed.
  void SetPeer(const abi::RelayRef& relay, uint32_t index, const abi::RelayPeer& peer, uint64_t change);
  /// Pre: the relay was programmed.
  void Remove(const abi::RelayRef& relay);

  struct Confirmation {
    abi::RelayRef relay;
    bool removed = false;  ///< the relay is gone; nothing else is told
    bool refused = false;  ///< the worker could not do what was asked last
    uint64_t settled = 0;  ///< every change up to this one was answered
  };
  /// nullopt: an answer to nothing that is under way (late, repeated).
  std::optional<Confirmation> HandleDone(const abi::CommandDone& done);
  void HandleTimeout(TimePoint now);
  std::optional<TimePoint> NextTimeout() const;
  std::optional<RelayCommand> PollCommand(TimePoint now);
  /// Every relay is sent again from the beginning: the slots may be empty.
  void ReprogramAll();
  size_t relay_count() const { return relays_.size(); }

 private:
  static constexpr uint32_t kConfig = abi::kRelayPeers;  ///< the item behind the peers: the configuration
  static constexpr uint32_t kRemoval = kConfig + 1;
  using Key = std::pair<uint16_t, uint32_t>;  ///< worker, slot index
  struct UnderWay {
    uint32_t item;
    uint64_t change;
    uint64_t sequence;
    int doublings = 0;
    std::optional<TimePoint> repeat_at;
  };
  struct Relay {
    abi::RelayRef ref;
    abi::RelayConfig config;
    std::map<uint32_t, abi::RelayPeer> peers;
    std::map<uint32_t, uint64_t>
        dirty;  ///< item -> the first change that waits for it; ordered: see NextItem
    uint64_t newest_change = 0;
    bool removing = false;
    bool queued = false;
    std::optional<UnderWay> under_way;
  };

  static Key KeyOf(const abi::RelayRef& relay) { return {relay.worker, relay.index}; }
  Relay* Find(const abi::RelayRef& relay);
  std::optional<uint32_t> NextItem(const Relay& relay) const;
  uint64_t SettledOf(const Relay& relay) const;
  RelayCommand Build(const Relay& relay, uint32_t item, uint64_t sequence) const;
  void MarkDirty(Relay& relay, uint32_t item, uint64_t change);
  void Enqueue(Relay& relay);

  std::map<Key, Relay> relays_;
  std::deque<Key> ready_;
  std::set<std::pair<TimePoint, Key>> repeats_;
  uint64_t next_sequence_;
};

}  // namespace linegate::session
