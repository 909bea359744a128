// Any bytes through the frame parser; what parses is written again by the frame writer and must parse to the
// same.
#include <algorithm>
#include <vector>

#include "dataplane/base/check.h"
#include "dataplane/wire/frame_view.h"
#include "dataplane/wire/frame_writer.h"

using namespace linegate;
using namespace linegate::wire;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 0xffff) return 0;
  const ByteView frame(data, size);
  FrameView view;
  if (ParseFrame(frame, view) != FrameError::kNone) return 0;
  LG_FATAL(size_t{view.payload_offset} + view.payload_bytes <= size);
  (void)UdpChecksumValid(frame, view);

  const FrameHeader header{.source_mac = view.source_mac,
                           .destination_mac = view.destination_mac,
                           .source = view.source,
                           .destination = view.destination,
                           .vlan_tci = view.vlan_tci,
                           .tagged = view.tagged,
                           .dscp = uint8_t(view.traffic_class >> 2),
                           .hop_limit = view.hop_limit};
  std::vector<uint8_t> buffer(FrameHeaderBytes(header));
  const ByteView payload = view.payload(frame);
  buffer.insert(buffer.end(), payload.begin(), payload.end());
  if (buffer.size() > 0xffff) return 0;
  uint8_t* begin = WriteFrameHeader(buffer.data() + FrameHeaderBytes(header), payload.size(), header);
  LG_FATAL(begin == buffer.data());
  FrameView again;
  LG_FATAL(ParseFrame(buffer, again) == FrameError::kNone);
  LG_FATAL(again.source == view.source && again.destination == view.destination);
  LG_FATAL(again.tagged == view.tagged && again.vlan_tci == view.vlan_tci &&
           again.hop_limit == view.hop_limit);
  LG_FATAL(UdpChecksumValid(buffer, again));
  LG_FATAL(std::ranges::equal(again.payload(buffer), payload));
  return 0;
}
