#pragma once
#include <string_view>

#include "controlplane/sip/message_wire.h"

namespace linegate::net {

/// Judges messages with sofia-sip's parser, after our own framing and limits have passed (its base is of 2011
/// and is not fuzzed upstream: nothing reaches it that SplitMessage has not measured). Sofia only says yes or
/// no; the values the gateway relays are the raw ones, never what sofia prints. Stateless and safe to share
/// between threads.
class SofiaParser final : public sip::MessageParser {
 public:
  explicit SofiaParser(sip::WireLimits limits = {});
  sip::ParseResult Parse(std::string_view bytes) const override;

 private:
  const sip::WireLimits limits_;
};

}  // namespace linegate::net
