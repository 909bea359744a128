// Any bytes through the STUN parser and every accessor; what parses is written again and must parse to the
// same.
#include <algorithm>
#include <array>

#include "dataplane/base/check.h"
#include "dataplane/wire/stun_message.h"

using namespace linegate;
using namespace linegate::wire;

namespace {

class ZeroHmac final : public HmacSha1 {
 public:
  void Compute(ByteView, ByteView first, ByteView second,
               std::span<uint8_t, kTagBytes> tag) noexcept override {
    std::fill(tag.begin(), tag.end(), uint8_t(first.size() + second.size()));
  }
};

class ZeroHmac256 final : public HmacSha256 {
 public:
  void Compute(ByteView, ByteView first, ByteView second,
               std::span<uint8_t, kTagBytes> tag) noexcept override {
    std::fill(tag.begin(), tag.end(), uint8_t(first.size() + second.size()));
  }
};

void Rewrite(const StunMessageView& view) {
  std::array<uint8_t, 0x10020> buffer;
  StunMessageWriter writer(buffer, view.message_class(), view.method(), view.transaction_id());
  size_t attributes = 0;
  view.ForEachAttribute([&](StunAttribute attribute, ByteView value) {
    if (attribute == StunAttribute::kFingerprint) return;
    writer.AddBytes(attribute, value);
    ++attributes;
  });
  const ByteView message = writer.Finish();
  LG_FATAL(!message.empty());
  const auto again = StunMessageView::Parse(message);
  LG_FATAL(again.has_value());
  LG_FATAL(again->method() == view.method() && again->message_class() == view.message_class());
  again->ForEachAttribute([&](StunAttribute, ByteView) { --attributes; });
  LG_FATAL(attributes == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto view = StunMessageView::Parse({data, size});
  if (!view) return 0;
  (void)view->username(), (void)view->realm(), (void)view->nonce(), (void)view->priority(),
      (void)view->use_candidate();
  (void)view->ice_controlled(), (void)view->ice_controlling(), (void)view->xor_mapped_address();
  (void)view->FindXorAddress(StunAttribute::kXorPeerAddress);
  (void)view->FindAddress(StunAttribute::kOtherAddress), (void)view->FindU16(StunAttribute::kChannelNumber);
  view->ForEachAttribute([&](StunAttribute, ByteView value) { (void)view->DecodeXorAddress(value); });
  if (const auto error = view->error_code()) LG_FATAL(error->code >= 300 && error->code < 700);
  const auto unknown = view->UnknownRequired(StunUsage::kIce);
  LG_FATAL(unknown.stored().size() <= unknown.count);
  ZeroHmac hmac;
  LG_FATAL(view->has_integrity() || !view->VerifyIntegrity(hmac, {}));
  (void)view->VerifyIntegrity(hmac, {});
  ZeroHmac256 hmac256;
  LG_FATAL(view->has_integrity_sha256() || !view->VerifyIntegrity(hmac256, {}));
  (void)view->VerifyIntegrity(hmac256, {});
  Rewrite(*view);
  return 0;
}
