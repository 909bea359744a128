// linegate-load: wires settings, DPDK, the device's command ring and the search.
#include <pthread.h>
#include <sched.h>

#include <cstdio>
#include <exception>
#include <fstream>
#include <optional>
#include <thread>

#include "dataplane/app/eal_setup.h"
#include "perf/load/report.h"

namespace linegate::load {
namespace {

constexpr size_t kMemifBuffers = 8191;
constexpr double kLatencyShare = 0.8;
constexpr double kCurveShares[] = {0.2, 0.4, 0.6, 0.95};
constexpr auto kRest = std::chrono::milliseconds(300);
constexpr auto kLinkLimit = std::chrono::seconds(10);

void Say(const std::string& text) { std::fprintf(stderr, "linegate-load: %s\n", text.c_str()); }

Status PinTo(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  if (pthread_setaffinity_np(pthread_self(), sizeof set, &set) != 0)
    return Fail("cannot run on core " + std::to_string(core));
  return {};
}

/// Connects to the dataplane's socket, which is there once its link region is.
Result<std::unique_ptr<drivers::DpdkPort>> Connect(const drivers::DpdkPool& pool, uint16_t port_id,
                                                   const std::string& interface, uint32_t log2_slots) {
  drivers::MemifDevice device;
  device.socket = settings::MemifPathOf(interface);
  device.role = drivers::MemifDevice::Role::kClient;
  device.log2_slots = uint8_t(log2_slots);
  if (device.socket.empty()) return Fail("interface '" + interface + "' is no memif port");
  auto port = drivers::DpdkPort::Open(pool, port_id, device);
  if (!port) return port;
  const TimePoint limit = MonotonicNow() + kLinkLimit;
  while (!(*port)->link_up()) {
    if (MonotonicNow() > limit) return Fail(device.socket + ": the dataplane does not answer");
  }
  return port;
}

/// Everything between start and end of DPDK.
class Session {
 public:
  /// `settings`: nullptr where the calls are read from a file.
  Session(const settings::DataplaneSettings* settings, const LoadOptions& options)
      : settings_(settings), options_(options) {}

  Result<Report> Run() {
    if (Status opened = Open(); !opened) return MakeUnexpected(opened.error());
    Traffic traffic(*plan_, options_, device_.get(), *transform_);
    Checker checker(*plan_, options_, *transform_);
    TrialRunner runner(*ports_[0], ports_.size() > 1 ? ports_[1].get() : nullptr, *plan_, traffic, checker,
                       options_.interface.empty() ? device_.get() : nullptr);
    runner.set_realtime(options_.realtime);
    runner.set_slow_engine(options_.slow_engine);
    Report report;
    report.name = ResultName(options_, settings_ == nullptr ? 1 : settings_->workers);
    report.core_distance = options_.core_distance;
    report.tsc_hz = runner.tsc_hz();
    const auto trial = [&](double rate, double seconds) {
      if (!runner.RefreshConsent()) Say("connectivity checks were not all answered");
      TrialResult result = runner.Run(rate, seconds);
      report.checked += result.checked;
      report.bad += result.bad;
      report.seconds += result.seconds;
      report.wall_seconds += result.wall_seconds;
      report.stalls += result.stalls;
      if (options_.verbose) Say(ToText(result, rate));
      for (const auto& [fault, count] : checker.faults()) Say("bad: " + fault + ", " + std::to_string(count));
      return result;
    };
    if (options_.rate > 0) {
      report.loaded = trial(options_.rate, options_.confirm_seconds);
      report.search.rate_pps = report.loaded.summary.received_pps;
      report.search.loss = report.loaded.summary.loss;
      report.search.generator_peak_pps = report.loaded.summary.offered_pps;
    } else {
      const SearchLimits limits{.loss = options_.loss_limit,
                                .trial_seconds = options_.trial_seconds,
                                .confirm_seconds = options_.confirm_seconds};
      report.search = RateSearch(
                          limits, [&](double rate, double seconds) { return trial(rate, seconds).summary; },
                          [] { std::this_thread::sleep_for(kRest); })
                          .Run();
      if (report.search.rate_pps <= 0) return Explained(std::move(report));
      report.loaded = trial(kLatencyShare * report.search.rate_pps, options_.trial_seconds);
      const auto note = [&report](const TrialResult& result) {
        const auto microseconds = [&](double fraction) {
          return double(result.latency.Quantile(fraction)) / report.tsc_hz * 1e6;
        };
        report.curve.push_back({result.summary.offered_pps, microseconds(0.5), microseconds(0.99)});
      };
      note(report.loaded);
      for (double share : kCurveShares) note(trial(share * report.search.rate_pps, options_.trial_seconds));
    }
    return Explained(std::move(report));
  }

