#include "controlplane/net/sofia_trunk.h"

#include <sofia-sip/su.h>
#include <sofia-sip/su_log.h>

#include <cstdarg>
#include <deque>
#include <future>
#include <mutex>
#include <thread>
#include <utility>

#include "controlplane/net/sofia_agent.h"

namespace linegate::net {
namespace {

/// sofia prints addresses and header values; our own logs say what matters without them.
void Discard(void*, const char*, va_list) {}

void InitialiseSofia() {
  static std::once_flag once;
  std::call_once(once, [] {
    su_init();
    su_log_redirect(nullptr, Discard, nullptr);
  });
}

}  // namespace

/// The thread with its loop, and the queue into it. `su_root_break` and `su_msg` are all that other threads
/// touch.
class SofiaTrunk::Thread {
 public:
  Thread(TrunkOptions options, Post post, Sink sink)
      : options_(std::move(options)), post_(std::move(post)), sink_(std::move(sink)) {}
  ~Thread() {
    if (!thread_.joinable()) return;
    Enqueue([this] { su_root_break(root_); });
    thread_.join();
  }

  Status Start() {
    std::promise<Status> opened;
    std::future<Status> result = opened.get_future();
    thread_ = std::thread([this, &opened] { Run(opened); });
    Status status = result.get();
    if (!status) thread_.join();
    return status;
  }

  void Enqueue(std::function<void()> work) {
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back(std::move(work));
      if (std::exchange(doorbell_rung_, true)) return;
    }
    if (Ring()) return;
    const std::lock_guard lock(mutex_);
    doorbell_rung_ = false;  // no memory for a doorbell: the next one delivers this work too
  }

  TrunkCounters counters() const {
    TrunkCounters counters;
    counters.requests_received = counters_.requests_received;
    counters.responses_received = counters_.responses_received;
    counters.refused = counters_.refused;
    counters.unsendable = counters_.unsendable;
    counters.over_limit = counters_.over_limit;
    counters.client_timeouts = counters_.client_timeouts;
    counters.transport_failures = counters_.transport_failures;
    counters.ack_timeouts = counters_.ack_timeouts;
    counters.success_retransmissions = counters_.success_retransmissions;
    for (const SourceFilter& filter : filters_) counters.foreign_packets_dropped += filter.dropped_packets();
    return counters;
  }

  void Execute(const sip::Action& action) {
    Enqueue([this, action] { agent_->Execute(action); });
  }

 private:
  void Run(std::promise<Status>& opened) {
    InitialiseSofia();
    root_ = su_root_create(nullptr);
    if (root_ == nullptr) return opened.set_value(Fail("SIP trunk: no event loop"));
    su_root_threading(root_, 0);
    agent_ = std::make_unique<SofiaAgent>(
        root_, options_,
        [this](sip::Event event) {
          post_([sink = sink_, event = std::move(event)]() mutable { sink(std::move(event)); });
        },
        counters_);
    Status status = agent_->Open();
    const bool open = status.has_value();
    filters_ = agent_->filters();
    opened.set_value(std::move(status));  // `opened` is gone from here on
    if (open) su_root_run(root_);
    agent_.reset();
    su_root_destroy(root_);
  }

  bool Ring() {
    su_msg_r message = SU_MSG_R_INIT;
    if (su_msg_create(message, su_root_task(root_), su_task_null, OnDoorbell, sizeof(Thread*)) < 0)
      return false;
    *reinterpret_cast<Thread**>(su_msg_data(message)) = this;
    return su_msg_send(message) == 0;
  }
  static void OnDoorbell(su_root_magic_t*, su_msg_r message, su_msg_arg_t* argument) {
    (void)message;
    (*reinterpret_cast<Thread**>(argument))->Drain();
  }
  void Drain() {
    std::deque<std::function<void()>> work;
    {
      const std::lock_guard lock(mutex_);
      work.swap(queue_);
      doorbell_rung_ = false;
    }
    for (const auto& item : work) item();
  }

  const TrunkOptions options_;
  const Post post_;
  const Sink sink_;
  AtomicTrunkCounters counters_;
  su_root_t* root_ = nullptr;
  std::unique_ptr<SofiaAgent> agent_;  ///< only on the thread
  std::vector<SourceFilter> filters_;  ///< fixed once started
  std::thread thread_;
  std::mutex mutex_;
  std::deque<std::function<void()>> queue_;
  bool doorbell_rung_ = false;
};

SofiaTrunk::SofiaTrunk(std::unique_ptr<Thread> thread) : thread_(std::move(thread)) {}
SofiaTrunk::~SofiaTrunk() = default;

Result<std::unique_ptr<SofiaTrunk>> SofiaTrunk::Start(TrunkOptions options, Post post, Sink sink) {
  auto thread = std::make_unique<Thread>(std::move(options), std::move(post), std::move(sink));
  if (Status status = thread->Start(); !status) return MakeUnexpected(std::move(status).error());
  return std::unique_ptr<SofiaTrunk>(new SofiaTrunk(std::move(thread)));
}

bool SofiaTrunk::Execute(const sip::Action& action) {
  const auto* request = std::get_if<sip::SendRequest>(&action);
  const auto* response = std::get_if<sip::SendResponse>(&action);
  const bool ours = request != nullptr    ? std::holds_alternative<sip::TrunkPeer>(request->to)
                    : response != nullptr ? (response->transaction.value() & kTrunkTransactionBit) != 0
                                          : std::holds_alternative<sip::CancelRequest>(action);
  if (ours) thread_->Execute(action);
  return ours;
}

TrunkCounters SofiaTrunk::counters() const { return thread_->counters(); }

}  // namespace linegate::net
