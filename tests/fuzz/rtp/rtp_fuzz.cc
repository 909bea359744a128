// Any bytes through the RTP parser, the demultiplexer and the small peeks that share its port.
#include "dataplane/base/check.h"
#include "dataplane/wire/demux.h"
#include "dataplane/wire/dtls_record_peek.h"
#include "dataplane/wire/rtp_header.h"
#include "dataplane/wire/turn_channel_data.h"

using namespace linegate;
using namespace linegate::wire;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ByteView packet(data, size);
  (void)ClassifyPayload(packet);
  if (const auto peek = DtlsRecordPeek::Parse(packet))
    LG_FATAL(peek->fragment_bytes + DtlsRecordPeek::kHeaderBytes <= size);
  if (const auto channel = ChannelDataView::Parse(packet))
    LG_FATAL(channel->data.size() + kChannelDataHeaderBytes <= size);

  const auto header = RtpHeaderView::ParseHeader(packet);
  const auto view = RtpHeaderView::Parse(packet);
  LG_FATAL(header.has_value() || !view.has_value());
  if (!header) return 0;
  LG_FATAL(header->header_bytes() + header->payload().size() == size);
  size_t sum = header->ssrc() + header->timestamp() + header->sequence_number() + header->payload_type();
  for (size_t i = 0; i < header->csrc_count(); ++i) sum += header->csrc(i);
  if (header->has_extension()) sum += header->extension_profile();
  for (uint8_t byte : header->extension()) sum += byte;
  for (uint8_t byte : header->payload()) sum += byte;
  if (view) LG_FATAL(view->header_bytes() + view->payload().size() + view->padding_bytes() == size);
  static volatile size_t sink;
  sink = sum;
  (void)sink;
  return 0;
}
