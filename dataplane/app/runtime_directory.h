#pragma once
#include <string>

#include "dataplane/base/result.h"

namespace linegate::app {

/// Makes `directory` fit for shared memory: creates it (0755) and, where it does not lie in memory (/run is a
/// disk in some containers), mounts a tmpfs on it. On a disk, keys would be written out and the worker would
/// stall on write-back. Errors: cannot be created; on a disk and not empty, so that a mount would hide files;
/// mount refused.
Status PrepareRuntimeDirectory(const std::string& directory);

/// Undoes the mount of PrepareRuntimeDirectory, also of an earlier process, once nothing lies there any more.
void ReleaseRuntimeDirectory(const std::string& directory);

}  // namespace linegate::app
