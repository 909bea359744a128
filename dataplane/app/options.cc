#include "dataplane/app/options.h"

#include <CLI/CLI.hpp>
#include <map>
#include <string>

namespace linegate::app {

std::optional<Options> ParseOptions(int argc, const char* const* argv, int& exit_status) {
  Options options;
  CLI::App parser("linegate-dataplane: media and STUN over DPDK and AF_XDP, the packet side of Linegate");
  parser.set_version_flag("--version", "linegate-dataplane " LINEGATE_VERSION);
  parser.add_option("--config", options.config, "configuration file (default " + options.config + ")");
  bool check = false, release = false;
  auto* check_flag = parser.add_flag("--check-config", check, "check the configuration and exit");
  parser
      .add_flag(
          "--release", release,
          "undo what a killed dataplane left behind (XDP programs, reserved ports, shared memory) and exit")
      ->excludes(check_flag);
  const std::map<std::string, drivers::NicFamily> families = {{"i40e", drivers::NicFamily::kI40e},
                                                              {"ice", drivers::NicFamily::kIce},
                                                              {"mlx5", drivers::NicFamily::kMlx5}};
  auto* rules =
      parser.add_option("--print-flow-rules", options.nic_family,
                        "print the flow rules of testpmd that would bring each port to its worker on such a "
                        "network card (i40e, ice, mlx5), and exit");
  rules->transform(CLI::CheckedTransformer(families))->excludes(check_flag);
  try {
    parser.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    exit_status = parser.exit(error);
    return std::nullopt;
  }
  if (rules->count() != 0) options.action = Action::kPrintFlowRules;
  if (check) options.action = Action::kCheckConfig;
  if (release) options.action = Action::kRelease;
  return options;
}

}  // namespace linegate::app
