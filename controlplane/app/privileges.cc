#include "controlplane/app/privileges.h"

#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace linegate::app {
namespace {

Unexpected<Error> Errno(const std::string& what) { return Fail(what + ": " + std::strerror(errno)); }

Status GiveAway(const std::string& directory, const passwd& account) {
  std::error_code error;
  if (lchown(directory.c_str(), account.pw_uid, account.pw_gid) != 0) return Errno(directory);
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    if (lchown(entry.path().c_str(), account.pw_uid, account.pw_gid) != 0) return Errno(entry.path());
  }
  if (error) return Fail(directory + ": " + error.message());
  return {};
}

Status KeepNetAdminAlone() {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
  data[0].effective = data[0].permitted = 1u << CAP_NET_ADMIN;
  if (syscall(SYS_capset, &header, data) != 0) return Errno("capset");
  return {};
}

}  // namespace

Status BecomeUser(const std::string& user, const std::string& state_directory) {
  if (user.empty()) return {};
  const passwd* account = getpwnam(user.c_str());
  if (account == nullptr) return Fail("[dataplane] controlplane_user: no account is called '" + user + "'");
  if (auto given = GiveAway(state_directory, *account); !given) return given;
  if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return Errno("PR_SET_KEEPCAPS");
  // glibc carries the change to every thread; capset below concerns the calling thread, the only one that needs any.
  if (setgroups(0, nullptr) != 0 || setresgid(account->pw_gid, account->pw_gid, account->pw_gid) != 0 ||
      setresuid(account->pw_uid, account->pw_uid, account->pw_uid) != 0) {
    return Errno("becoming " + user);
  }
  if (auto kept = KeepNetAdminAlone(); !kept) return kept;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
    return Errno("prctl");
  return {};
}

}  // namespace linegate::app
