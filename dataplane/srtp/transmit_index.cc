#include "dataplane/srtp/transmit_index.h"

namespace linegate::srtp {

TransmitDecision TransmitIndex::Refuse(uint16_t received_sequence_number) {
  const bool in_sequence = refused_before != 0 && received_sequence_number == refused_next;
  if (in_sequence) return SendNext(received_sequence_number);
  refused_before = 1;
  refused_next = uint16_t(received_sequence_number + 1);
  return {};
}

TransmitDecision TransmitIndex::SendNext(uint16_t received_sequence_number) {
  if (used.highest >= kMaxPacketIndex) return {TransmitVerdict::kExhausted, 0};
  const uint64_t index = used.highest + 1;
  offset = uint16_t(SequenceNumberOf(index) - received_sequence_number);
  used.Record(index);
  refused_before = 0;
  return {TransmitVerdict::kSend, index};
}

void TransmitIndex::RestoreAtMark() {
  if (used.started != 0) used.RecordAllUpTo(used.highest);
  refused_before = 0;
}

}  // namespace linegate::srtp
