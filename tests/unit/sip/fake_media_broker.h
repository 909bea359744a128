#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "controlplane/sip/media_broker.h"

namespace linegate::sip {

/// Relays "x" as "x>LEG" (the leg it is for), so that a test sees at a glance who was told what. Keeps a log
/// of what was asked and which legs are open. An SDP that contains "unusable" is refused with 488.
class FakeMediaBroker final : public MediaBroker {
 public:
  bool IsReady() const override { return ready; }
  CallId OpenCall() override {
    open_calls.insert(++last_call_);
    return CallId(last_call_);
  }
  LegId OpenLeg(CallId call, LegKind kind) override {
    open_legs[++last_leg_] = call.value();
    log.push_back("open " + Name(LegId(last_leg_)) + (kind == LegKind::kWebRtc ? " webrtc" : " sip"));
    return LegId(last_leg_);
  }
  MediaResult<std::string> RelayOffer(LegId from, LegId to, std::string_view sdp) override {
    return Relay("offer", from, to, sdp);
  }
  MediaResult<std::string> RelayAnswer(LegId from, LegId to, std::string_view sdp) override {
    return Relay("answer", from, to, sdp);
  }
  void RollbackOffer(LegId from, LegId to) override {
    log.push_back("rollback " + Name(from) + "->" + Name(to));
  }
  MediaResult<std::string> AnswerLocally(LegId leg, std::string_view sdp, LocalService service) override {
    log.push_back(std::string(service == LocalService::kEcho ? "echo " : "tone ") + Name(leg) + " " +
                  std::string(sdp));
    if (sdp.find("unusable") != std::string_view::npos)
      return MakeUnexpected(MediaError{488, "no common codec"});
    return std::string(sdp) + ">" + Name(leg);
  }
  void CloseLeg(LegId leg) override {
    log.push_back("close " + Name(leg));
    open_legs.erase(leg.value());
  }
  void CloseCall(CallId call) override {
    log.push_back("close call" + std::to_string(call.value()));
    open_calls.erase(call.value());
    std::erase_if(open_legs, [&](const auto& leg) { return leg.second == call.value(); });
  }

  std::vector<std::string> TakeLog() { return std::exchange(log, {}); }

  bool ready = true;
  std::vector<std::string> log;
  std::set<uint64_t> open_calls;
  std::map<uint64_t, uint64_t> open_legs;

 private:
  static std::string Name(LegId leg) { return "L" + std::to_string(leg.value()); }
  MediaResult<std::string> Relay(const char* what, LegId from, LegId to, std::string_view sdp) {
    log.push_back(std::string(what) + " " + Name(from) + "->" + Name(to) + " " + std::string(sdp));
    if (sdp.find("unusable") != std::string_view::npos)
      return MakeUnexpected(MediaError{488, "no common codec"});
    return std::string(sdp) + ">" + Name(to);
  }

  uint64_t last_call_ = 0, last_leg_ = 0;
};

}  // namespace linegate::sip
