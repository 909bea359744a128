#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "dataplane/abi/flow_slot.h"
#include "dataplane/base/net_address.h"
#include "dataplane/flow/flow_table.h"
#include "dataplane/nodes/stream_stats.h"
#include "dataplane/nodes/token_bucket.h"
#include "dataplane/srtp/mki.h"
#include "dataplane/srtp/transform.h"
#include "dataplane/wire/frame_writer.h"
#include "dataplane/wire/plain_udp.h"

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

/// Where media of a flow was last accepted from: packets that come from there again need no look at their addresses
/// (known_flows.h).
struct KnownTuple {
  wire::UdpTuple tuple;         ///< all zero: none
  uint16_t port_id = 0;         ///< it came in by
  uint8_t path = abi::kNoPath;  ///< WebRTC ingress: IceState's; RTP ingress: kNoPath
};

/// What a worker keeps of a flow in its own memory, made from the slot and made again after a restart. An RTP packet
/// touches the first three cache lines, and of the slot only what must survive the process.
struct alignas(64) FlowRuntime {
  static constexpr uint8_t kNotMapped = 0xff;
  static constexpr size_t kHotLines = 3;

  // The first line: what decides, copied from the slot's configuration.
  uint32_t generation = 0;           ///< of the slot while it is live here; 0: nobody's
  uint32_t reverse = flow::kNoFlow;  ///< the opposite direction; kNoFlow: it has none here
  uint32_t reverse_generation = 0;
  bool encrypted_ingress = false;
  bool encrypted_egress = false;
  bool rtcp_mux = false;  ///< of the ingress
  uint8_t to_learn = 0;   ///< RTP ingress: bit c: the source of component c is learned from its next packet
  bool send_rtp = false;
  bool send_rtcp = false;
  abi::FlowService service = abi::FlowService::kRelay;
  uint8_t last_payload_type = kNotMapped;  ///< as received, and what the configuration makes of it
  uint8_t last_mapped_type = kNotMapped;
  uint8_t verifying = abi::kNoPath;  ///< nominated path of another IP address, not proven yet
  bool has_receive_extras = false;
  bool has_send_mki = false;
  KnownTuple known;
  std::unique_ptr<srtp::CryptoContext> receive_context;
  std::unique_ptr<srtp::CryptoContext> send_context;

  // The second, and the third from the first byte of a header on.
  StreamStats stream;  ///< of the ingress
  std::array<EgressTarget, 2> egress;

  std::unique_ptr<ReceiveKeyExtras> receive_extras;  ///< nullptr: one key, no MKI
  std::unique_ptr<srtp::MkiCodec> send_mki;          ///< nullptr: none
  std::array<Endpoint, 2> expected;                  ///< RTP ingress: sources accepted; family kNone: none
  IceRuntime ice;
  TokenBucket stun_errors{2, 5};
  TokenBucket dtls{100, 200};

  void SetReceiveExtras(std::unique_ptr<ReceiveKeyExtras> extras) {
    receive_extras = std::move(extras);
    has_receive_extras = receive_extras != nullptr;
  }
  void SetSendMki(std::unique_ptr<srtp::MkiCodec> mki) {
    send_mki = std::move(mki);
    has_send_mki = send_mki != nullptr;
  }
  /// The payload type to send for one that was received, or kNotMapped. A stream seldom changes its type.
  uint8_t MapPayloadType(uint8_t received, const abi::FlowConfig& config) {
    if (received == last_payload_type) [[likely]]
      return last_mapped_type;
    last_payload_type = received;
    last_mapped_type = kNotMapped;
    for (const abi::PayloadMapping& mapping : std::span(config.payload).first(config.payload_count)) {
      if (mapping.from == received) last_mapped_type = mapping.to;
    }
    return last_mapped_type;
  }
  void ForgetPayloadTypes() { last_payload_type = last_mapped_type = kNotMapped; }
};
static_assert(offsetof(FlowRuntime, stream) == 64);
static_assert(offsetof(FlowRuntime, egress) + offsetof(EgressTarget, headers) +
                  wire::FrameTemplate::kBytesOffset ==
              128);

/// The flow whose slot holds send key and numbering of what `flow` sends to an encrypted leg: the leg's own (the flow
/// whose ingress it is), so that numbering goes on when another flow is joined with the leg; two flows that send to one
/// leg for a moment share it. `flow` itself when the leg lives on another worker. The same whether the leg is encrypted
/// yet or not: keys may arrive before the configuration that says so.
inline uint32_t SendFlowOf(uint32_t flow, std::span<const FlowRuntime> flows) {
  const uint32_t reverse = flows[flow].reverse;
  if (reverse == flow::kNoFlow) return flow;
  return flows[reverse].generation == flows[flow].reverse_generation ? reverse : flow;
}

}  // namespace linegate::nodes
