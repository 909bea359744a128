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

  void Add(size_t position, const srtp::CryptoJob& job) {
    positions[count] = uint8_t(position);
    jobs[count++] = job;
  }
  std::span<srtp::CryptoJob> span() { return {jobs.data(), count}; }
};

}  // namespace linegate::nodes
