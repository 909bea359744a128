#include "dataplane/app/runtime_directory.h"

#include <linux/magic.h>
#include <mntent.h>
#include <sys/mount.h>
#include <sys/statfs.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <system_error>

namespace linegate::app {
namespace {

constexpr char kMountSource[] = "linegate-runtime";  // how the mount is found again in /proc/mounts
constexpr unsigned long kHugetlbfsMagic = 0x958458f6;

bool LiesInMemory(const std::string& directory) {
  struct statfs info = {};
  if (statfs(directory.c_str(), &info) != 0) return false;
  const auto type = static_cast<unsigned long>(info.f_type);
  return type == TMPFS_MAGIC || type == RAMFS_MAGIC || type == kHugetlbfsMagic;
}

bool MountedByUs(const std::string& directory) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> mounts(setmntent("/proc/mounts", "re"), endmntent);
  if (!mounts) return false;
  while (const mntent* entry = getmntent(mounts.get())) {
    if (directory == entry->mnt_dir && std::string(kMountSource) == entry->mnt_fsname) return true;
  }
  return false;
}

}  // namespace

Status PrepareRuntimeDirectory(const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return Fail("runtime_directory " + directory + ": " + error.message());
  if (LiesInMemory(directory)) return {};
  if (!std::filesystem::is_empty(directory, error) || error) {
    return Fail("runtime_directory " + directory +
                " lies on a disk and is not empty: mount a tmpfs there, or name an "
                "empty directory");
  }
  if (mount(kMountSource, directory.c_str(), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0755") != 0) {
    return Fail("cannot mount a tmpfs on runtime_directory " + directory + ": " +
                std::generic_category().message(errno));
  }
  return {};
}

void ReleaseRuntimeDirectory(const std::string& directory) {
  std::error_code error;
  if (!MountedByUs(directory) || !std::filesystem::is_empty(directory, error) || error) return;
  // Lazily: the control plane may still have the link mapped.
  umount2(directory.c_str(), MNT_DETACH);
}

}  // namespace linegate::app
