// A plain stop: what is under way ends in words, within a bound.
#include "controlplane/app/gateway.h"

namespace linegate::app {
namespace {

/// For the answers to our BYEs and the workers' word that the flows are gone; then the connections.
constexpr Duration kCallsLimit = std::chrono::seconds(2);
constexpr Duration kConnectionsLimit = std::chrono::milliseconds(500);
constexpr Duration kLook = std::chrono::milliseconds(10);

}  // namespace

void Gateway::Shutdown(std::function<void()> done) {
  if (shutdown_began_) return done();  // asked twice: at once
  shutdown_began_ = MonotonicNow();
  ops::LogInfo("stopping", {{"calls", core_->call_count()}});
  core_->Shutdown(*shutdown_began_);
  Pump();
  AwaitCallsEnd(std::move(done));
}

void Gateway::AwaitCallsEnd(std::function<void()> done) {
  const TimePoint now = MonotonicNow();
  const bool ended = core_->call_count() == 0 && (media_->totals().flows == 0 || !link_.dataplane_up(now));
  if (!ended && now - *shutdown_began_ < kCallsLimit) {
    runtime_.CallAfter(kLook, [this, done = std::move(done)]() mutable { AwaitCallsEnd(std::move(done)); });
    return;
  }
  if (!ended) ops::LogWarning("calls_cut", {{"calls", core_->call_count()}});
  web_->Drain();
  AwaitConnectionsEnd(std::move(done), now + kConnectionsLimit);
}

void Gateway::AwaitConnectionsEnd(std::function<void()> done, TimePoint limit) {
  if (web_->flow_count() == 0 || MonotonicNow() >= limit) return done();
  runtime_.CallAfter(kLook, [this, done = std::move(done), limit]() mutable {
    AwaitConnectionsEnd(std::move(done), limit);
  });
}

}  // namespace linegate::app
