#pragma once
#include <string>

#include "dataplane/base/result.h"

namespace linegate::app {

/// Least privilege: from now on this process is `user`, with CAP_NET_ADMIN alone (managed neighbours). Called once ports,
/// certificate and state are open; the files below `state_directory` are given to the account first. An empty `user`
/// changes nothing. Errors: no such account, not permitted.
Status BecomeUser(const std::string& user, const std::string& state_directory);

}  // namespace linegate::app
