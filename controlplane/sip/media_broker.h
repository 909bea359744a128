#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "dataplane/base/result.h"
#include "dataplane/base/strong_type.h"

namespace linegate::sip {

using CallId = StrongType<struct CallTag, uint64_t>;
/// One media leg: one browser peer connection or one RTP peer. Allocated by the broker.
using LegId = StrongType<struct LegTag, uint64_t>;

enum class LegKind : uint8_t { kWebRtc, kSip };
enum class LocalService : uint8_t { kEcho, kTone };

/// Why SDP could not be relayed, as the SIP status that says so.
struct MediaError {
  int status;          ///< 488, 503 (no ports), 400 (unparsable)
  std::string reason;  ///< for the Warning header and the log; no addresses
};
template <typename T>
using MediaResult = Result<T, MediaError>;

/// What the B2BUA asks of media while it relays offers and answers (RFC 3264) between the legs of a call. Implemented by
/// controlplane/session; a fake in the B2BUA's tests. All calls are synchronous and touch no network: they only compute
/// the other leg's SDP and queue work for the dataplane.
///
/// Protocol per offer/answer exchange on a pair of legs (from, to):
///   RelayOffer(from, to, sdp) -> SDP to send to `to`; later RelayAnswer(to, from, sdp) -> SDP to send back to `from`,
///   or RollbackOffer(from, to) when the offer was refused. After RelayAnswer the two legs are joined and media flows.
/// A parallel fork offers from one caller leg to several callee legs; the first RelayAnswer joins, and the B2BUA closes
/// the others. Re-offers use the same legs and keep ports, credentials and keys.
class MediaBroker {
 public:
  virtual ~MediaBroker() = default;
  /// False while nobody moves packets: a call taken now would have no media, so new ones are refused.
  virtual bool IsReady() const = 0;
  virtual CallId OpenCall() = 0;
  /// Reserves nothing yet: ports and credentials are taken at the leg's first offer or answer.
  virtual LegId OpenLeg(CallId call, LegKind kind) = 0;
  virtual MediaResult<std::string> RelayOffer(LegId from, LegId to, std::string_view sdp) = 0;
  virtual MediaResult<std::string> RelayAnswer(LegId from, LegId to, std::string_view sdp) = 0;
  virtual void RollbackOffer(LegId from, LegId to) = 0;
  /// Answers `leg`'s offer ourselves (test numbers). Returns the answer SDP.
  virtual MediaResult<std::string> AnswerLocally(LegId leg, std::string_view sdp, LocalService service) = 0;
  virtual void CloseLeg(LegId leg) = 0;
  /// Closes all its legs.
  virtual void CloseCall(CallId call) = 0;
};

}  // namespace linegate::sip
