// Any bytes through the RTCP parser; the SSRCs of what parses are rewritten, which must neither leave the
// packet nor change its shape.
#include <vector>

#include "dataplane/base/check.h"
#include "dataplane/wire/rtcp_packet.h"

using namespace linegate;
using namespace linegate::wire;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ByteView packet(data, size);
  (void)RtcpPrefix::Parse(packet);
  const bool compound = RtcpCompoundView::Parse(packet, RtcpForm::kCompound).has_value();
  const auto view = RtcpCompoundView::Parse(packet, RtcpForm::kReducedSize);
  LG_FATAL(view.has_value() || !compound);
  if (!view) return 0;
  size_t bytes = 0;
  view->ForEachPacket([&](const RtcpPacketView& one) { bytes += one.bytes.size(); });
  LG_FATAL(bytes == size);

  std::vector<uint8_t> copy(packet.begin(), packet.end());
  size_t fields = 0;
  ForEachRtcpSsrc(copy, [&](uint8_t* field, SsrcRole) {
    LG_FATAL(field >= copy.data() && field + 4 <= copy.data() + copy.size());
    StoreBe32(field, ~LoadBe32(field));
    ++fields;
  });
  ForEachRtcpSsrc(copy, [&](uint8_t* field, SsrcRole) { StoreBe32(field, ~LoadBe32(field)), --fields; });
  LG_FATAL(fields == 0);
  LG_FATAL(std::equal(copy.begin(), copy.end(), packet.begin()));
  return 0;
}
