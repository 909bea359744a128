#pragma once
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/session/flow_command_queue.h"
#include "controlplane/session/flow_slot_pool.h"
#include "controlplane/session/local_realm.h"
#include "controlplane/session/media_leg.h"
#include "controlplane/session/media_output.h"
#include "controlplane/session/media_port_pool.h"
#include "controlplane/session/media_view.h"
#include "controlplane/session/next_hop_table.h"
#include "controlplane/sip/media_broker.h"
#include "dataplane/abi/flow_event.h"
#include "dataplane/base/rng.h"
#include "dataplane/settings/settings.h"

namespace linegate::session {

/// The 14-character ufrag of the leg whose ingress is `flow` (MakeIceUfrag under the link region's key).
using UfragMaker = std::function<std::string(const abi::FlowRef& flow, Rng& rng)>;

struct MediaConfig {
  std::string web_realm;        ///< realm of browser legs
  std::string sip_realm;        ///< realm of RTP legs; empty: there are none, their offers get 488
  uint64_t first_sequence = 1;  ///< ShmLink::first_sequence()
  SdesPolicy srtp = {};         ///< of RTP legs
};

/// All calls' media: the other leg's SDP for the B2BUA, flows and keys for the workers. Theory of operation:
/// sans-IO.
///
///   AdvanceTo(now), then any broker call or Handle*  ->  drain PollOutput until empty  ->  next input;
///   NextTimeout says when to call HandleTimeout.
///
/// A call has legs, a leg one flow (its ingress). A browser leg we offered to is programmed with the offer,
/// so that its checks and its DTLS are answered while the SIP answer is still under way; every other leg with
/// the answer. Joined legs name each other's flows as `reverse`. Keys of a browser leg: "receive" goes to its
/// own flow, "send" to the flow that leaves through it; those of an RTP leg with SDES (SdesAssociation) go the same way
/// with the answer. Re-offers program the same flows again and touch
/// neither ICE nor DTLS unless the peer changes its ufrag (new credentials of ours too, RFC 8445 section 2.4)
/// or its fingerprint (new association).
///
///   browser offer -> RelayOffer(A, B) -> B's SDP    nothing programmed (B is an RTP leg)
///   200 with SDP  -> RelayAnswer(B, A) -> A's SDP   ProgramFlow A (in from browser), ProgramFlow B (in from
///   RTP) ICE, DTLS     -> HandlePunt ...                 Inject ..., InstallKeys A receive, InstallKeys B
///   send, kMediaUp BYE           -> CloseCall                      RemoveFlow A, RemoveFlow B; confirmed:
///   ports and slots are free
///
/// It deliberately does not: look at remote candidates, transcode, carry more than one audio stream per leg,
/// retry.
class MediaSessions final : public sip::MediaBroker {
 public:
  static constexpr size_t kMaxLegsPerCall = 32;
  /// From the answer to the end of DTLS. A browser gives up earlier; this is for one that went away meanwhile.
  static constexpr Duration kConnectLimit = std::chrono::seconds(30);

  /// References must outlive the object. Errors: a realm name that is not in `settings`, a web realm without
  /// webrtc_port, a SIP realm without rtp_ports.
  static Result<std::unique_ptr<MediaSessions>> Create(const settings::DataplaneSettings& settings,
                                                       MediaConfig config, dtls::DtlsFactory& dtls, Rng& rng,
                                                       NextHopTable& next_hops, UfragMaker make_ufrag);

  // --- sip::MediaBroker ---
  bool IsReady() const override { return dataplane_up_; }
  sip::CallId OpenCall() override;
  sip::LegId OpenLeg(sip::CallId call, sip::LegKind kind) override;
  sip::MediaResult<std::string> RelayOffer(sip::LegId from, sip::LegId to, std::string_view sdp) override;
  sip::MediaResult<std::string> RelayAnswer(sip::LegId from, sip::LegId to, std::string_view sdp) override;
  void RollbackOffer(sip::LegId from, sip::LegId to) override;
  sip::MediaResult<std::string> AnswerLocally(sip::LegId leg, std::string_view sdp,
                                              sip::LocalService service) override;
  void CloseLeg(sip::LegId leg) override;
  void CloseCall(sip::CallId call) override;

  // --- inputs ---
  void SetDataplaneUp(bool up) { dataplane_up_ = up; }
  /// Sets the time that broker calls happen at; never goes back.
  void AdvanceTo(TimePoint now);
  void HandleCommandDone(TimePoint now, const abi::CommandDone& done);
  void HandlePathValidated(TimePoint now, const abi::PathEvent& path);
  void HandlePathSelected(TimePoint now, const abi::PathEvent& path);
  void HandleConsentLost(TimePoint now, const abi::FlowRef& flow);
  /// A DTLS datagram from a checked address of `flow`.
  void HandlePunt(TimePoint now, const abi::FlowRef& flow, const Endpoint& local, const Endpoint& remote,
                  ByteView datagram);
  void HandleTimeout(TimePoint now);
  /// Looks all next hops up again and programs the flows whose hop differs.
  void OnNextHopChanged();
  /// Another dataplane has taken over: everything is sent again.
  void ReprogramAll();

