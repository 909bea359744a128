// linegate-dataplane: wires settings, shared memory, network ports and workers, and waits for a signal.
#include <cstdio>
#include <exception>
#include <string>

#include "dataplane/app/eal_setup.h"
#include "dataplane/app/options.h"
#include "dataplane/app/port_setup.h"
#include "dataplane/app/process.h"
#include "dataplane/app/runtime_directory.h"
#include "dataplane/app/shared_memory.h"
#include "dataplane/app/worker_launch.h"
#include "dataplane/settings/settings.h"

namespace linegate::app {
namespace {

/// To standard error, where systemd or the lab collects it.
void Say(const std::string& text) { std::fprintf(stderr, "linegate-dataplane: %s\n", text.c_str()); }

int FailWith(const Error& error) { return Say(error.message()), 1; }

/// "XDP: redirected 1200, no_socket 3, ...": the drops among them reach no worker, so no worker counts them.
void SayXdpCounters(const NetworkPorts& network) {
  const auto counters = network.ReadXdpCounters();
  if (!counters) return;
  std::string text;
  for (size_t i = 0; i < counters->size(); ++i) {
    const std::string name(drivers::XdpCounterName(LgXdpCounter(i)));
    text += (text.empty() ? "XDP: " : ", ") + name + " " + std::to_string((*counters)[i]);
  }
  Say(text);
}

/// The same drops for `linegatectl drops`.
void PublishXdpDrops(const NetworkPorts& network, abi::LinkHeader& header) {
  const auto counters = network.ReadXdpCounters();
  if (!counters) return;
  header.xdp_no_socket_pkts.store((*counters)[LgXdp_kNoSocket], std::memory_order_relaxed);
  header.xdp_fragment_pkts.store((*counters)[LgXdp_kFragment], std::memory_order_relaxed);
}

/// Serves until a signal comes. Everything it made is gone when it returns, or left for the next start.
Status Serve(const settings::DataplaneSettings& settings, SharedMemory& memory, StopSignals& signals) {
  auto network = NetworkPorts::Open(settings);
  if (!network) return MakeUnexpected(std::move(network).error());
  for (const std::string& description : network->descriptions()) Say(description);
  for (const std::string& warning : network->warnings()) Say("warning: " + warning);
  WorkerThreads workers(settings, memory, *network);
  if (Status started = workers.Start(); !started) {
    workers.Stop();
    (void)network->Close();
    return started;
  }
  memory.Publish();
  Say("ready: " + std::to_string(settings.workers) + " worker(s), SRTP by " + workers.engine() + ", " +
      std::to_string(workers.adopted_flows()) + " flow(s) taken over");
  do {
    PublishXdpDrops(*network, memory.link().header());
  } while (!signals.WaitFor(std::chrono::seconds(1)));
  Say("stopping");
  workers.Stop();
  SayXdpCounters(*network);
  return network->Close();
}

int Run(const settings::DataplaneSettings& settings) {
  StopSignals signals;
  SecureRng rng;
  if (Status prepared = PrepareRuntimeDirectory(settings.runtime_directory); !prepared)
    return FailWith(prepared.error());
  auto memory = SharedMemory::Open(settings, rng);
  if (!memory) return FailWith(memory.error());
  auto eal = StartEal(settings.hugepages, NetworkMegabytes(settings));
  if (!eal) return FailWith(eal.error());
  if (!eal->hugepages) Say("running on ordinary 4 KB pages, which costs throughput: " + eal->note);
  const Status served = Serve(settings, *memory, signals);
  StopEal();
  // Flows of an earlier life stay for the next attempt when this one did not come up.
  if (served || memory->origin() == SharedMemory::Origin::kNew) {
    memory->Destroy();
    ReleaseRuntimeDirectory(settings.runtime_directory);
  }
  return served ? 0 : FailWith(served.error());
}

int Release(const settings::DataplaneSettings& settings) {
  SecureRng rng;
  if (Status prepared = PrepareRuntimeDirectory(settings.runtime_directory); !prepared)
    return FailWith(prepared.error());
  auto memory = SharedMemory::Open(settings, rng);
  if (!memory) return FailWith(memory.error());
  const Status released = NetworkPorts::Release(settings);
  memory->Destroy();
  ReleaseRuntimeDirectory(settings.runtime_directory);
  return released ? 0 : FailWith(released.error());
}

/// One list for each interface, which is port 0, 1, ... of testpmd.
int PrintFlowRules(const settings::DataplaneSettings& settings, drivers::NicFamily family) {
  uint16_t port = 0;
  for (const std::string& interface : settings::InterfacesOf(settings)) {
    const auto rules =
        drivers::MakeSteeringRules(family, SteeredPortsOf(settings, interface), settings.workers);
    if (!rules) return FailWith(rules.error());
    for (const drivers::SteeringRule& rule : *rules) std::printf("%s\n", rule.ToString(port).c_str());
    ++port;
  }
  return 0;
}

int Main(int argc, char** argv) {
  int exit_status = 0;
  const auto options = ParseOptions(argc, argv, exit_status);
  if (!options) return exit_status;
  if (Status hardened = HardenProcess(); !hardened) return FailWith(hardened.error());
  const auto settings = settings::LoadDataplaneSettings(options->config);
  if (!settings) return FailWith(settings.error());
  switch (options->action) {
    case Action::kCheckConfig:
      std::printf("%s: the dataplane's sections are good\n", options->config.c_str());
      return 0;
    case Action::kPrintFlowRules:
      return PrintFlowRules(*settings, options->nic_family);
    case Action::kRelease:
      return Release(*settings);
    case Action::kRun:
      return Run(*settings);
  }
  return 1;
}

}  // namespace
}  // namespace linegate::app

int main(int argc, char** argv) {
  try {
    return linegate::app::Main(argc, argv);
  } catch (const std::exception& error) {
    // Exhausted memory or a foreign library; nothing of ours throws.
    std::fprintf(stderr, "linegate-dataplane: %s\n", error.what());
    return 1;
  }
}
