#pragma once
#include <string>
#include <variant>
#include <vector>

#include "controlplane/sip/media_broker.h"
#include "dataplane/abi/flow_command.h"
#include "dataplane/abi/punt_record.h"

namespace linegate::session {

/// A datagram for a browser, InjectKind::kToLeg; `record.flow.worker` names the ring.
struct Inject {
  abi::InjectRecord record;
  std::vector<uint8_t> payload;
};

enum class MediaEventType : uint8_t {
  kMediaUp,      ///< the browser leg's DTLS finished and its keys are on the way to the workers
  kDtlsFailed,   ///< the leg can never carry media (fingerprint, profile, time-out): end the call
  kConsentLost,  ///< the browser is gone: end the call
  kNeverUp,      ///< no DTLS within MediaSessions::kConnectLimit of the answer: end the call
  kFlowRefused,  ///< the dataplane refused what the leg needs: end the call
};

struct MediaEvent {
  sip::CallId call;
  sip::LegId leg;
  MediaEventType type;
  std::string reason;  ///< for the log; no addresses, no keys
};

/// Everything MediaSessions wants done. Commands: the worker is `header.flow.worker`; wipe an InstallKeys
/// after use.
using Output = std::variant<abi::ProgramFlow, abi::InstallKeys, abi::RemoveFlow, Inject, MediaEvent>;

}  // namespace linegate::session
