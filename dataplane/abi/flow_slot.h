#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "dataplane/abi/flow_config.h"
#include "dataplane/srtp/replay_window.h"
#include "dataplane/srtp/transmit_index.h"

/// The vault's record of one direction of a flow (design D1). The dataplane's alone: it holds keys.
///
/// Theory of operation. A slot has one owner, one worker, and nobody else writes it. It outlives the process: a worker
/// that starts again rebuilds its tables and cipher contexts from the live slots. A process can die between any two
/// stores, so everything here is either one aligned word, or guarded by a word that is stored after it, or two copies:
///
///   life            one word: state, generation, owner. Stored last on creation, first on removal. kUpdating while
///                   the configuration is replaced; a slot found so keeps its numbering and waits for the command,
///                   which is delivered again because its ring record was not released
///   KeyMaterial     `installed` is stored last
///   ReceiveSource   its windows are stored after verification and before forwarding; a restart counts everything up
///                   to the highest index as seen, so a torn one does no harm
///   TransmitSource  its index is stored before the packet is encrypted; a restart counts everything up to it as used
///   ValidatedPath   `state` is stored last
///   egress path     two alternating copies with a sequence word each
namespace linegate::abi {

/// Keeps the compiler from moving stores across; a dead process loses no store that stands before it (x86
/// stores and AArch64 stores of a dead thread all reach the cache; only their order in the program counts
/// here).
inline void StoreBarrier() { std::atomic_signal_fence(std::memory_order_seq_cst); }

enum class SlotState : uint16_t { kFree = 0, kLive = 1, kUpdating = 2 };

struct LifeWord {
  SlotState state = SlotState::kFree;
  uint16_t owner = 0;  ///< worker
  uint32_t generation = 0;
  static LifeWord From(uint64_t word) {
    return {SlotState(word & 0xffff), uint16_t(word >> 16), uint32_t(word >> 32)};
  }
  uint64_t word() const { return uint64_t(generation) << 32 | uint64_t(owner) << 16 | uint64_t(state); }
};

struct KeyMaterial {
  uint32_t installed = 0;
  uint16_t profile = 0;  ///< srtp::Profile
  uint8_t key_bytes = 0;
  uint8_t salt_bytes = 0;
  uint8_t key[32] = {};
  uint8_t salt[14] = {};
  uint8_t mki_bytes = 0;  ///< 0: packets carry no MKI
  uint8_t reserved = 0;
  uint8_t mki[8] = {};
};
static_assert(sizeof(KeyMaterial) == 64);

/// One source that we receive: its replay lists (RFC 3711 section 3.3.2).
struct ReceiveSource {
  uint32_t ssrc = 0;
  uint8_t used = 0;  ///< stored last when the source is added
  uint8_t reserved[3] = {};
  srtp::ReplayWindow<srtp::kAudioReplayBits> rtp;
  srtp::ReplayWindow<srtp::kAudioReplayBits> rtcp;
};
static_assert(sizeof(ReceiveSource) == 72);

/// One source that we encrypt for the leg that is this slot's ingress (nodes::SendFlowOf).
struct TransmitSource {
  uint32_t ssrc = 0;
  uint8_t used = 0;  ///< stored last when the source is added
  uint8_t reserved = 0;
  uint16_t stamp = 0;  ///< TransmitNumbering::stamp when it last took over from another source
  srtp::TransmitIndex index;
};
static_assert(sizeof(TransmitSource) == 48);

inline constexpr uint32_t kTransmitSources = 8;
inline constexpr uint32_t kRetiredSources = 16;

/// What was sent to a leg under its present key. A media server takes a new SSRC for every announcement, so the source
/// that was quiet longest gives way to a ninth; its SSRC is remembered and never encrypted again under this key, because
/// its indices are forgotten.
struct TransmitNumbering {
  srtp::SrtcpTransmitIndex srtcp;  ///< one counter for all sources
  uint16_t stamp = 0;              ///< rises when another source begins to speak
  uint16_t retired_count = 0;
  TransmitSource sources[kTransmitSources];
  uint32_t retired[kRetiredSources] = {};
};
static_assert(sizeof(TransmitNumbering) == 48 * kTransmitSources + 4 * kRetiredSources + 8);

/// A remote address of a WebRTC leg that passed a connectivity check.
struct ValidatedPath {
  uint8_t state = 0;        ///< 0: not in use; stored last
  uint8_t local_index = 0;  ///< into Ingress::local
  uint8_t reserved[2] = {};
  uint32_t priority = 0;  ///< PRIORITY of its newest check
  SocketAddress remote;
  NextHop next_hop;
  uint64_t last_check_ns = 0;
  uint64_t last_media_ns = 0;  ///< newest authenticated SRTP or SRTCP
};
static_assert(sizeof(ValidatedPath) == 56);
inline constexpr uint32_t kMaxValidatedPaths = 4;
inline constexpr uint8_t kNoPath = 0xff;

struct IceState {
  ValidatedPath paths[kMaxValidatedPaths];
  uint8_t selected = kNoPath;  ///< index into paths
  uint8_t nominated = 0;       ///< a USE-CANDIDATE check has chosen the path
  uint8_t consent_lost = 0;
  uint8_t reserved[5] = {};
  uint64_t consent_ns = 0;    ///< newest verified check; 0: none yet
  uint64_t last_move_ns = 0;  ///< 0: never moved
};
static_assert(sizeof(IceState) == 24 + 56 * kMaxValidatedPaths);

/// Where packets towards a WebRTC leg go: reported by the flow whose ingress that leg is.
struct EgressPath {
  uint8_t known = 0;
  uint8_t reserved[3] = {};
  SocketAddress local;
  SocketAddress remote;
  NextHop next_hop;
  friend bool operator==(const EgressPath& a, const EgressPath& b) {
    return std::memcmp(&a, &b, sizeof a) == 0;
  }
};
static_assert(sizeof(EgressPath) == 56);

/// Two copies of `T`, written in turn; the newer complete one counts.
template <typename T>
struct Alternating {
  uint32_t sequence[2] = {};  ///< 0: not complete
  T copy[2];