 private:
  /// The reasons of what the device dropped go to the operator.
  Report Explained(Report report) {
    const std::string drops = device_ == nullptr ? "" : device_->Drops();
    if (!drops.empty()) Say("the dataplane dropped: " + drops);
    return report;
  }
  Status Open() {
    if (Status pinned = PinTo(options_.core); !pinned) return pinned;
    auto pool = drivers::DpdkPool::Create(options_.interface.empty() ? kMemifBuffers
                                                                     : drivers::DpdkPool::BuffersFor(1));
    if (!pool) return MakeUnexpected(pool.error());
    pool_ = std::make_unique<drivers::DpdkPool>(std::move(*pool));
    auto plan = settings_ == nullptr ? CallPlan::Read(options_) : CallPlan::Make(*settings_, options_);
    if (!plan) return MakeUnexpected(plan.error());
    plan_ = std::make_unique<CallPlan>(std::move(*plan));
    auto transform = crypto::IpsecMbTransform::Create();
    if (!transform) return MakeUnexpected(transform.error());
    transform_ = *std::move(transform);
    if (settings_ != nullptr) {
      auto device = DeviceLink::Attach(*settings_);
      if (!device) return MakeUnexpected(device.error());
      device_ = *std::move(device);
    }
    if (Status opened = OpenPorts(); !opened) return opened;
    if (device_ == nullptr) return {};
    return device_->Program(*plan_, GeneratorKey(options_.profile));
  }
  Status OpenPorts() {
    if (!options_.interface.empty()) {
      // No program of ours there: libxdp attaches its own, which takes everything.
      auto port = drivers::DpdkPort::Open(*pool_, 0, drivers::AfXdpDevice{.interface = options_.interface});
      if (!port) return MakeUnexpected(port.error());
      ports_.push_back(*std::move(port));
      return {};
    }
    for (const std::string& interface : settings::InterfacesOf(*settings_)) {
      auto port = Connect(*pool_, uint16_t(ports_.size()), interface, options_.log2_ring_slots);
      if (!port) return MakeUnexpected(port.error());
      ports_.push_back(*std::move(port));
    }
    if (ports_.size() > 2) return Fail("more than two memif ports");
    return {};
  }

  const settings::DataplaneSettings* const settings_;
  const LoadOptions& options_;
  std::unique_ptr<drivers::DpdkPool> pool_;
  std::unique_ptr<CallPlan> plan_;
  std::unique_ptr<crypto::IpsecMbTransform> transform_;
  std::unique_ptr<DeviceLink> device_;
  std::vector<std::unique_ptr<drivers::DpdkPort>> ports_;
};

int Main(int argc, char** argv) {
  int exit_status = 0;
  const auto options = ParseLoadOptions(argc, argv, exit_status);
  if (!options) return exit_status;
  std::optional<settings::DataplaneSettings> settings;
  if (options->plan.empty()) {
    auto loaded = settings::LoadDataplaneSettings(options->config);
    if (!loaded) return Say(loaded.error().message()), 1;
    settings = *std::move(loaded);
  }
  auto eal = app::StartEal(settings ? settings->hugepages : settings::HugepageMode::kAuto,
                           drivers::DpdkPool::MegabytesFor(2));
  if (!eal) return Say(eal.error().message()), 1;
  if (!eal->hugepages) Say("ordinary pages: " + eal->note);
  const auto report = [&] { return Session(settings ? &*settings : nullptr, *options).Run(); }();
  app::StopEal();
  if (!report) return Say(report.error().message()), 1;
  std::printf("%s\n", ToText(*report).c_str());
  if (!options->json.empty()) std::ofstream(options->json, std::ios::app) << ToJson(*report) << "\n";
  return report->bad == 0 ? 0 : 1;
}

}  // namespace
}  // namespace linegate::load

int main(int argc, char** argv) {
  try {
    return linegate::load::Main(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "linegate-load: %s\n", error.what());
    return 1;
  }
}
