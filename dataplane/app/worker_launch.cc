#include "dataplane/app/worker_launch.h"

#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <time.h>

#include <future>
#include <system_error>
#include <utility>

#include "dataplane/app/eal_setup.h"
#include "dataplane/base/rng.h"
#include "dataplane/base/time.h"
#include "dataplane/worker/worker.h"
#include "drivers/crypto/ipsec_mb_transform.h"
#include "drivers/crypto/libsrtp_transform.h"
#include "drivers/crypto/openssl_hmac_sha1.h"

namespace linegate::app {
namespace {

constexpr uint32_t kEmptyTurnsBeforeSleep = 64;
constexpr uint32_t kEmptyTurnsBeforeLongSleep =
    1024;  // about 50 ms: longer than any stream's packet interval
constexpr long kSleepNs = 50'000;
constexpr long kLongSleepNs = 100'000;
constexpr unsigned long kTimerSlackNs = 1'000;  // the default of 50 us would double the sleep

std::vector<int> UsableCores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  sched_getaffinity(0, sizeof set, &set);
  std::vector<int> cores;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &set)) cores.push_back(core);
  }
  return cores;
}

void Turn(worker::Worker& worker, settings::IdleMode idle, const std::atomic<bool>& stop) {
  uint32_t empty_turns = 0;
  while (!stop.load(std::memory_order_relaxed)) {
    if (worker.RunOnce(MonotonicNow())) {
      empty_turns = 0;
    } else if (idle == settings::IdleMode::kAdaptive && ++empty_turns >= kEmptyTurnsBeforeSleep) {
      const timespec nap = {0, empty_turns < kEmptyTurnsBeforeLongSleep ? kSleepNs : kLongSleepNs};
      clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, nullptr);
    }
  }
}

}  // namespace

struct WorkerThreads::Thread {
  struct Outcome {
    Status status;
    uint32_t adopted_flows = 0;
    std::string engine;
  };
  uint16_t worker = 0;
  int core = -1;
  std::vector<io::PacketPort*> ports;
  std::promise<Outcome> ready;
  std::thread thread;
};

Result<std::unique_ptr<srtp::SrtpTransform>> MakeTransform(settings::SrtpEngine engine) {
  if (engine == settings::SrtpEngine::kLibsrtp2) {
    return std::unique_ptr<srtp::SrtpTransform>(std::make_unique<crypto::LibsrtpTransform>());
  }
  auto transform = crypto::IpsecMbTransform::Create();
  if (!transform) {
    return Fail("[srtp] engine: " + transform.error().message() + "; set engine = \"libsrtp2\"");
  }
  return std::unique_ptr<srtp::SrtpTransform>(*std::move(transform));
}

std::vector<int> ChooseCores(const settings::DataplaneSettings& settings, const std::vector<int>& usable) {
  if (!settings.cores.empty()) return settings.cores;
  std::vector<int> cores(settings.workers, -1);
  if (settings.idle == settings::IdleMode::kPoll && usable.size() >= cores.size()) {
    for (size_t i = 0; i < cores.size(); ++i) cores[i] = usable[usable.size() - 1 - i];
  }
  return cores;
}

WorkerThreads::WorkerThreads(const settings::DataplaneSettings& settings, const SharedMemory& memory,
                             const NetworkPorts& network)
    : settings_(settings),
      memory_(memory),
      network_(network),
      mesh_(settings.workers, settings.relays_per_worker) {}

WorkerThreads::~WorkerThreads() { Stop(); }

Status WorkerThreads::Prepare(const Thread& thread) const {
  pthread_setname_np(pthread_self(), ("lg-worker-" + std::to_string(thread.worker)).c_str());
  prctl(PR_SET_TIMERSLACK, kTimerSlackNs, 0, 0, 0);
  if (thread.core >= 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(thread.core, &set);
    if (int error = pthread_setaffinity_np(pthread_self(), sizeof set, &set); error != 0) {
      return Fail("worker " + std::to_string(thread.worker) + " cannot run on core " +
                  std::to_string(thread.core) + ": " + std::generic_category().message(error));
    }
  }
  return RegisterWorkerThread();
}

void WorkerThreads::Run(Thread& thread) {
  Thread::Outcome outcome;
  outcome.status = Prepare(thread);
  auto transform = MakeTransform(settings_.srtp_engine);
  if (outcome.status && !transform) outcome.status = MakeUnexpected(transform.error());
  if (!outcome.status) return thread.ready.set_value(std::move(outcome));
  {
    crypto::OpensslHmacSha1 hmac;
    SecureRng rng;
    worker::Worker worker({.id = thread.worker,
                           .settings = settings_,
                           .link = memory_.link(),
                           .slots = memory_.SlotsOf(thread.worker),
                           .ports = thread.ports,
                           .transform = **transform,
                           .hmac = hmac,
                           .mesh = mesh_,
                           .rng = rng,
                           .relays = memory_.RelaysOf(thread.worker)});
    outcome.adopted_flows = worker.Adopt(MonotonicNow());
    outcome.engine = (*transform)->Describe();
    thread.ready.set_value(std::move(outcome));
    Turn(worker, settings_.idle, stop_);
  }
  UnregisterWorkerThread();
}

Status WorkerThreads::Start() {
  const std::vector<int> cores = ChooseCores(settings_, UsableCores());
  std::vector<std::future<Thread::Outcome>> outcomes;
  for (uint16_t worker = 0; worker < settings_.workers; ++worker) {
    Thread& thread = *threads_.emplace_back(std::make_unique<Thread>());
    thread.worker = worker;
    thread.core = cores[worker];
    thread.ports = network_.PortsOf(worker);
    outcomes.push_back(thread.ready.get_future());
    thread.thread = std::thread([this, &thread] { Run(thread); });
  }
  Status first;
  for (auto& future : outcomes) {
    Thread::Outcome outcome = future.get();
    if (!outcome.status && first) first = std::move(outcome.status);
    adopted_flows_ += outcome.adopted_flows;
    engine_ = std::move(outcome.engine);
  }
  return first;
}

void WorkerThreads::Stop() {
  stop_.store(true, std::memory_order_relaxed);
  for (auto& thread : threads_) {
    if (thread->thread.joinable()) thread->thread.join();
  }
}

}  // namespace linegate::app
