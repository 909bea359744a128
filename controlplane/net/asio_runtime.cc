#include "controlplane/net/asio_runtime.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <unordered_map>

#include "dataplane/base/check.h"

namespace linegate::net {
namespace asio = boost::asio;
using boost::system::error_code;

struct Runtime::Impl {
  struct FdWatch {
    asio::posix::stream_descriptor descriptor;
    asio::posix::stream_descriptor::wait_type event;
    std::function<void()> work;
  };

  void Arm(WatchId id, const std::shared_ptr<FdWatch>& watch) {
    watch->descriptor.async_wait(watch->event, [this, id, watch](error_code error) {
      if (error || !watches.contains(id)) return;
      watch->work();
      if (watches.contains(id)) Arm(id, watch);
    });
  }

  void ArmSignals() {
    signals->async_wait([this](error_code error, int number) {
      if (error) return;
      on_signal(number);
      ArmSignals();
    });
  }

  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> keep_running{context.get_executor()};
  uint64_t last_id = 0;
  std::unordered_map<TimerId, std::unique_ptr<asio::steady_timer>> timers;
  std::unordered_map<WatchId, std::shared_ptr<FdWatch>> watches;
  std::unique_ptr<asio::signal_set> signals;
  std::function<void(int)> on_signal;
};

Runtime::Runtime() : impl_(std::make_unique<Impl>()) {}

Runtime::~Runtime() {
  // The descriptors belong to the callers: never closed here.
  for (auto& [id, watch] : impl_->watches) watch->descriptor.release();
}

void Runtime::Run() {
  impl_->context.run();
  impl_->context.restart();
}
void Runtime::Stop() { impl_->context.stop(); }
void Runtime::Post(std::function<void()> work) { asio::post(impl_->context, std::move(work)); }

TimerId Runtime::CallAt(TimePoint when, std::function<void()> work) {
  const TimerId id(++impl_->last_id);
  auto& timer = impl_->timers[id] = std::make_unique<asio::steady_timer>(impl_->context);
  timer->expires_at(asio::steady_timer::time_point(when.time_since_epoch()));
  timer->async_wait([impl = impl_.get(), id, work = std::move(work)](error_code error) {
    // A timer cancelled after its completion was queued has left the table.
    if (error || impl->timers.erase(id) == 0) return;
    work();
  });
  return id;
}

TimerId Runtime::CallAfter(Duration delay, std::function<void()> work) {
  return CallAt(MonotonicNow() + delay, std::move(work));
}

void Runtime::Cancel(TimerId timer) { impl_->timers.erase(timer); }

WatchId Runtime::Watch(int fd, FdEvent event, std::function<void()> work) {
  const WatchId id(++impl_->last_id);
  auto watch = std::make_shared<Impl::FdWatch>(
      Impl::FdWatch{asio::posix::stream_descriptor(impl_->context, fd),
                    event == FdEvent::kReadable ? asio::posix::stream_descriptor::wait_read
                                                : asio::posix::stream_descriptor::wait_write,
                    std::move(work)});
  impl_->watches.emplace(id, watch);
  impl_->Arm(id, watch);
  return id;
}

void Runtime::Unwatch(WatchId watch) {
  auto found = impl_->watches.find(watch);
  if (found == impl_->watches.end()) return;
  found->second->descriptor.release();
  impl_->watches.erase(found);
}

void Runtime::OnSignals(std::initializer_list<int> signals, std::function<void(int)> work) {
  LG_FATAL(!impl_->signals);
  impl_->signals = std::make_unique<asio::signal_set>(impl_->context);
  for (int number : signals) impl_->signals->add(number);
  impl_->on_signal = std::move(work);
  impl_->ArmSignals();
}

boost::asio::io_context& Runtime::context() { return impl_->context; }

}  // namespace linegate::net