  const T& Read() const { return copy[sequence[1] > sequence[0] ? 1 : 0]; }
  void Write(const T& value) {
    const int newest = sequence[1] > sequence[0] ? 1 : 0;
    const int target = 1 - newest;
    const uint32_t next = sequence[newest] + 1;
    sequence[target] = 0;
    StoreBarrier();
    copy[target] = value;
    StoreBarrier();
    sequence[target] = next;
    StoreBarrier();
  }
};

/// kEcho, kTone: what continues our own numbering over a change of the caller's source.
struct ReflectState {
  uint32_t input_ssrc = 0;
  uint32_t timestamp_offset = 0;
  uint32_t last_timestamp = 0;
  uint16_t sequence_offset = 0;
  uint16_t last_sequence = 0;
  uint32_t started = 0;
};
static_assert(sizeof(ReflectState) == 20);

inline constexpr uint32_t kReceiveSources = 4;

/// 1,856 bytes: 508 of configuration, 128 of master keys, 744 of SRTP numbering, 368 of ICE path and egress, the rest life,
/// latched sources and padding. What a media packet touches begins on a cache line: its ingress addresses, the first
/// source's windows, the first source's transmit index, the first validated address.
struct alignas(64) FlowSlot {
  uint64_t life = 0;
  uint64_t command_sequence = 0;  ///< of the newest command carried out on this slot
  uint32_t command_status = 0;    ///< what it was answered
  uint16_t latched = 0;           ///< bit c: `source[c]` was learned
  uint16_t reserved = 0;
  SocketAddress source[2];  ///< learned source of RTP and RTCP (Ingress::latch)
  alignas(64) FlowConfig config;
  alignas(64) ReceiveSource receive[kReceiveSources];
  ReflectState reflect;
  alignas(64) TransmitNumbering transmit;
  KeyMaterial receive_key;
  KeyMaterial send_key;
  Alternating<EgressPath> egress;
  alignas(64) IceState ice;

  LifeWord life_word() const { return LifeWord::From(life); }
  void set_life(const LifeWord& word) {
    StoreBarrier();
    life = word.word();
    StoreBarrier();
  }
};
static_assert(sizeof(FlowSlot) == 1856);
// A dataplane of the same ABI version takes over the slots of the one before it.
static_assert(offsetof(FlowSlot, config) == 64 && offsetof(FlowSlot, receive) == 576 &&
              offsetof(FlowSlot, transmit) == 896 && offsetof(FlowSlot, receive_key) == 1352 &&
              offsetof(FlowSlot, egress) == 1480 && offsetof(FlowSlot, ice) == 1600);
static_assert(std::is_trivially_copyable_v<FlowSlot> && std::is_standard_layout_v<FlowSlot>);

}  // namespace linegate::abi
