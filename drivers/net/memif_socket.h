#pragma once
#include <string>

#include "dataplane/base/result.h"

namespace linegate::drivers {

/// Makes way for a memif server on `path`: a socket that a killed process left behind is removed, after a
/// connection attempt showed that nobody listens. Errors: somebody does; something else than a socket stands
/// there; it cannot be removed.
Status ClaimMemifSocket(const std::string& path);

}  // namespace linegate::drivers
