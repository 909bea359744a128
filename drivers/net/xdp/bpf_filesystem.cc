#include "drivers/net/xdp/bpf_filesystem.h"

#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>

#include "drivers/net/xdp/system_error.h"

namespace linegate::drivers {
namespace {

bool IsBpffs(const std::string& directory) {
  struct statfs info = {};
  return statfs(directory.c_str(), &info) == 0 && uint64_t(info.f_type) == BPF_FS_MAGIC;
}

/// True if this process has a mount namespace that its parent is not in: nobody would hold it after a crash.
/// Unable to look at the parent, the common case.
bool InOwnMountNamespace() {
  struct stat own = {}, parents = {};
  const std::string parents_file = "/proc/" + std::to_string(getppid()) + "/ns/mnt";
  if (stat("/proc/self/ns/mnt", &own) != 0 || stat(parents_file.c_str(), &parents) != 0) return false;
  return own.st_ino != parents.st_ino;
}

}  // namespace

Result<BpffsLifetime> MountBpffs(const std::string& directory) {
  if (IsBpffs(directory)) return BpffsLifetime::kHost;
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return Fail(directory + ": " + error.message());
  if (chmod(directory.c_str(), 0700) != 0) return FailErrno(directory);
  if (mount("bpf", directory.c_str(), "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") != 0) {
    return FailErrno("cannot mount bpffs on " + directory);
  }
  return InOwnMountNamespace() ? BpffsLifetime::kProcess : BpffsLifetime::kHost;
}

void UnmountBpffsIfUnused(const std::string& directory) {
  if (!IsBpffs(directory)) return;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    if (entry.is_directory(error)) return;
  }
  if (umount(directory.c_str()) == 0) rmdir(directory.c_str());
}

}  // namespace linegate::drivers
