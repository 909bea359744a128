#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <variant>

#include "dataplane/abi/flow_command.h"
#include "dataplane/abi/flow_event.h"
#include "dataplane/base/time.h"
#include "dataplane/srtp/transform.h"

namespace linegate::session {

using FlowCommand = std::variant<abi::ProgramFlow, abi::InstallKeys, abi::RemoveFlow>;
enum class FlowCommandType : uint8_t { kProgram, kReceiveKeys, kSendKeys, kRemove };

/// Brings every flow slot of the dataplane to the state the sessions want. Theory of operation: the queue
/// keeps, per flow, the wanted configuration and keys and which of them the worker has not confirmed. One
/// command per flow is under way at a time, because a worker recognises a repetition only of a slot's last
/// sequence; it is repeated after 50 ms, then after twice that and so on up to 6.4 s, until it is answered (a
/// worker may have stood still behind a full ring) or ReprogramAll begins anew (another dataplane has taken
/// over). What changes meanwhile is merged, so memory is bounded by the number of flows and a burst of
/// re-offers costs two commands. Order within a flow: configuration, receive keys, send keys; removal
/// replaces everything.
///
///   Program(f, c1)  -> PollCommand: ProgramFlow seq 1
///   Program(f, c2), Install(f, keys)   (nothing to poll: seq 1 is not answered)
///   HandleDone(seq 1) -> PollCommand: ProgramFlow seq 2 (c2); HandleDone(seq 2) -> PollCommand: InstallKeys
///   seq 3
class FlowCommandQueue {
 public:
  static constexpr Duration kFirstRepeat = std::chrono::milliseconds(50);
  static constexpr int kMaxDoublings = 7;

  explicit FlowCommandQueue(uint64_t first_sequence) : next_sequence_(first_sequence) {}

  /// Nothing happens if the flow is wanted exactly so already.
  void Program(const abi::FlowRef& flow, const abi::FlowConfig& config);
  /// Pre: the flow was programmed. Nothing happens if these keys were given already.
  void Install(const abi::FlowRef& flow, abi::KeyUse use, const srtp::MasterKey& key);
  /// Pre: the flow was programmed.
  void Remove(const abi::FlowRef& flow);
  bool Knows(const abi::FlowRef& flow) const { return Find(flow) != nullptr; }

  struct Confirmation {
    abi::FlowRef flow;
    FlowCommandType type;
    abi::CommandStatus status;
  };
  /// nullopt: an answer to nothing that is under way (late, repeated).
  std::optional<Confirmation> HandleDone(const abi::CommandDone& done);
  void HandleTimeout(TimePoint now);
  std::optional<TimePoint> NextTimeout() const;
  /// Next command to put into the worker's ring. The holder of an InstallKeys wipes it when the ring has it.
  std::optional<FlowCommand> PollCommand(TimePoint now);
  /// Every flow is sent again from the beginning: the slots may be empty.
  void ReprogramAll();
  /// Flows wanted or not yet confirmed as removed.
  size_t flow_count() const { return flows_.size(); }

 private:
  using Key = std::pair<uint16_t, uint32_t>;  ///< worker, slot index
  struct UnderWay {
    FlowCommandType type;
    uint64_t sequence;
    int doublings = 0;
    std::optional<TimePoint> repeat_at;
  };
  struct Flow {
    abi::FlowRef ref;
    abi::FlowConfig config;
    srtp::MasterKey receive, send;
    bool config_dirty = false, receive_dirty = false, send_dirty = false, removing = false, queued = false;
    bool programmed = false;  ///< the worker has confirmed a configuration
    std::optional<UnderWay> under_way;
  };

  static Key KeyOf(const abi::FlowRef& flow) { return {flow.worker, flow.index}; }
  const Flow* Find(const abi::FlowRef& flow) const;
  Flow* Find(const abi::FlowRef& flow);
  std::optional<FlowCommandType> NextType(const Flow& flow) const;
  bool SendKeysHaveAHome(const Flow& flow) const;
  FlowCommand Build(const Flow& flow, FlowCommandType type, uint64_t sequence) const;
  void Enqueue(Flow& flow);

  std::map<Key, Flow> flows_;
  std::deque<Key> ready_;  ///< flows that have a command to send or to repeat
  std::set<std::pair<TimePoint, Key>> repeats_;
  uint64_t next_sequence_;
};

}  // namespace linegate::session
