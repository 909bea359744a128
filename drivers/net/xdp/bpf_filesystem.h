#pragma once
#include <cstdint>
#include <string>

#include "dataplane/base/result.h"

namespace linegate::drivers {

/// How long a pin lives in the mounted bpffs.
enum class BpffsLifetime : uint8_t {
  kHost,     ///< until it is unlinked: survives this process
  kProcess,  ///< the mount lies in a mount namespace of this process alone (`ip netns exec`): dies with it
};

/// Makes `directory` a bpffs: creates it (0700) and mounts one unless one is mounted there already. A
/// directory of our own, because `ip netns exec` gives its child a fresh /sys in which pins under /sys/fs/bpf
/// are not seen. Errors: the directory cannot be created or is no directory; mounting refused (not root, no
/// bpffs in the kernel).
Result<BpffsLifetime> MountBpffs(const std::string& directory);

/// Unmounts and removes `directory` if it is a bpffs without a subdirectory, where interfaces pin; otherwise
/// leaves it alone. (The kernel keeps files of its own, maps.debug and progs.debug, in every bpffs.)
void UnmountBpffsIfUnused(const std::string& directory);

}  // namespace linegate::drivers
