#pragma once
#include <array>
#include <cstdint>
#include <memory>

#include "dataplane/abi/flow_slot.h"
#include "dataplane/base/net_address.h"
#include "dataplane/nodes/stream_stats.h"
#include "dataplane/nodes/token_bucket.h"
#include "dataplane/srtp/mki.h"
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

/// What few legs have: an MKI, or a receive key that was replaced a moment ago. Lost by a restart, like the packets that
/// were under way then.
///
/// Theory of operation of the change of a key (RFC 3711 section 8.1 leaves it to signalling). The peer goes over to its new
/// key when it likes, and packets of before may be overtaken. So the old key stays good, with the windows of its own that
/// keep a stranger from replaying what was sent under it, until kOldKeyGraceNs after the first packet under the new one, but
/// no longer than kOldKeyLimitNs: by then the SDP that announced the new key has arrived or its transaction has failed
/// (64*T1, RFC 3261 section 17). A packet is tried under the new key first.
struct ReceiveKeyExtras {
  static constexpr uint64_t kOldKeyGraceNs = 2'000'000'000;
  static constexpr uint64_t kOldKeyLimitNs = 32'000'000'000;

  srtp::MkiCodec mki;  ///< of the key in force
  std::unique_ptr<srtp::CryptoContext> old_context;
  srtp::MkiCodec old_mki;
  uint64_t old_until_ns = 0;
  bool new_key_heard = false;
  std::array<abi::ReceiveSource, abi::kReceiveSources> old_sources;
};

/// What a worker keeps of a flow in its own memory, made from the slot and made again after a restart. What an RTP packet
/// touches comes first.
struct alignas(64) FlowRuntime {
  static constexpr uint8_t kNotMapped = 0xff;
  static constexpr size_t kHotLines = 5;  ///< up to the first part of `payload_map`

  std::unique_ptr<srtp::CryptoContext> receive_context;
  std::unique_ptr<srtp::CryptoContext> send_context;
  std::unique_ptr<ReceiveKeyExtras> receive_extras;  ///< nullptr: one key, no MKI
  std::unique_ptr<srtp::MkiCodec> send_mki;          ///< nullptr: none
  std::array<Endpoint, 2> expected;                  ///< RTP ingress: sources accepted; family kNone: none
  StreamStats stream;                                ///< of the ingress
  std::array<EgressTarget, 2> egress;
  std::array<uint8_t, 128> payload_map;
  IceRuntime ice;
  TokenBucket stun_errors{2, 5};
  TokenBucket dtls{100, 200};
};

}  // namespace linegate::nodes
