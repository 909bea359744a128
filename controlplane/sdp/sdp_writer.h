#pragma once
#include <string>

#include "controlplane/sdp/sdp_model.h"

namespace linegate::sdp {

/// The description as text, CRLF line ends, v= and o= first, otherwise in the model's order. Parse(Write(d))
/// equals d. Adds "s=-" and "t=0 0" where the model has none, because RFC 8866 section 5 demands them.
std::string Write(const SessionDescription& description);

}  // namespace linegate::sdp
