#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "dataplane/base/result.h"

struct rte_mempool;

namespace linegate::drivers {

/// Bytes of a buffer behind its headroom: a frame of 1,518 bytes and what we put in front. A memif ring's buffers are as
/// large, which its driver's quick path for received packets and the one for sent packets want both. An odd number of cache
/// lines: the same offset of neighbouring buffers falls into different sets of the cache, of 2,048 bytes into one of 32.
inline constexpr uint16_t kBufferBytes = 33 * 64;

/// The one mempool of the process: every port receives into it and can send from it, so a frame moves between
/// ports and workers without a copy. Outlives all ports. Needs the EAL.
class DpdkPool {
 public:
  /// What one AF_XDP port holds at most: its fill ring and the frames the kernel is sending.
  static constexpr size_t kBuffersPerPort = 4096;
  static constexpr size_t kBuffersInFlight = 4096;
  static constexpr size_t kBytesPerBuffer = 2560;  ///< frame, headroom and headers, rounded up

  /// One less than a power of two, which uses the ring beneath a mempool without waste.
  static size_t BuffersFor(size_t ports) {
    return std::bit_ceil(ports * kBuffersPerPort + kBuffersInFlight) - 1;
  }
  /// Memory to give the EAL for `ports` ports, in MiB.
  static size_t MegabytesFor(size_t ports) { return (BuffersFor(ports) * kBytesPerBuffer >> 20) + 8; }

  /// Errors: not enough memory.
  static Result<DpdkPool> Create(size_t buffers);
  DpdkPool(DpdkPool&&) noexcept = default;
  DpdkPool& operator=(DpdkPool&&) noexcept = default;

  rte_mempool* handle() const { return pool_.get(); }
  size_t free_count() const;

 private:
  struct Deleter {
    void operator()(rte_mempool* pool) const;
  };
  explicit DpdkPool(rte_mempool* pool) : pool_(pool) {}
  std::unique_ptr<rte_mempool, Deleter> pool_;
};

}  // namespace linegate::drivers
