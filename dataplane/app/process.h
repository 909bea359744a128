#pragma once
#include "dataplane/base/result.h"
#include "dataplane/base/time.h"

namespace linegate::app {

/// No core dumps and no ptrace by others: this process holds SRTP keys. Before any key is read.
Status HardenProcess();

/// Blocks SIGINT, SIGTERM and SIGHUP in the calling thread and in all it starts afterwards, so that only
/// StopSignals::WaitFor sees them. Constructed before any other thread.
class StopSignals {
 public:
  StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
  ~StopSignals();
  /// Sleeps until a signal asks to stop (true) or `timeout` has passed (false). SIGHUP is taken and ignored.
  bool WaitFor(Duration timeout);

 private:
  int fd_;
};

}  // namespace linegate::app
