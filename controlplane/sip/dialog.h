#pragma once
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/sip/message.h"
#include "controlplane/sip/transport_events.h"

namespace linegate::sip {

/// RFC 3261 section 12: a dialog as seen from our end of it.
struct DialogKey {
  std::string call_id;
  std::string local_tag;
  std::string remote_tag;
  friend auto operator<=>(const DialogKey&, const DialogKey&) = default;
};

/// The key under which a request with a To tag finds its dialog at us. Empty tags where the message has none.
DialogKey KeyOfRequest(const Message& request);

/// One of our dialogs: what every request sent in it looks like.
struct Dialog {
  DialogKey key;
  std::string local;                   ///< From of our requests: display name, URI and tag
  std::string remote;                  ///< To of our requests
  std::string remote_target;           ///< the peer's Contact URI: Request-URI of our requests
  std::vector<std::string> route_set;  ///< in the order our requests need it
  Peer peer;
  uint32_t local_cseq = 0;   ///< highest that we sent
  uint32_t remote_cseq = 0;  ///< highest that we received, 0: none yet

  /// Takes `wanted` when the peer can still accept it (CSeq numbers cross unchanged, design D8), the next one
  /// otherwise.
  uint32_t TakeCSeq(uint32_t wanted);
  /// Request-URI, Route, From, To, Call-ID, CSeq and Max-Forwards; loose and strict routing as in
  /// section 12.2.1.1.
  Message MakeRequest(std::string_view method, uint32_t cseq) const;
  /// Where requests go: the browser's connection; towards the SIP side the first route, then the target, as
  /// far as they are addresses (names are the SIP Server's business), then `peer`.
  Peer NextHop() const;
  /// Takes the Contact of a target refresh request or its 2xx.
  void RefreshTarget(const Message& message);
};

/// Our end as callee of `request` (section 12.1.1).
Dialog MakeUasDialog(const Message& request, std::string_view local_tag, const Peer& peer);
/// Our end as caller: `request` is ours, `response` has a To tag (section 12.1.2).
Dialog MakeUacDialog(const Message& request, const Message& response, const Peer& peer);

/// URI of the first Contact, empty when there is none.
std::string ContactUri(const Message& message);
/// A response to `request` with its From, To, Call-ID and CSeq; `local_tag` is added to To unless it has one.
Message MakeResponse(const Message& request, int status, std::string_view reason, std::string_view local_tag);

}  // namespace linegate::sip
