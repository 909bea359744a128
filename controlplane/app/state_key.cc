#include "controlplane/app/state_key.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace linegate::app {
namespace {
std::string Errno(const std::string& path) { return path + ": " + std::strerror(errno); }

/// Closes on every way out.
struct File {
  int fd = -1;
  ~File() {
    if (fd >= 0) close(fd);
  }
};
}  // namespace

Result<SecretBytes<32>> LoadOrMakeKey(const std::string& path, Rng& rng) {
  std::array<uint8_t, 32> bytes = {};
  File file{open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
  if (file.fd >= 0) {
    std::array<uint8_t, 33> raw = {};
    const ssize_t n = read(file.fd, raw.data(), raw.size());
    if (n != ssize_t(bytes.size())) return Fail(path + ": not a key of 32 bytes");
    std::copy_n(raw.begin(), bytes.size(), bytes.begin());
    Wipe(raw.data(), raw.size());
  } else {
    if (errno != ENOENT) return Fail(Errno(path));
    rng.Fill(bytes);
    const std::string temporary = path + ".new";
    unlink(temporary.c_str());
    file.fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file.fd < 0 || write(file.fd, bytes.data(), bytes.size()) != ssize_t(bytes.size()) ||
        fsync(file.fd) != 0 || rename(temporary.c_str(), path.c_str()) != 0) {
      return Fail(Errno(path));
    }
  }
  SecretBytes<32> key(bytes);
  Wipe(bytes.data(), bytes.size());
  return key;
}

}  // namespace linegate::app
