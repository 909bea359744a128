#pragma once
#include <cstdint>

namespace linegate::drivers {

/// Keeps the memory that a memif port shares with its peer from being unmapped under a burst.
///
/// Theory of operation. When a peer goes away, DPDK's interrupt thread marks the port disconnected and unmaps the rings at
/// once, while a worker may be in the middle of a burst: a killed peer would take us along. The linker puts a function of
/// ours before the driver's memif_free_regions (-Wl,--wrap): it lets every thread see the mark (membarrier(2), so that a
/// burst costs two plain stores and no fence), then waits until the bursts that began before it are over.
///
/// A second function of ours stands before sendmsg for the driver's control messages. DPDK 22.11 registers an accepted
/// connection with its interrupt thread, sends the first message, and when that fails, because the peer hung up at once
/// (any attempt to connect, ClaimMemifSocket's among them), closes the descriptor without taking it back: the thread
/// panics on its next round, and the process with it. So a message that cannot be sent counts as sent and the connection
/// is shut down: the thread then reads its end and takes it apart in the order that is right.
class MemifGuard {
 public:
  /// Before the first memif port is opened. False: this kernel has no membarrier(2).
  static bool Register();

  /// A burst on `ethdev` by the thread that owns the port.
  explicit MemifGuard(uint16_t ethdev);
  MemifGuard(const MemifGuard&) = delete;
  MemifGuard& operator=(const MemifGuard&) = delete;
  ~MemifGuard();

 private:
  const uint16_t ethdev_;
};

}  // namespace linegate::drivers
