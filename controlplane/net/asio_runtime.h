#pragma once
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>

#include "dataplane/base/strong_type.h"
#include "dataplane/base/time.h"

namespace boost::asio {
class io_context;
}

namespace linegate::net {

using TimerId = StrongType<struct TimerTag, uint64_t>;
using WatchId = StrongType<struct WatchTag, uint64_t>;
enum class FdEvent : uint8_t { kReadable, kWritable };

/// Theory of operation
/// The control plane's main thread. Everything that is not explicitly "any thread" is called on the thread
/// inside Run(), or before Run() starts; so sessions, dialogs and tables need no locks. Foreign threads
/// (sofia's) enter by Post(). Callbacks may call everything here, may destroy their own timer or watch, and
/// never run inside the call that registered them. Timer callbacks come in order of their times, never early.
class Runtime {
 public:
  Runtime();
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  /// Serves callbacks until Stop(); may be called again afterwards.
  void Run();
  /// Any thread, or a signal callback. Work still queued is dropped when the Runtime is destroyed.
  void Stop();
  /// Any thread: runs `work` on the main thread.
  void Post(std::function<void()> work);

  TimerId CallAt(TimePoint when, std::function<void()> work);
  TimerId CallAfter(Duration delay, std::function<void()> work);
  /// Unknown or already fired: nothing happens.
  void Cancel(TimerId timer);

  /// Calls `work` each time `fd` is ready (level-triggered: not drained means called again). The caller keeps
  /// owning `fd` and must Unwatch before closing it. One watch per descriptor at a time.
  WatchId Watch(int fd, FdEvent event, std::function<void()> work);
  void Unwatch(WatchId watch);

  /// From now on these signals call `work` instead of their default action. One call per Runtime.
  void OnSignals(std::initializer_list<int> signals, std::function<void(int)> work);

  /// For the modules of controlplane/net that speak Asio themselves.
  boost::asio::io_context& context();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace linegate::net
