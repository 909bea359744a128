#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/nodes/packet_batch.h"
#include "dataplane/srtp/transform.h"

namespace linegate::nodes {

/// Work for the SRTP engine, parallel to the positions of its packets in the batch.
struct JobBurst {
  std::array<srtp::CryptoJob, PacketBatch::kCapacity> jobs;
  std::array<uint8_t, PacketBatch::kCapacity> positions;
  size_t count = 0;

  /// The job to fill next. It counts once it is added.
  srtp::CryptoJob& next() { return jobs[count]; }
  void Add(size_t position) { positions[count++] = uint8_t(position); }
  std::span<srtp::CryptoJob> span() { return {jobs.data(), count}; }
};

}  // namespace linegate::nodes