  // --- outputs ---
  std::optional<Output> PollOutput();
  std::optional<TimePoint> NextTimeout() const;

  // --- statistics ---
  MediaTotals totals() const;
  const MediaCounters& counters() const { return counters_; }
  std::vector<CallView> Calls(Redaction redaction) const;

 private:
  struct Call {
    uint16_t worker = 0;
    std::vector<sip::LegId> legs;
  };
  /// What a closed leg held, until the worker confirmed that its flow is gone.
  struct Releasing {
    abi::FlowRef flow;
    uint16_t rtp_port = 0;
  };
  using FlowKey = std::pair<uint16_t, uint32_t>;
  template <typename T>
  using MediaResult = sip::MediaResult<T>;

  MediaSessions(const settings::DataplaneSettings& settings, MediaConfig config, LocalRealm web,
                std::optional<LocalRealm> sip_realm, dtls::DtlsFactory& dtls, Rng& rng,
                NextHopTable& next_hops, UfragMaker make_ufrag);

  // media_exchange.cc: offers and answers.
  struct PeerAndFingerprint {
    sdp::PeerDescription peer;
    std::optional<dtls::Fingerprint> fingerprint;
  };
  MediaResult<PeerAndFingerprint> ReadPeer(const MediaLeg& leg, std::string_view sdp, size_t audio) const;
  /// Whether an RTP peer's offer agrees with the SRTP that is configured.
  static MediaResult<void> CheckOffer(const MediaLeg& leg, const sdp::PeerDescription& offer);
  MediaResult<std::string> AnswerAgain(MediaLeg& offerer, MediaLeg& answerer,
                                       const sdp::PeerDescription& peer, sdp::AnsweredCodecs codecs);
  void Join(MediaLeg& offerer, MediaLeg& answerer, const sdp::AnsweredCodecs& codecs);
  void CommitPeer(MediaLeg& leg, PeerAndFingerprint peer);
  dtls::Role RoleFor(const MediaLeg& leg, sdp::Setup peer_setup) const;
  std::string WriteOffer(MediaLeg& leg, const sdp::Layout& layout, const sdp::AudioStream& stream);
  std::string WriteAnswer(MediaLeg& leg, const sdp::AudioStream& stream);
  sdp::LocalWebRtc LocalWebRtcOf(const MediaLeg& leg, std::string_view setup) const;
  sdp::LocalRtp LocalRtpOf(const MediaLeg& leg, IpFamily family) const;
  IpFamily FamilyOf(const MediaLeg& leg) const;

  // media_sessions.cc: lifetimes and events.
  MediaLeg* FindLeg(sip::LegId id);
  const MediaLeg* FindLeg(sip::LegId id) const;
  MediaLeg* FindByFlow(const abi::FlowRef& flow);
  MediaResult<void> TakeResources(MediaLeg& leg);
  void ReleaseResources(MediaLeg& leg);
  void Detach(MediaLeg& leg);
  void AgreeDtls(MediaLeg& leg, dtls::Role role);
  void AfterDtls(MediaLeg& leg);
  void InstallKeys(MediaLeg& leg);
  void ScheduleDtls(const MediaLeg& leg);
  void SetConnectLimit(MediaLeg& leg, std::optional<TimePoint> connect_by);
  void EndUnconnected();
  void Report(MediaLeg& leg, MediaEventType type, std::string reason);

  // flow_programming.cc
  void ProgramLeg(MediaLeg& leg);
  abi::FlowConfig BuildConfig(const MediaLeg& leg) const;

  MediaConfig config_;
  LocalRealm web_;
  std::optional<LocalRealm> sip_;
  dtls::DtlsFactory& dtls_;
  Rng& rng_;
  NextHopTable& next_hops_;
  UfragMaker make_ufrag_;
  std::string own_fingerprint_;

  TimePoint now_;
  bool dataplane_up_ = true;
  FlowSlotPool slots_;
  MediaPortPool ports_;
  FlowCommandQueue commands_;
  std::map<sip::CallId, Call> calls_;
  std::map<sip::LegId, MediaLeg> legs_;
  std::map<FlowKey, sip::LegId> leg_of_flow_;
  std::map<FlowKey, Releasing> releasing_;
  std::set<std::pair<TimePoint, sip::LegId>> dtls_timers_;
  std::map<sip::LegId, TimePoint> dtls_timer_of_;
  std::set<std::pair<TimePoint, sip::LegId>> connect_limits_;
  std::deque<Output> outputs_;  ///< datagrams and events; commands come from commands_
  MediaCounters counters_;
  uint64_t next_call_id_ = 1;
  uint64_t next_leg_id_ = 1;
};

}  // namespace linegate::session
