#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "dataplane/app/port_setup.h"
#include "dataplane/app/shared_memory.h"
#include "dataplane/base/result.h"
#include "dataplane/settings/settings.h"
#include "dataplane/srtp/transform.h"
#include "dataplane/worker/handover.h"

namespace linegate::app {

/// The SRTP engine of the settings. Errors: the processor cannot run it. Never another engine instead.
Result<std::unique_ptr<srtp::SrtpTransform>> MakeTransform(settings::SrtpEngine engine);

/// The worker threads.
///
/// Theory of operation. Each thread pins itself, registers with DPDK, builds its worker (so that its memory
/// is local) and takes over the flows in its slots; Start returns when all of them have. Then it turns the
/// worker's loop.
/// - idle = "poll" never sleeps.
/// - idle = "adaptive" sleeps 50 us after 64 empty turns, 100 us when nothing came for about 50 ms: that
/// delays
///   a packet by half of it on average and leaves the core to others.
///
/// Cores: those of the settings; else, polling, the last ones this process may use; else none in particular.
class WorkerThreads {
 public:
  WorkerThreads(const settings::DataplaneSettings& settings, const SharedMemory& memory,
                const NetworkPorts& network);
  WorkerThreads(const WorkerThreads&) = delete;
  WorkerThreads& operator=(const WorkerThreads&) = delete;
  ~WorkerThreads();

  /// Errors: the engine; DPDK does not know a thread; the kernel refuses a core.
  Status Start();
  /// Ends all threads; flows stay in their slots. May be called again.
  void Stop();
  uint32_t adopted_flows() const { return adopted_flows_; }
  /// "libsrtp2 2.5.0 (NSS)". Valid after Start.
  const std::string& engine() const { return engine_; }

 private:
  struct Thread;
  void Run(Thread& thread);
  Status Prepare(const Thread& thread) const;

  const settings::DataplaneSettings& settings_;
  const SharedMemory& memory_;
  const NetworkPorts& network_;
  worker::HandoverMesh mesh_;
  std::vector<std::unique_ptr<Thread>> threads_;
  std::atomic<bool> stop_{false};
  uint32_t adopted_flows_ = 0;
  std::string engine_;
};

/// The core of each worker as described above; -1: any.
std::vector<int> ChooseCores(const settings::DataplaneSettings& settings, const std::vector<int>& usable);

}  // namespace linegate::app
