#include "drivers/net/memif_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace linegate::drivers {
namespace {

std::string Reason(int error) { return std::generic_category().message(error); }

/// 0: somebody accepted; else why not.
int TryConnect(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return errno;
  const int error = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
  close(fd);
  return error;
}

}  // namespace

Status ClaimMemifSocket(const std::string& path) {
  if (path.empty() || path.front() != '/' || path.size() >= sizeof(sockaddr_un::sun_path))
    return Fail("memif socket '" + path + "': must be an absolute path of fewer than 108 characters");
  struct stat info = {};
  if (lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return {};
    return Fail("memif socket " + path + ": " + Reason(errno));
  }
  if (!S_ISSOCK(info.st_mode)) return Fail("memif socket " + path + ": something else stands there");
  // EAGAIN: a listener whose queue is full. EPROTOTYPE: a listener of another kind.
  const int error = TryConnect(path);
  if (error != ECONNREFUSED) return Fail("memif socket " + path + ": another process listens there");
  if (unlink(path.c_str()) != 0) return Fail("memif socket " + path + ": " + Reason(errno));
  return {};
}

}  // namespace linegate::drivers
