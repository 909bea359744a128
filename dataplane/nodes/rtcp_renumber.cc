#include "dataplane/nodes/rtcp_renumber.h"

#include <algorithm>

#include "dataplane/wire/rtcp_packet.h"

namespace linegate::nodes {
namespace {

constexpr uint8_t kGenericNack = 1;
constexpr size_t kSenderReportHeaderBytes = 28;
constexpr size_t kReceiverReportHeaderBytes = 8;
constexpr size_t kFeedbackHeaderBytes = 12;

const abi::TransmitSource* Renumbered(uint32_t ssrc, std::span<const abi::TransmitSource> sources) {
  for (const abi::TransmitSource& source : sources) {
    if (source.used != 0 && source.ssrc == ssrc && source.index.offset != 0) return &source;
  }
  return nullptr;
}

void TranslateNumber(uint8_t* field, const abi::TransmitSource& source) {
  StoreBe16(field, source.index.ToReceived(LoadBe16(field)));
}

}  // namespace

bool AnyRenumbered(std::span<const abi::TransmitSource> sources) {
  return std::ranges::any_of(sources,
                             [](const abi::TransmitSource& s) { return s.used != 0 && s.index.offset != 0; });
}

void TranslateReports(MutableByteView compound, std::span<const abi::TransmitSource> sources) {
  const auto view = wire::RtcpCompoundView::Parse(compound, wire::RtcpForm::kReducedSize);
  if (!view) return;
  view->ForEachPacket([&](const wire::RtcpPacketView& packet) {
    uint8_t* const bytes = compound.data() + (packet.bytes.data() - compound.data());
    const bool sender = packet.type == wire::rtcp_type::kSenderReport;
    if (sender || packet.type == wire::rtcp_type::kReceiverReport) {
      uint8_t* block = bytes + (sender ? kSenderReportHeaderBytes : kReceiverReportHeaderBytes);
      for (uint8_t n = 0; n < packet.count; ++n, block += wire::kRtcpReportBlockBytes) {
        // Extended highest sequence number: cycles in the upper half, the number in the lower.
        if (const auto* source = Renumbered(LoadBe32(block), sources)) TranslateNumber(block + 10, *source);
      }
    } else if (packet.type == wire::rtcp_type::kTransportFeedback && packet.count == kGenericNack &&
               packet.bytes.size() >= kFeedbackHeaderBytes) {
      const auto* source = Renumbered(LoadBe32(bytes + 8), sources);
      if (source == nullptr) return;
      for (size_t at = kFeedbackHeaderBytes; at + 4 <= packet.bytes.size(); at += 4)
        TranslateNumber(bytes + at, *source);
    }
  });
}

}  // namespace linegate::nodes
