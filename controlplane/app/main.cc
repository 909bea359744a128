// linegate-controlplane: signalling. Parses the command line, then only wires and runs.
#include <sys/prctl.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <thread>

#include "controlplane/app/gateway.h"
#include "controlplane/app/privileges.h"

namespace {

using linegate::app::Gateway;

/// The dataplane may still be starting: its region is awaited for this long.
constexpr auto kDataplaneWait = std::chrono::seconds(30);

linegate::Result<std::unique_ptr<Gateway>> StartWhenDataplaneIsUp(linegate::net::Runtime& runtime,
                                                                  const linegate::ops::Config& config) {
  const auto deadline = std::chrono::steady_clock::now() + kDataplaneWait;
  for (bool told = false;; told = true) {
    auto link = linegate::link::ShmLink::Attach(
        linegate::abi::LinkPath(config.media.runtime_directory), config.media.hash, config.media.workers,
        config.media.flows_per_worker, config.media.relays_per_worker);
    if (link || std::chrono::steady_clock::now() > deadline) return Gateway::Start(runtime, config);
    if (!told) linegate::ops::LogInfo("waiting_for_dataplane", {{"reason", link.error().message()}});
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

/// One descriptor per connection; the default soft limit of 1,024 would refuse browsers long before the configuration does.
void RaiseDescriptorLimit(const linegate::ops::Config& config) {
  constexpr rlim_t kOwnDescriptors = 256;
  rlim_t connections = config.web.max_connections;
  if (config.turn) {
    connections += config.turn->max_connections;
    if (config.turn->server.tcp_relay) connections += linegate::net::TurnTcpRelay::kMaxConnections;
  }
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t wanted = connections + kOwnDescriptors;
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = wanted;
  limit.rlim_max = std::max(limit.rlim_max, wanted);
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    linegate::ops::LogWarning(
        "descriptor_limit",
        {{"wanted", wanted}, {"reason", "not permitted; fewer connections will be accepted"}});
  }
}

int Run(const linegate::ops::Config& config) {
  RaiseDescriptorLimit(config);
  linegate::net::Runtime runtime;
  auto gateway = StartWhenDataplaneIsUp(runtime, config);
  if (!gateway) {
    std::fprintf(stderr, "linegate-controlplane: %s\n", gateway.error().message().c_str());
    return 1;
  }
  runtime.OnSignals({SIGINT, SIGTERM, SIGHUP}, [&](int signal) {
    if (signal == SIGHUP) return (*gateway)->Reload();
    (*gateway)->Shutdown([&] { runtime.Stop(); });
  });
  if (auto became = linegate::app::BecomeUser(config.media.controlplane_user, config.state_directory);
      !became) {
    std::fprintf(stderr, "linegate-controlplane: %s\n", became.error().message().c_str());
    return 1;
  }
  linegate::ops::LogInfo("started", {{"workers", config.media.workers}, {"domains", config.domains.size()}});
  runtime.Run();
  linegate::ops::LogInfo("stopped");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Linegate control plane: SIP over WSS, trunk, DTLS, call control"};
  std::string path = "/etc/linegate/linegate.toml";
  bool check_only = false;
  app.add_option("-c,--config", path, "configuration file")->capture_default_str();
  app.add_flag("--check-config", check_only, "check the configuration and exit");
  app.set_version_flag("--version", LINEGATE_VERSION);
  CLI11_PARSE(app, argc, argv);

  // Keys of live DTLS associations are in this process: no core dumps, no ptrace by the same user.
  prctl(PR_SET_DUMPABLE, 0);
  auto config = linegate::ops::LoadConfig(path, std::chrono::system_clock::now());
  if (!config) {
    std::fprintf(stderr, "linegate-controlplane: %s\n", config.error().message().c_str());
    return 1;
  }
  for (const std::string& warning : config->warnings) std::fprintf(stderr, "warning: %s\n", warning.c_str());
  if (check_only) {
    std::printf("%s: configuration is sound\n", path.c_str());
    return 0;
  }
  linegate::ops::SetUpLogging(config->log_level);
  return Run(*config);
}
