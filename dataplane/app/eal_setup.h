#pragma once
#include <cstddef>
#include <string>

#include "dataplane/base/result.h"
#include "dataplane/settings/settings.h"

namespace linegate::app {

/// What StartEal decided, for the start-up log.
struct EalReport {
  bool hugepages = false;
  std::string note;  ///< why there are none; empty otherwise
};

/// Makes sure that `megabytes` of 2 MB hugepages are free, reserving the missing ones with the kernel. They
/// stay reserved when the process ends: the next start wants them again, and memory fragments. Errors: says
/// how many were wanted and how many there are.
Status ReserveHugepages(size_t megabytes);

/// Starts DPDK's environment layer: no PCI, no files, nothing that outlives kill -9. Uses hugepages unless
/// `mode` is kOff or they cannot be had; then ordinary pages. The calling thread keeps all its cores. Once
/// per process. Errors: DPDK's reason.
Result<EalReport> StartEal(settings::HugepageMode mode, size_t megabytes);

/// Releases what StartEal took. All ports and pools are gone by then.
void StopEal();

/// Makes the calling thread known to DPDK, so that it uses the packet pool's per-thread cache.
Status RegisterWorkerThread();
/// At the end of that thread.
void UnregisterWorkerThread();

}  // namespace linegate::app
