#pragma once
#include <cstdint>
#include <optional>
#include <type_traits>

#include "dataplane/srtp/packet_index.h"
#include "dataplane/srtp/replay_window.h"

namespace linegate::srtp {

enum class TransmitVerdict : uint8_t {
  kSend,       ///< use `index`; its low 16 bits are the sequence number to send
  kDuplicate,  ///< this packet was sent already (or is too old to know): drop it
  kExhausted,  ///< all 2^48 indices of the key are used up (RFC 3711 section 9.2): the call needs new keys
};

struct TransmitDecision {
  TransmitVerdict verdict = TransmitVerdict::kDuplicate;
  uint64_t index = 0;
  uint16_t sequence_number() const { return SequenceNumberOf(index); }
};

/// Chooses the SRTP packet index of every packet sent for one SSRC under one key, and guarantees that no
/// index is ever chosen twice (design D1): AES-CM would encrypt two packets with one keystream, GCM would
/// give its authentication key away (RFC 3711 section 9.1, RFC 7714 section 8.1).
///
/// Theory of operation. The RTP that we encrypt comes from a peer that we do not control: packets arrive
/// duplicated, reordered or replayed, a source restarts its sequence numbers, or a second source takes the
/// same SSRC.
///
///   received sequence number + `offset` = sent sequence number -> index by RFC 3711 section 3.3.1
///
///   | index is                              | then |
///   |---------------------------------------|--------------------------------------------------------------------|
///   | above `used.highest`                  | send: the next packet, or a gap (up to 2^15 as RFC 3711 sees
///   it)   | | within the last 128 and not yet used  | send: a reordered packet | | used, or older than 128
///   | refuse                                                             | | refused, and the one refused
///   just     | the source was rewound: choose `offset` so that this packet gets   | | before had the number
///   before it       | `used.highest` + 1, and go on from there                           |
///
/// Two refused packets in sequence with nothing accepted in between are the sign of a restart, as in RFC 3550
/// appendix A.1. A network that doubles every packet does not look so (its copies come between accepted
/// originals), and when a burst of copies is mistaken for a restart, the copies are sent under fresh indices
/// and the stream goes on behind them: wrong sound for some milliseconds, never a reused index.
///
/// Whoever renumbers RTP also translates what the receiver says about it: ToReceived maps a sequence number
/// of NACK, receiver report or transport-cc back. The mapping is that of now: reports about packets from
/// before a rewind are mapped by the new offset.
///
/// Plain data in a shared-memory slot; all zero is the initial state. The owner stores the state of a burst
/// before the burst is encrypted. After a restart RestoreAtMark counts everything up to the mark as used,
/// since nobody knows which of them left: numbering goes on at mark + 1 with the same offset, so that the
/// receiver sees no gap.
struct TransmitIndex {
  ReplayWindow<kAudioReplayBits> used;
  uint16_t offset = 0;         ///< sent minus received sequence number
  uint16_t refused_next = 0;   ///< the received number that would confirm a restart
  uint8_t refused_before = 0;  ///< 1: the previous packet was refused, `refused_next` is meaningful
  uint8_t reserved[3] = {};

  TransmitDecision Choose(uint16_t received_sequence_number) {
    const auto sent = uint16_t(received_sequence_number + offset);
    const uint64_t index = EstimateReceivedIndex(used, sent);
    if (used.Check(index) != ReplayVerdict::kFresh) [[unlikely]]
      return Refuse(received_sequence_number);
    used.Record(index);
    refused_before = 0;
    return {TransmitVerdict::kSend, index};
  }
  void RestoreAtMark();
  uint16_t ToReceived(uint16_t sent_sequence_number) const { return uint16_t(sent_sequence_number - offset); }

 private:
  TransmitDecision Refuse(uint16_t received_sequence_number);
  TransmitDecision SendNext(uint16_t received_sequence_number);
};
static_assert(std::is_trivially_copyable_v<TransmitIndex>);
static_assert(sizeof(TransmitIndex) == 40);

/// The SRTCP index of one SSRC under one key (RFC 3711 section 3.4): 1, 2, 3, ... A new compound always gets
/// the next one, whatever its content, so no window is needed; a restart goes on at mark + 1. 0 is left out,
/// because libsrtp never sends it. Plain data; all zero is the initial state.
struct SrtcpTransmitIndex {
  uint32_t last = 0;
  /// nullopt: all 2^31 indices are used up (RFC 3711 section 9.2).
  std::optional<uint32_t> Next() {
    if (last >= kMaxSrtcpIndex) return std::nullopt;
    return ++last;
  }
};
static_assert(std::is_trivially_copyable_v<SrtcpTransmitIndex>);

}  // namespace linegate::srtp
