#include "drivers/net/memif_guard.h"

#include <linux/membarrier.h>
#include <rte_config.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
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

/// DPDK's other sockets are of other types.
bool IsMemifConnection(int fd) {
  int type = 0;
  socklen_t size = sizeof type;
  return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

ssize_t BytesOf(const msghdr& message) {
  size_t bytes = 0;
  for (size_t i = 0; i < message.msg_iovlen; ++i) bytes += message.msg_iov[i].iov_len;
  return ssize_t(bytes);
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

ssize_t __real_sendmsg(int fd, const msghdr* message, int flags);
ssize_t __wrap_sendmsg(int fd, const msghdr* message, int flags);
ssize_t __wrap_sendmsg(int fd, const msghdr* message, int flags) {
  const ssize_t sent = __real_sendmsg(fd, message, flags);
  if (sent >= 0 || !linegate::drivers::IsMemifConnection(fd)) return sent;
  shutdown(fd, SHUT_RDWR);
  return linegate::drivers::BytesOf(*message);
}
}
