#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "controlplane/link/shm_link.h"
#include "dataplane/base/result.h"
#include "dataplane/srtp/transform.h"
#include "perf/load/call_plan.h"

namespace linegate::load {

/// Programs calls into the dataplane as the control plane does: over the shared-memory commands, each answered.
class DeviceLink final : private link::LinkHandler {
 public:
  /// Waits until the dataplane is there, for ten seconds at most. Errors: it is not; other configuration.
  static Result<std::unique_ptr<DeviceLink>> Attach(const settings::DataplaneSettings& settings);

  /// Removes all flows, then makes those of `plan`, each keyed with `key`. Errors: a command was refused or not
  /// answered.
  Status Program(const CallPlan& plan, const srtp::MasterKey& key);
  const std::string& UfragOf(uint32_t call, CallPlan::Side side) const {
    return ufrags_[2 * call + (side == CallPlan::Side::kSecond ? 1 : 0)];
  }
  /// Frames that the worker received and did not send, since it started. As fresh as its last busy turn.
  uint64_t Losses();
  struct Turns {
    uint64_t received = 0;  ///< frames
    uint64_t busy = 0;
    uint64_t idle = 0;
    uint64_t late_turns = 0;  ///< of the busy and idle ones: the core was somebody else's just before
  };
  /// Of the worker since it started. As fresh as its last busy turn.
  Turns WorkerTurns();
  /// "no_flow 12, bad_tag 3": what the worker has dropped since Program, by reason; empty: nothing.
  std::string Drops();

 private:
  explicit DeviceLink(link::ShmLink link) : link_(std::move(link)), sequence_(link_.first_sequence()) {}
  template <typename Command>
  Status Send(abi::CommandType type, const abi::FlowRef& flow, Command command);
  Status AwaitAnswers();
  Status ProgramRelays(const CallPlan& plan);
  Status ProgramSide(const CallPlan& plan, uint32_t call, CallPlan::Side side);
  Status InstallKeys(uint32_t call, CallPlan::Side side, const srtp::MasterKey& key);

  void OnCommandDone(const abi::CommandDone& done) override;
  void OnPathValidated(const abi::PathEvent&) override {}
  void OnPathSelected(const abi::PathEvent&) override {}
  void OnConsentLost(const abi::FlowRef&) override {}
  void OnPuntedDtls(const abi::FlowRef&, const Endpoint&, const Endpoint&, ByteView) override {}
  void OnPuntedTurn(uint16_t, const abi::TurnPuntRecord&, ByteView) override {}
  void OnRelayToClient(const abi::RelayRef&, ByteView) override {}
  void OnDataplaneRestarted() override {}

  link::ShmLink link_;
  uint64_t sequence_;
  uint64_t unanswered_ = 0;
  uint64_t refused_ = 0;
  std::vector<std::string> ufrags_;
  abi::WorkerCounters before_;
};

}  // namespace linegate::load
