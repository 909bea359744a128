#pragma once
#include <string>

#include "dataplane/base/result.h"
#include "dataplane/base/rng.h"
#include "dataplane/base/secret.h"

namespace linegate::app {

/// 32 secret bytes that survive restarts: read from `path`, or drawn and written there (mode 0600) on first use.
/// Errors: not writable, not exactly 32 bytes.
Result<SecretBytes<32>> LoadOrMakeKey(const std::string& path, Rng& rng);

}  // namespace linegate::app
