#pragma once
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "controlplane/app/next_hops.h"
#include "controlplane/app/openssl_hashes.h"
#include "controlplane/app/turn_gateway.h"
#include "controlplane/dtls/dtls_endpoint.h"
#include "controlplane/link/shm_link.h"
#include "controlplane/net/asio_runtime.h"
#include "controlplane/net/sofia_codec.h"
#include "controlplane/net/sofia_trunk.h"
#include "controlplane/net/wss_server.h"
#include "controlplane/ops/admin_server.h"
#include "controlplane/ops/config.h"
#include "controlplane/registrar/binding_store.h"
#include "controlplane/session/media_sessions.h"
#include "controlplane/sip/b2bua.h"
#include "controlplane/sip/wss_transactions.h"
#include "dataplane/base/rng.h"

namespace linegate::app {

/// The control plane, wired. Theory of operation: every part is either sans-IO (B2bua, WssTransactions, MediaSessions) or
/// an edge (WssServer, SofiaTrunk, ShmLink, AdminServer). Each input of an edge is handed to its part and followed by
/// Pump(), which carries events, actions and outputs between the parts until nothing moves, then arms one timer for the
/// earliest deadline. Everything runs on the Runtime's thread; the trunk's own thread posts into it.
class Gateway final : private net::WssHandler, private link::LinkHandler {
 public:
  /// Errors: the dataplane's region cannot be attached, state directory, ports taken, certificate.
  static Result<std::unique_ptr<Gateway>> Start(net::Runtime& runtime, ops::Config config);
  ~Gateway() override;

  /// SIGHUP: certificate and page are read again. Everything else needs a restart, and the log says so.
  void Reload();
  /// SIGTERM: ends every call with BYE, then closes the connections with 1001; new calls get 503. Calls `done`
  /// when all that is over, after 2.5 s at the latest, or at once when asked a second time.
  void Shutdown(std::function<void()> done);

 private:
  Gateway(net::Runtime& runtime, ops::Config config, link::ShmLink link);
  Status StartParts();
  Status StartTrunk();
  Status StartWeb();
  Status StartTurn();
  Status StartAdmin();
  Result<net::StaticSite> BuildSite();
  std::string PageConfig();
  sip::B2buaConfig SignallingConfig(SecretBytes<32> identity_key) const;

  // net::WssHandler
  void OnFlowOpened(sip::FlowToken flow, Endpoint source) override;
  void OnText(sip::FlowToken flow, std::string_view message) override;
  void OnFlowClosed(sip::FlowToken flow) override;
  // link::LinkHandler
  void OnCommandDone(const abi::CommandDone& done) override;
  void OnPathValidated(const abi::PathEvent& path) override;
  void OnPathSelected(const abi::PathEvent& path) override;
  void OnConsentLost(const abi::FlowRef& flow) override;
  void OnPuntedDtls(const abi::FlowRef& flow, const Endpoint& local, const Endpoint& remote,
                    ByteView datagram) override;
  void OnPuntedTurn(uint16_t worker, const abi::TurnPuntRecord& record, ByteView message) override;
  void OnRelayToClient(const abi::RelayRef& relay, ByteView message) override;
  void OnDataplaneRestarted() override;

  void Pump();
  bool PumpOnce(TimePoint now);
  void Dispatch(TimePoint now, const sip::Action& action);
  void Deliver(const sip::WssOutput& output);
  void Deliver(TimePoint now, session::Output& output);
  void SendCommand(uint16_t worker, abi::CommandType type, uint64_t sequence, MutableByteView command);
  void HandleMediaEvent(TimePoint now, const session::MediaEvent& event);
  void ArmTimer(TimePoint now);
  void PollLink();
  void ReattachIfGone(TimePoint now);
  void EndCallsWithoutMedia(TimePoint now);
  void ForgetCallsOfPredecessor();

  // gateway_shutdown.cc
  void AwaitCallsEnd(std::function<void()> done);
  void AwaitConnectionsEnd(std::function<void()> done, TimePoint limit);

  // gateway_views.cc: what linegatectl shows.
  void RegisterViews();
  nlohmann::json DropsJson() const;

  net::Runtime& runtime_;
  const ops::Config config_;
  link::ShmLink link_;
  SecureRng rng_;
  OpenSslHashes hashes_;
  net::SofiaParser parser_;
  std::unique_ptr<dtls::DtlsFactory> dtls_;
  std::unique_ptr<NextHops> next_hops_;
  std::unique_ptr<registrar::BindingStore> bindings_;
  std::unique_ptr<session::MediaSessions> media_;
  std::unique_ptr<sip::WssTransactions> wss_;
  std::unique_ptr<sip::B2bua> core_;
  std::unique_ptr<TurnGateway> turn_;  ///< absent without [turn]
  std::unique_ptr<net::WssServer> web_;
  std::unique_ptr<net::SofiaTrunk> trunk_;  ///< absent without [sip]
  std::unique_ptr<ops::AdminServer> admin_;

  std::optional<net::TimerId> timer_;
  TimePoint timer_due_{};
  bool pumping_ = false;
  bool link_moved_ = false;
  bool next_hops_moved_ = false;  ///< a look at all of them is posted
  TimePoint last_attach_attempt_{};
  std::optional<TimePoint> shutdown_began_;
  TimePoint dataplane_seen_ = MonotonicNow();
};

}  // namespace linegate::app
