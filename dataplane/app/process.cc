#include "dataplane/app/process.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

#include "dataplane/base/check.h"

namespace linegate::app {

Status HardenProcess() {
  const rlimit no_core = {0, 0};
  if (setrlimit(RLIMIT_CORE, &no_core) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
    return Fail("cannot forbid core dumps: " + std::generic_category().message(errno));
  }
  return {};
}

StopSignals::StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, signal);
  LG_FATAL(pthread_sigmask(SIG_BLOCK, &signals, nullptr) == 0);
  fd_ = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  LG_FATAL(fd_ >= 0);
}

StopSignals::~StopSignals() { close(fd_); }

bool StopSignals::WaitFor(Duration timeout) {
  pollfd wait = {fd_, POLLIN, 0};
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count();
  if (poll(&wait, 1, int(milliseconds)) <= 0) return false;
  signalfd_siginfo signal = {};
  while (read(fd_, &signal, sizeof signal) == ssize_t(sizeof signal)) {
    if (signal.ssi_signo != uint32_t(SIGHUP)) return true;
  }
  return false;
}

}  // namespace linegate::app
