// A stranger's WebSocket message through everything that reads it: framing, sofia, the transaction layer, and
// the helpers that the core applies to raw header values.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "controlplane/net/sofia_codec.h"
#include "controlplane/sip/sip_text.h"
#include "controlplane/sip/wss_transactions.h"

namespace {

using namespace linegate;

class ZeroRng final : public Rng {
 public:
  void Fill(std::span<uint8_t> out) override { std::fill(out.begin(), out.end(), uint8_t(0)); }
};

void ReadEveryValue(const sip::Message& message) {
  for (const sip::HeaderField& field : message.headers) {
    for (const std::string_view element : sip::SplitCommas(field.value)) {
      if (const auto name_addr = sip::ParseNameAddr(element)) {
        (void)sip::ParseUri(name_addr->uri);
        (void)sip::GetUriParam(name_addr->uri, "transport");
        (void)sip::WithUri(element, "sip:a@b");
      }
      (void)sip::RemoveParam(sip::SetParam(element, "tag", "x"), "q");
    }
    (void)sip::ParseCSeq(field.value);
    (void)sip::PercentDecode(field.value);
    (void)sip::WithoutTokens(field.value, {"gruu"});
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const net::SofiaParser parser;
  if (const auto parsed = parser.Parse(bytes)) {
    ReadEveryValue(parsed->message);
    // What was accepted once is accepted again after it was written, with the same values.
    const auto again = parser.Parse(sip::Serialise(parsed->message, parsed->vias));
    if (!again || again->message.headers.size() != parsed->message.headers.size()) std::abort();
    for (size_t i = 0; i < again->message.headers.size(); ++i) {
      if (again->message.headers[i].value != parsed->message.headers[i].value) std::abort();
    }
  }
  ZeroRng rng;
  sip::WssTransactions layer({.via_host = "gw.example"}, parser, rng);
  const sip::FlowToken flow(1);
  layer.HandleFlowOpened({}, flow, {});
  layer.HandleMessage({}, flow, bytes);
  layer.HandleMessage({}, flow, bytes);
  layer.HandleTimeout(TimePoint(std::chrono::seconds(1)));
  layer.HandleFlowClosed({}, flow);
  if (layer.transaction_count() != 0 || layer.NextTimeout()) std::abort();
  return 0;
}
