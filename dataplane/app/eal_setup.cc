#include "dataplane/app/eal_setup.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <sched.h>

#include <fstream>
#include <vector>

namespace linegate::app {
namespace {

constexpr char kHugepageDirectory[] = "/sys/kernel/mm/hugepages/hugepages-2048kB/";
constexpr size_t kMegabytesPerPage = 2;

size_t ReadPages(const char* file) {
  size_t pages = 0;
  std::ifstream(std::string(kHugepageDirectory) + file) >> pages;
  return pages;
}

/// "0@(0,1,5)": DPDK's main lcore is this thread, on every core it may use now.
std::string MainLcoreOnAllCores() {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  sched_getaffinity(0, sizeof cores, &cores);
  std::string list;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &cores)) list += (list.empty() ? "" : ",") + std::to_string(core);
  }
  return "0@(" + list + ")";
}

}  // namespace

Status ReserveHugepages(size_t megabytes) {
  const size_t wanted = (megabytes + kMegabytesPerPage - 1) / kMegabytesPerPage;
  const size_t free = ReadPages("free_hugepages");
  if (free >= wanted) return {};
  std::ofstream(std::string(kHugepageDirectory) + "nr_hugepages")
      << ReadPages("nr_hugepages") + (wanted - free);
  const size_t now_free = ReadPages("free_hugepages");
  if (now_free >= wanted) return {};
  return Fail("of " + std::to_string(wanted) + " hugepages of 2 MB wanted only " + std::to_string(now_free) +
              " are free");
}

Result<EalReport> StartEal(settings::HugepageMode mode, size_t megabytes) {
  EalReport report;
  if (mode == settings::HugepageMode::kOff) {
    report.note = "hugepages are switched off";
  } else if (Status reserved = ReserveHugepages(megabytes); !reserved) {
    report.note = reserved.error().message();
  } else {
    report.hugepages = true;
  }
  // On ordinary pages DPDK 22.11 places a pool only where twice its size is free (untouched pages cost
  // nothing).
  const size_t heap_megabytes = report.hugepages ? megabytes : 2 * megabytes;
  std::vector<std::string> arguments = {
      "linegate-dataplane",          "--no-pci", "--no-telemetry",      "--iova-mode=va",
      "--log-level=*:warning",       "--lcores", MainLcoreOnAllCores(), "-m",
      std::to_string(heap_megabytes)};
  // Nothing on disk, so that kill -9 leaks nothing. --in-memory refuses --no-huge, whose memory is anonymous
  // anyway.
  if (report.hugepages) {
    arguments.push_back("--in-memory");
  } else {
    arguments.insert(arguments.end(), {"--no-huge", "--no-shconf"});
  }
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  if (rte_eal_init(int(argv.size()), argv.data()) < 0) {
    return Fail(std::string("cannot start DPDK: ") + rte_strerror(rte_errno));
  }
  return report;
}

void StopEal() { rte_eal_cleanup(); }

Status RegisterWorkerThread() {
  if (rte_thread_register() != 0) {
    return Fail(std::string("cannot register the worker thread with DPDK: ") + rte_strerror(rte_errno));
  }
  return {};
}

void UnregisterWorkerThread() { rte_thread_unregister(); }

}  // namespace linegate::app
