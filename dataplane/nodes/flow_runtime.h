#pragma once
#include <array>
#include <cstdint>
#include <memory>

#include "dataplane/abi/flow_slot.h"
#include "dataplane/base/net_address.h"
#include "dataplane/nodes/stream_stats.h"
#include "dataplane/nodes/token_bucket.h"
#include "dataplane/srtp/transform.h"
#include "dataplane/wire/frame_writer.h"

namespace linegate::nodes {

/// Where one component of a flow goes, ready to be written.
struct EgressTarget {
  bool known = false;  ///< an address to send to is there
  bool next_hop_known = false;
  bool internal = false;  ///< it is one of our own addresses
  uint16_t port_id = 0;
  wire::FrameTemplate headers;  ///< made only if `next_hop_known`
};

/// Our own check of an address that a nominated check came from (design D6), and a move that waits. Lost by a
/// restart: the peer's next check starts it again.
struct IceRuntime {
  uint8_t verifying = abi::kNoPath;  ///< nominated path of another IP address, not proven yet
  uint8_t sends_left = 0;
  uint8_t deferred = abi::kNoPath;  ///< proven nomination within a second of the last move
  std::array<uint8_t, 12> transaction = {};
  uint64_t next_send_ns = 0;
  uint64_t interval_ns = 0;
};

/// What a worker keeps of a flow in its own memory, made from the slot and made again after a restart. What an RTP packet
/// touches comes first.
struct alignas(64) FlowRuntime {
  static constexpr uint8_t kNotMapped = 0xff;
  static constexpr size_t kHotLines = 5;  ///< up to the first part of `payload_map`

  std::unique_ptr<srtp::CryptoContext> receive_context;
  std::unique_ptr<srtp::CryptoContext> send_context;
  std::array<Endpoint, 2> expected;  ///< RTP ingress: sources accepted; family kNone: none
  StreamStats stream;                ///< of the ingress
  std::array<EgressTarget, 2> egress;
  std::array<uint8_t, 128> payload_map;
  IceRuntime ice;
  TokenBucket stun_errors{2, 5};
  TokenBucket dtls{100, 200};
};

}  // namespace linegate::nodes
