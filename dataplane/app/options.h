#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "drivers/net/steering_rules.h"

namespace linegate::app {

enum class Action : uint8_t {
  kRun,
  kCheckConfig,     ///< read and check the configuration, touch nothing
  kPrintFlowRules,  ///< print the rte_flow rules that bring each port to its worker, touch nothing
  kRelease,         ///< undo what a killed dataplane left: XDP programs, reserved ports, shared memory
};

struct Options {
  std::string config = "/etc/linegate/linegate.toml";
  Action action = Action::kRun;
  drivers::NicFamily nic_family = drivers::NicFamily::kI40e;  ///< of kPrintFlowRules
};

/// Parses the command line. nullopt: there is nothing to do (--help, --version, a mistake; the answer was
/// printed) and `exit_status` is what to return.
std::optional<Options> ParseOptions(int argc, const char* const* argv, int& exit_status);

}  // namespace linegate::app
