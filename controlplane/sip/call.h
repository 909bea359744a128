#pragma once
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "controlplane/sip/dialog.h"
#include "controlplane/sip/pass_through.h"
#include "controlplane/sip/routing.h"
#include "controlplane/sip/signalling_context.h"
#include "dataplane/base/time.h"

namespace linegate::sip {

/// Theory of operation. One call: the caller's dialog joined with the dialogs of the callees.
///
///   caller --INVITE--> [party 0]  Call  [branch 0: our INVITE] --> party 1, 2 ... (one per To tag: forks
///   behind it)
///                                       [branch 1: our INVITE] --> party 3 ...
///
/// A *party* is a dialog with its media leg; party 0 is the caller. A *branch* is an INVITE of ours; all
/// parties of a branch share its leg. `chosen_` is the callee whom the caller hears: the last one to give
/// signs of life until a 2xx, the winner afterwards.
///
///   kRouting -> kRinging -> kAnswered (2xx passed on) -> kConfirmed (ACK passed on) -> kEnding -> done
///                  |  ^                                                                  ^
///                  v  | retry with credentials, same ports                               |
///               kChallenged ---- 32 s without a retry -----------------------------------+ (also every
///               failure)
///
/// The caller sees one early dialog and one SDP answer (design D11): our To tag is the only one, the first
/// answer is repeated in the 2xx, and later answers move only the far leg. ACK crosses end to end, so an
/// offer in a 2xx gets its answer from the ACK (delayed offer). At most one offer is open between caller and
/// callees; a second one is glare. kEnding waits for the final responses of what is still under way, media is
/// closed already.
///
/// call.cc: set-up, cancel, timers, end. call_responses.cc: responses of the branches. call_in_dialog.cc:
/// everything inside the dialogs. call_media.cc: bodies.
class Call {
 public:
  enum class State : uint8_t { kRouting, kRinging, kChallenged, kAnswered, kConfirmed, kEnding };

  /// `invite` starts the call; `caller_token` is the caller's registration, empty without one.
  Call(SignallingContext& context, CallKey key, TimePoint now, const RequestReceived& invite,
       std::string caller_token);
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // ---- after routing
  void RingContacts(TimePoint now, const std::vector<ContactTarget>& targets);
  void RingTrunk(TimePoint now);
  void AnswerAsTestNumber(TimePoint now, LocalService service);
  void AwaitContact(TimePoint now, const RouteWhenConnected& contact);
  /// The challenged INVITE came back (kChallenged only).
  void Retry(TimePoint now, const RequestReceived& invite);

  // ---- events
  /// A request in one of our dialogs; `key` is in the dialog table under this call.
  void HandleRequest(TimePoint now, const DialogKey& key, const RequestReceived& event);
  void HandleCancel(TimePoint now, ServerTransactionId transaction);
  void HandleResponse(TimePoint now, ClientTransactionId transaction, const Message& response);
  void HandleFailure(TimePoint now, ClientTransactionId transaction, FailureReason reason);
  void HandleAckTimeout(TimePoint now, ServerTransactionId transaction);
  void HandleFlowClosed(TimePoint now, FlowToken flow);
  /// The browser of `contact.token` is reached over `contact.flow` and by `contact.contact_uri` from now on.
  void HandleFlowBound(TimePoint now, const ContactTarget& contact);
  void HandleTimeout(TimePoint now);
  std::optional<TimePoint> NextTimeout() const;
  /// Ends both sides. `reason`: value of a Reason header (RFC 3326) or empty.
  void End(TimePoint now, std::string_view reason);

  /// Whether requests in this dialog may come from there: the browser's connection, or the SIP side.
  bool IsPeer(const DialogKey& key, const Peer& from) const;
  State state() const { return state_; }
  bool done() const;
  CallKey key() const { return key_; }
  CallId media() const { return media_; }
  TimePoint started_at() const { return started_at_; }
  const Message& invite() const { return invite_; }
  const Peer& caller_peer() const { return parties_.front()->dialog.peer; }
  /// INVITEs of the peers that a CANCEL or a missing ACK may still be about.
  std::vector<ServerTransactionId> OpenInvites() const;
  /// The callee's side has taken the call further than a challenge, or it is over.
  bool proven() const { return proven_ || (!IsSetUp() && state_ != State::kChallenged); }

