// A configuration file of any bytes: an error that names the file, or a configuration; never a crash.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "controlplane/ops/config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const int fd = memfd_create("linegate.toml", MFD_CLOEXEC);
  static const std::string path = "/proc/self/fd/" + std::to_string(fd);
  if (ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != ssize_t(size)) std::abort();
  const auto config = linegate::ops::LoadConfig(path, std::chrono::system_clock::from_time_t(1'800'000'000));
  if (!config && !config.error().message().starts_with(path)) std::abort();
  return 0;
}
