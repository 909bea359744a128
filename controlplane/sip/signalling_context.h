#pragma once
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "controlplane/sip/b2bua_config.h"
#include "controlplane/sip/b2bua_counters.h"
#include "controlplane/sip/dialog_table.h"
#include "controlplane/sip/identity.h"
#include "controlplane/sip/media_broker.h"
#include "controlplane/sip/transport_events.h"
#include "dataplane/base/rng.h"

namespace linegate::sip {

/// Who waits for the responses to a request of ours.
struct CallOwner {
  CallKey call;
};
struct RequestRelayOwner {};
struct RegistrationOwner {};
using TransactionOwner = std::variant<CallOwner, RequestRelayOwner, RegistrationOwner>;

/// What the parts of the B2BUA core share: the way out (actions), names for what we create, the dialog table,
/// media and the configuration. Holds no call state.
class SignallingContext {
 public:
  SignallingContext(const B2buaConfig& config_in, MediaBroker& media_in, const HashFunctions& hashes,
                    Rng& rng_in)
      : config(config_in), media(media_in), identity(hashes, config_in.identity_key), rng(rng_in) {}

  const B2buaConfig& config;
  MediaBroker& media;
  const Identity identity;
  Rng& rng;
  DialogTable dialogs;
  B2buaCounters counters;

  // ---- the way out
  ClientTransactionId Send(const Peer& to, Message request, TransactionOwner owner);
  void SendAck(const Peer& to, Message ack);
  void Respond(ServerTransactionId transaction, Message response);
  /// A failure of our own making.
  void Refuse(ServerTransactionId transaction, const Message& request, int status, std::string_view reason,
              std::vector<HeaderField> headers = {});
  void Cancel(ClientTransactionId transaction);
  void CloseBrowserFlow(FlowToken flow, uint16_t code);
  std::optional<Action> PollAction();

  // ---- transactions
  const TransactionOwner* OwnerOf(ClientTransactionId transaction) const;
  /// No further response is wanted.
  void Forget(ClientTransactionId transaction);

  // ---- names
  std::string MakeTag() { return rng.Hex(10); }
  /// Our Contact value towards `peer`. `user` names the browser at the SIP Server and is unused towards
  /// browsers.
  std::string ContactTowards(const Peer& peer, std::string_view user) const;

 private:
  std::deque<Action> actions_;
  std::map<ClientTransactionId, TransactionOwner> owners_;
  uint64_t last_transaction_ = 0;
};

inline bool IsBrowser(const Peer& peer) { return std::holds_alternative<WssPeer>(peer); }

/// Supported by ourselves when we are the user agent (OPTIONS to us, test numbers, 405).
inline constexpr std::string_view kAllow =
    "INVITE, ACK, CANCEL, BYE, PRACK, UPDATE, INFO, MESSAGE, OPTIONS, NOTIFY, SUBSCRIBE, REFER, PUBLISH, "
    "REGISTER";

}  // namespace linegate::sip
