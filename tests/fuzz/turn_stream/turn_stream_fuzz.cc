// Any bytes through the stream framing, whole and in pieces whose sizes the input chooses: both must give the
// same frames and the same fault, and never keep more than one message.
#include <algorithm>
#include <vector>

#include "controlplane/turn/stream_framing.h"
#include "dataplane/base/check.h"

using namespace linegate;
using turn::StreamFrame;
using turn::StreamFraming;

namespace {

using Frames = std::vector<std::pair<StreamFrame::Kind, std::vector<uint8_t>>>;

void TakeAll(StreamFraming& framing, Frames& frames) {
  while (const auto frame = framing.Next()) {
    LG_FATAL(frame->bytes.size() <= StreamFraming::kMaxMessageBytes && frame->bytes.size() >= 4);
    frames.push_back({frame->kind, {frame->bytes.begin(), frame->bytes.end()}});
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t step = 1 + data[0];
  const ByteView stream(data + 1, size - 1);

  StreamFraming whole, pieces;
  Frames from_whole, from_pieces;
  whole.Append(stream);
  TakeAll(whole, from_whole);
  for (size_t offset = 0; offset < stream.size(); offset += step) {
    pieces.Append(stream.subspan(offset, std::min(step, stream.size() - offset)));
    TakeAll(pieces, from_pieces);
    LG_FATAL(pieces.buffered_bytes() < StreamFraming::kMaxMessageBytes + 4);
  }
  LG_FATAL(from_whole == from_pieces);
  LG_FATAL(whole.fault() == pieces.fault());
  LG_FATAL(whole.inside_message() == pieces.inside_message());
  LG_FATAL(whole.oversized_channel_data() == pieces.oversized_channel_data());
  return 0;
}
