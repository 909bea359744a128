#pragma once
#include <sofia-sip/msg.h>
#include <sofia-sip/sip.h>
#include <sofia-sip/sip_header.h>

#include <memory>
#include <string>
#include <vector>

#include "controlplane/sip/message_wire.h"

/// Between sofia's parsed messages and ours, byte-exact both ways: what is relayed are the raw lines that
/// sofia keeps beside its own reading of them (MSG_DO_EXTRACT_COPY), never what it would print. Private to
/// the trunk.
namespace linegate::net {

struct DestroySofiaMessage {
  void operator()(msg_t* message) const { msg_destroy(message); }
};
using SofiaMessage = std::unique_ptr<msg_t, DestroySofiaMessage>;

/// Parses `bytes` so that sending the result sends the same bytes. Null when sofia finds them unsound.
SofiaMessage ToSofia(const std::string& bytes);

/// The message as it was received. Via headers come from sofia (which notes `received` and `rport` in them).
sip::ParseResult FromSofia(const sip_t& message, const sip::WireLimits& limits);

/// Via values of a received request, as a response repeats them.
std::vector<std::string> ViasOf(const sip_t& message);

}  // namespace linegate::net
