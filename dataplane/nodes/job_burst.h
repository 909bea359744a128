#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/io/packet_port.h"
#include "dataplane/srtp/transform.h"

namespace linegate::nodes {

/// Work for the SRTP engine, parallel to the positions of its packets in the batch. A job is filled in full each time.
struct JobBurst {
  std::array<srtp::CryptoJob, io::kMaxBurst> jobs;
  std::array<uint8_t, io::kMaxBurst> positions;
  size_t count = 0;

  void Clear() { count = 0; }
  /// The job to fill next. It counts once it is added.
  srtp::CryptoJob& next() { return jobs[count]; }
  void Add(size_t position) { positions[count++] = uint8_t(position); }
  std::span<srtp::CryptoJob> span() { return {jobs.data(), count}; }
};

}  // namespace linegate::nodes
