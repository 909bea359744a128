#include "drivers/net/memif_guard.h"

#include <linux/membarrier.h>
#include <rte_config.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>

struct rte_eth_dev;

namespace linegate::drivers {
namespace {

struct alignas(64) Flag {
  std::atomic<bool> in_burst{false};
};
std::array<Flag, RTE_MAX_ETHPORTS> flags;

long Membarrier(int command) { return syscall(SYS_membarrier, command, 0, 0); }

void WaitForBursts() {
  Membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
  for (Flag& flag : flags) {
    while (flag.in_burst.load(std::memory_order_acquire)) usleep(1);
  }
}

}  // namespace

bool MemifGuard::Register() { return Membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0; }

MemifGuard::MemifGuard(uint16_t ethdev) : ethdev_(ethdev) {
  flags[ethdev_].in_burst.store(true, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);  // the processor's half is membarrier's
}

MemifGuard::~MemifGuard() { flags[ethdev_].in_burst.store(false, std::memory_order_release); }

}  // namespace linegate::drivers

extern "C" {
void __real_memif_free_regions(rte_eth_dev* device);
void __wrap_memif_free_regions(rte_eth_dev* device);
void __wrap_memif_free_regions(rte_eth_dev* device) {
  linegate::drivers::WaitForBursts();
  __real_memif_free_regions(device);
}
}
