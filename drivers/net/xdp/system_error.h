#pragma once
#include <cerrno>
#include <string>
#include <system_error>

#include "dataplane/base/result.h"

namespace linegate::drivers {

/// "what: No such file or directory" for a failed system call; `error` is an errno value.
inline Unexpected<Error> FailErrno(const std::string& what, int error = errno) {
  return Fail(what + ": " + std::generic_category().message(error));
}

}  // namespace linegate::drivers