 private:
  using PartyIndex = size_t;
  static constexpr PartyIndex kCaller = 0;

  struct Party {
    Dialog dialog;
    LegId leg;
    std::string token;           ///< registration of the browser, for its next connection
    size_t branch = 0;           ///< callees
    std::string relayed_answer;  ///< the callee's SDP answer to the initial offer, once it was relayed
    /// CSeq of a re-INVITE of this party that got 491. JsSIP (3.13) sends its second attempt under the same
    /// number, and the ACK of that one under a later one.
    std::optional<uint32_t> glared_cseq;
    bool connected = true;       ///< false: its connection closed, not yet back
    bool bye_after_ack = false;  ///< RFC 3261 section 15: no BYE to a caller that has not acknowledged
  };
  struct Branch {
    enum class State : uint8_t { kPending, kCancelled, kAnswered, kFailed };
    State state = State::kPending;
    Peer peer;
    std::string token;
    LegId leg;
    bool leg_open = true;
    Message invite;  ///< as sent, without body
    ClientTransactionId transaction;
    std::vector<PartyIndex> parties;
    std::vector<std::string> ended_tags;  ///< forks that answered and were ended at once
    Message failure;                      ///< kFailed
  };
  /// An in-dialog request passed on, waiting for its final response.
  struct Relay {
    ClientTransactionId client;
    std::optional<ServerTransactionId> server;  ///< nullopt: answered already
    PartyIndex from, to;
    Message request;  ///< as received, without body
    uint32_t cseq_out;
    bool had_offer;
  };
  /// A 2xx to an INVITE passed on to `from`, whose ACK goes to `to`.
  struct AckWait {
    ServerTransactionId server;
    ClientTransactionId client;
    PartyIndex from, to;
    uint32_t cseq_in, cseq_out;
    bool answer_expected;        ///< the 2xx carried an offer
    std::optional<Message> ack;  ///< as sent: repeated for a repeated 2xx
  };
  struct OpenOffer {
    PartyIndex from, to;
    std::optional<ClientTransactionId> carrier;  ///< in-dialog request that carried it
  };
  /// Reliable provisional responses renumbered for the caller (RFC 3262 section 3).
  struct ReliableResponse {
    uint32_t rseq_in, rseq_out;
    PartyIndex party;
  };
  enum class Deadline : uint8_t { kContact, kNoAnswer, kAuthReserve, kGrace, kTeardown, kCount };

  // call.cc
  void TakeInvite(const RequestReceived& invite);
  uint32_t InviteCSeq() const;
  void StartBranch(const Peer& peer, std::string token, std::string_view request_uri);
  Message MakeBranchInvite(const Branch& branch, std::string_view request_uri) const;
  bool SendBranchInvite(size_t index, std::string_view request_uri);
  void CancelBranches();
  void FailCaller(TimePoint now, int status, std::string_view reason, std::vector<HeaderField> headers = {});
  void FailMedia(TimePoint now, const MediaError& error);
  void BeginEnding(TimePoint now);
  void CloseMedia();
  void SendBye(PartyIndex party, std::string_view reason);
  void EndCaller(std::string_view reason);
  void EndCallee(std::string_view reason);
  PartyIndex AddParty(Party party);
  void Choose(PartyIndex callee);
  void Arm(Deadline deadline, TimePoint at) { deadlines_[size_t(deadline)] = at; }
  void Disarm(Deadline deadline) { deadlines_[size_t(deadline)].reset(); }
  Party& caller() { return *parties_.front(); }
  bool IsSetUp() const { return state_ == State::kRouting || state_ == State::kRinging; }

