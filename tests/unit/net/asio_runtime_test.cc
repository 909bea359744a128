#include "controlplane/net/asio_runtime.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <thread>
#include <vector>

namespace linegate::net {
namespace {

TEST(Runtime, RunsPostedWorkInOrderOnOneThread) {
  Runtime runtime;
  std::vector<int> order;
  std::thread other([&] {
    runtime.Post([&] { order.push_back(1); });
    runtime.Post([&] { order.push_back(2); });
    runtime.Post([&] { runtime.Stop(); });
  });
  runtime.Run();
  other.join();
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

TEST(Runtime, TimersFireInOrderOfTheirTimes) {
  Runtime runtime;
  std::vector<int> order;
  const TimePoint now = MonotonicNow();
  runtime.CallAt(now + std::chrono::milliseconds(2), [&] { order.push_back(2), runtime.Stop(); });
  runtime.CallAt(now + std::chrono::milliseconds(1), [&] { order.push_back(1); });
  runtime.CallAt(now - std::chrono::seconds(1), [&] { order.push_back(0); });
  runtime.Run();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2}));
}

TEST(Runtime, CancelledTimerNeverFiresEvenWhenDue) {
  Runtime runtime;
  bool fired = false;
  TimerId second;
  // Both are due at once; the first cancels the second, whose completion is queued already.
  runtime.CallAfter(Duration(0), [&] { runtime.Cancel(second); });
  second = runtime.CallAfter(Duration(0), [&] { fired = true; });
  runtime.CallAfter(std::chrono::milliseconds(1), [&] { runtime.Stop(); });
  runtime.Run();
  EXPECT_FALSE(fired);
}

TEST(Runtime, WatchIsLevelTriggeredAndEndsByUnwatch) {
  Runtime runtime;
  int pipe_fds[2];
  ASSERT_EQ(pipe(pipe_fds), 0);
  ASSERT_EQ(write(pipe_fds[1], "ab", 2), 2);
  std::string read_bytes;
  WatchId watch;
  watch = runtime.Watch(pipe_fds[0], FdEvent::kReadable, [&] {
    char c;
    ASSERT_EQ(read(pipe_fds[0], &c, 1), 1);
    read_bytes += c;
    if (read_bytes.size() < 2) return;
    runtime.Unwatch(watch);
    ASSERT_EQ(write(pipe_fds[1], "c", 1), 1);
    runtime.CallAfter(std::chrono::milliseconds(1), [&] { runtime.Stop(); });
  });
  runtime.Run();
  EXPECT_EQ(read_bytes, "ab");
  // Still open: the Runtime never closes what it watches.
  EXPECT_EQ(close(pipe_fds[0]), 0);
  EXPECT_EQ(close(pipe_fds[1]), 0);
}

TEST(Runtime, SignalsBecomeCallbacks) {
  Runtime runtime;
  int received = 0;
  runtime.OnSignals({SIGUSR1}, [&](int number) {
    received = number;
    runtime.Stop();
  });
  runtime.Post([] { raise(SIGUSR1); });
  runtime.Run();
  EXPECT_EQ(received, SIGUSR1);
}

}  // namespace
}  // namespace linegate::net
