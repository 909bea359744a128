#pragma once
#include <string>
#include <vector>

#include "controlplane/sip/media_broker.h"
#include "dataplane/abi/types.h"

/// What `linegatectl status` and `calls` show of media.
namespace linegate::session {

enum class Redaction : uint8_t { kRedacted, kPlain };

struct LegView {
  sip::LegId id;
  sip::LegKind kind;
  std::string state;         ///< "new", "offered", "connecting", "up", "held", "failed"
  std::string codec;         ///< "opus/48000/2"; empty before the first answer
  std::string srtp_profile;  ///< "SRTP_AEAD_AES_256_GCM"; empty on plain RTP legs and before DTLS is up
  std::string remote;        ///< where media goes; "redacted" where asked for; empty while unknown
  abi::FlowRef flow;         ///< the direction that comes in from this leg's peer
};

struct CallView {
  sip::CallId id;
  std::vector<LegView> legs;
};

/// All zero when no call exists and the workers have confirmed the end of every flow.
struct MediaTotals {
  size_t calls = 0;
  size_t legs = 0;
  size_t flows = 0;
  size_t rtp_port_pairs = 0;
};

/// Legs that came to an end before their call did, by reason.
struct MediaCounters {
  uint64_t dtls_failed = 0;
  uint64_t consent_lost = 0;
  uint64_t never_up = 0;
  uint64_t flow_refused = 0;
};

}  // namespace linegate::session
