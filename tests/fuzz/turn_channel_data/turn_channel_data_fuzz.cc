// Any bytes through the ChannelData parser; what parses lies inside the input and is the same when written again, and as a
// Data indication in place, which the STUN parser must read back.
#include <algorithm>
#include <vector>

#include "dataplane/base/check.h"
#include "dataplane/wire/stun_message.h"
#include "dataplane/wire/turn_channel_data.h"
#include "dataplane/wire/turn_data_indication.h"

using namespace linegate;
using namespace linegate::wire;

namespace {

void RewriteAsIndication(ByteView data, IpFamily family) {
  const Endpoint peer{
      family == IpFamily::kIpv4 ? IpAddress::V4(198, 51, 100, 7) : *IpAddress::Parse("2001:db8::7"), 7};
  constexpr std::array<uint8_t, kStunTransactionIdBytes> kId = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  const size_t header_bytes = DataIndicationHeaderBytes(family), padding = DataIndicationPadding(data.size());
  std::vector<uint8_t> room(header_bytes + data.size() + padding);
  std::copy(data.begin(), data.end(), room.begin() + ptrdiff_t(header_bytes));
  LG_FATAL(WriteDataIndication(room.data() + header_bytes, data.size(), peer, kId) == room.data());
  const auto view = StunMessageView::Parse(room);
  LG_FATAL(view.has_value() && view->message_class() == StunClass::kIndication);
  LG_FATAL(view->FindXorAddress(StunAttribute::kXorPeerAddress) == peer);
  const auto carried = view->Find(StunAttribute::kData);
  LG_FATAL(carried && std::ranges::equal(*carried, data));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const auto view = ChannelDataView::Parse({bytes, size});
  if (!view) return 0;
  LG_FATAL(view->channel >= kMinChannelNumber && view->channel <= kMaxChannelNumber);
  LG_FATAL(view->data.data() == bytes + kChannelDataHeaderBytes);
  LG_FATAL(view->data.size() + kChannelDataHeaderBytes <= size &&
           size - view->data.size() <= kChannelDataHeaderBytes + 3);
  std::vector<uint8_t> again(kChannelDataHeaderBytes + view->data.size());
  WriteChannelDataHeader(std::span(again).first<kChannelDataHeaderBytes>(), view->channel, view->data.size());
  LG_FATAL(std::equal(again.begin(), again.begin() + kChannelDataHeaderBytes, bytes));
  if (view->data.size() > 65000) return 0;
  RewriteAsIndication(view->data, IpFamily::kIpv4);
  RewriteAsIndication(view->data, IpFamily::kIpv6);
  return 0;
}