  // call_responses.cc
  void HandleBranchResponse(TimePoint now, size_t index, const Message& response);
  void HandleProvisional(TimePoint now, size_t index, const Message& response);
  void HandleAnswer(TimePoint now, size_t index, const Message& response);
  void EndUnwanted(Branch& branch, const Message& response, std::string_view reason);
  void HandleRejection(TimePoint now, size_t index, const Message& response);
  void HandleChallenge(TimePoint now, const Message& response);
  void FailWithBest(TimePoint now);
  void DropLosers(size_t winner_branch);
  void CloseBranchLeg(Branch& branch);
  std::optional<PartyIndex> FindOrAddCallee(size_t index, const Message& response);
  Message CallerResponse(const Message& response) const;
  void NumberReliable(const Message& response, PartyIndex callee, Message& out);
  Credentials CredentialsBetween(const Peer& a, const Peer& b) const;

  // call_in_dialog.cc
  void HandleAck(TimePoint now, PartyIndex from, const Message& ack);
  void HandleBye(TimePoint now, PartyIndex from, const RequestReceived& event);
  void RefuseWithGlare(PartyIndex from, const RequestReceived& event);
  bool RefuseGlare(PartyIndex from, const RequestReceived& event);
  void AnswerOurselves(const RequestReceived& event);
  void RelayRequest(PartyIndex from, PartyIndex to, const RequestReceived& event);
  void HandleRelayResponse(TimePoint now, size_t index, const Message& response);
  void FinishRelay(TimePoint now, const Relay& relay, const Message& response, Message out);
  void AnswerPendingRelays();
  bool TranslateRack(const Message& request, PartyIndex& to, Message& out);
  void Refuse(const RequestReceived& event, int status, std::string_view reason,
              std::vector<HeaderField> headers = {});
  Message AckFor(const AckWait& wait) const;

  // call_media.cc
  enum class BodyVerdict : uint8_t { kPassed, kGlare, kOwnOfferOpen, kMediaError };
  BodyVerdict PassRequestBody(PartyIndex from, PartyIndex to, const Message& in, Message& out,
                              MediaError& error);
  MediaResult<void> PassResponseBody(const Relay& relay, const Message& in, Message& out);
  MediaResult<void> PassInviteBody(PartyIndex callee, const Message& in, Message& out);
  MediaResult<void> PassInviteAnswer(PartyIndex callee, const Message& in, Message& out);
  MediaResult<void> PassAckBody(const AckWait& wait, const Message& in, Message& out);
  void RollbackOffer();

  SignallingContext& context_;
  const CallKey key_;
  const TimePoint started_at_;
  State state_ = State::kRouting;
  CallId media_;
  bool media_open_ = false;

  Message invite_;  ///< the caller's, of the latest attempt
  ServerTransactionId invite_transaction_;
  bool invite_answered_ = false;  ///< a final response was sent
  bool proven_ = false;           ///< a 18x or 2xx came
  std::vector<std::unique_ptr<Party>> parties_;
  std::vector<Branch> branches_;
  PartyIndex chosen_ = kCaller;  ///< kCaller: nobody yet
  std::optional<LocalService> service_;
  std::optional<RouteWhenConnected> awaited_contact_;

  std::string contact_user_;  ///< user of our Contact towards the SIP Server

  PartyIndex answering_party_ = kCaller;      ///< whose answer media follows now; kCaller: none yet
  bool delayed_offer_answered_ = false;       ///< in a PRACK, before the 2xx
  std::optional<std::string> caller_answer_;  ///< the one SDP answer the caller got or will get
  std::optional<OpenOffer> open_offer_;
  std::vector<ReliableResponse> reliable_;
  uint32_t last_rseq_out_ = 0;
  std::vector<Relay> relays_;
  std::vector<AckWait> ack_waits_;
  std::vector<ClientTransactionId> own_byes_;
  bool bye_challenged_ = false;
  std::array<std::optional<TimePoint>, size_t(Deadline::kCount)> deadlines_;
};

std::string_view ToString(Call::State state);
/// Max-Forwards of the request that follows `request` (RFC 3261 section 16.6 step 3); 70 when it has none.
std::string NextMaxForwards(const Message& request);

}  // namespace linegate::sip
