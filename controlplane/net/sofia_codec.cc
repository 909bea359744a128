#include "controlplane/net/sofia_codec.h"

#include <sofia-sip/msg.h>
#include <sofia-sip/msg_header.h>
#include <sofia-sip/sip.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_parser.h>
#include <sofia-sip/sip_util.h>
#include <sofia-sip/su.h>

#include <algorithm>
#include <array>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "controlplane/sip/sip_text.h"

namespace linegate::net {
namespace {

struct DestroyMessage {
  void operator()(msg_t* message) const { msg_destroy(message); }
};
using MessagePointer = std::unique_ptr<msg_t, DestroyMessage>;

/// Headers that must be sound, because we or the peers behind us act on them. A malformed header outside of
/// these (Date, Accept-Language ...) is relayed as it is: RFC 4475 section 3.1.1 and RFC 3261 section 16.3
/// step 1.
constexpr unsigned kMustBeSound =
    sip_mask_request | sip_mask_response | sip_mask_ua | sip_mask_proxy | sip_mask_registrar;

/// "Bad From" for the first header that sofia could not parse or that stands twice.
std::string FirstBadHeader(const sip_t& message) {
  const auto* bad = reinterpret_cast<const sip_header_t*>(message.sip_error);
  if (bad == nullptr) return "Bad Request";
  const char* name = bad->sh_class == sip_error_class ? bad->sh_error->er_name : bad->sh_class->hc_name;
  return name == nullptr ? "Bad Request" : std::string("Bad ") + name;
}

/// Empty when sofia finds nothing wrong.
std::string WhatIsWrong(std::string_view bytes) {
  static std::once_flag initialised;
  std::call_once(initialised, [] { su_init(); });
  const MessagePointer message(msg_make(sip_default_mclass(), 0, bytes.data(), ssize_t(bytes.size())));
  if (!message) return "Bad Request";
  const sip_t* const parsed = sip_object(message.get());
  if (parsed == nullptr) return "Bad Request";
  const unsigned errors = msg_extract_errors(message.get()) & kMustBeSound;
  if (errors != 0 || (parsed->sip_flags & MSG_FLG_ERROR) != 0) return FirstBadHeader(*parsed);
  if (sip_sanity_check(parsed) < 0) return "Bad Request";
  return {};
}

/// Sofia's table of methods, in short: the rest it misreads when it is shorter than a known method of the
/// same first letter ("PING", "SERVICE": strlen(s) < n in sip_method_d), or holds a token character that no
/// URI has.
bool SofiaKnows(std::string_view method) {
  static constexpr std::array<std::string_view, 14> kKnown = {
      "INVITE", "ACK",    "BYE",     "CANCEL",    "OPTIONS", "REGISTER", "INFO",
      "PRACK",  "UPDATE", "MESSAGE", "SUBSCRIBE", "NOTIFY",  "REFER",    "PUBLISH"};
  return std::find(kKnown.begin(), kKnown.end(), method) != kKnown.end();
}

/// The same request under a method that sofia reads: its verdict on everything else is what we want.
std::string UnderKnownMethod(const sip::ParsedMessage& request) {
  sip::Message message = request.message;
  message.method = "OPTIONS";
  const auto cseq = sip::ParseCSeq(message.Get("CSeq").value_or(""));
  message.Set("CSeq", std::to_string(cseq ? cseq->number : 0) + " OPTIONS");
  return sip::Serialise(message, request.vias);
}

}  // namespace

SofiaParser::SofiaParser(sip::WireLimits limits) : limits_(limits) {}

sip::ParseResult SofiaParser::Parse(std::string_view bytes) const {
  sip::ParseResult split = sip::SplitMessage(bytes, limits_);
  if (!split) return split;
  while (bytes.starts_with("\r\n")) bytes.remove_prefix(2);
  const bool known = !split->message.is_request() || SofiaKnows(split->message.method);
  std::string wrong = known ? WhatIsWrong(bytes) : WhatIsWrong(UnderKnownMethod(*split));
  if (wrong.empty()) return split;
  sip::ParseError error{400, std::move(wrong), std::nullopt};
  // Everything an answer needs is there: SplitMessage has seen to that.
  if (split->message.is_request() && split->message.method != "ACK") error.request = *std::move(split);
  return MakeUnexpected(std::move(error));
}

}  // namespace linegate::net
