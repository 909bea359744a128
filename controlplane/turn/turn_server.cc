#include "controlplane/turn/turn_server.h"

#include <algorithm>
#include <string_view>

#include "dataplane/base/check.h"

namespace linegate::turn {
namespace {

using wire::StunAttribute;
using wire::StunClass;
using wire::StunMethod;

std::string_view ReasonOf(uint16_t code) {
  switch (code) {
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 405:
      return "Mobility Forbidden";
    case 420:
      return "Unknown Attribute";
    case 437:
      return "Allocation Mismatch";
    case 440:
      return "Address Family not Supported";
    case 441:
      return "Wrong Credentials";
    case 442:
      return "Unsupported Transport Protocol";
    case 443:
      return "Peer Address Family Mismatch";
    case 446:
      return "Connection Already Exists";
    case 447:
      return "Connection Timeout or Failure";
    case 486:
      return "Allocation Quota Reached";
    case 508:
      return "Insufficient Capacity";
    default:
      return {};
  }
}

uint64_t& CounterOf(TurnCounters& counters, uint16_t code) {
  switch (code) {
    case 403:
      return counters.forbidden_peers;
    case 405:
      return counters.forbidden_mobility;
    case 420:
      return counters.unknown_attributes;
    case 437:
      return counters.allocation_mismatches;
    case 438:
      return counters.stale_nonces;
    case 440:
      return counters.unsupported_families;
    case 441:
      return counters.wrong_credentials;
    case 442:
      return counters.unsupported_transports;
    case 443:
      return counters.peer_family_mismatches;
    case 446:
    case 447:
      return counters.tcp_connection_failures;
    case 486:
      return counters.quota_reached;
    case 508:
      return counters.capacity_reached;
    default:
      return counters.bad_requests;
  }
}

bool IsTurnMethod(StunMethod method) {
  switch (method) {
    case StunMethod::kAllocate:
    case StunMethod::kRefresh:
    case StunMethod::kCreatePermission:
    case StunMethod::kChannelBind:
    case StunMethod::kConnect:
    case StunMethod::kConnectionBind:
      return true;
    default:
      return false;
  }
}

}  // namespace

TurnServer::TurnServer(TurnConfig config, TurnCrypto& crypto, Rng& rng)
    : config_(std::move(config)),
      crypto_(crypto),
      rng_(rng),
      authenticator_(config_, crypto, rng),
      policy_(config_),
      udp_ports_(config_.relay_realms, rng),
      tcp_ports_(config_.relay_realms, rng) {}

void TurnServer::Send(const TurnClient& client, std::vector<uint8_t> message) {
  outputs_.push_back(SendToClient{client, std::move(message)});
}

std::optional<Output> TurnServer::PollOutput() {
  if (outputs_.empty()) return std::nullopt;
  Output output = std::move(outputs_.front());
  outputs_.pop_front();
  return output;
}

/// An error answer; its reason is spelled out to clients we know only: text for strangers amplifies.
void TurnServer::RefuseRequester(const Requester& requester, uint16_t code) {
  ++CounterOf(counters_, code);
  Answer answer(requester, StunClass::kError);
  answer.writer().AddErrorCode(code,
                               requester.integrity == Integrity::kNone ? std::string_view() : ReasonOf(code));
  Send(requester.client, answer.Finish(crypto_));
}

void TurnServer::Refuse(const Request& request, uint16_t code) { RefuseRequester(request.requester, code); }

void TurnServer::Challenge(const Request& request, uint16_t code) {
  Answer answer(request.requester, StunClass::kError);
  answer.writer().AddErrorCode(code, {});
  authenticator_.AddChallenge(request.time.now, request.requester.client, answer.writer());
  Send(request.requester.client, answer.Finish(crypto_));
}

/// Whose credential a request may go on with although its name has run out, or its token is not shown again: that of its
/// 5-tuple's allocation, or of the one whose peer it binds (RFC 6062 section 5.4). nullptr: nobody's.
const Credential* TurnServer::KnownCredential(const Request& request) const {
  if (request.allocation != nullptr) return &request.allocation->credential;
  if (request.message.method() != StunMethod::kConnectionBind) return nullptr;
  const auto id = request.message.FindU32(StunAttribute::kConnectionId);
  const TcpConnection* connection = id ? tcp_connections_.Find(TcpConnectionId(*id)) : nullptr;
  return connection != nullptr ? &allocations_.Find(connection->allocation)->credential : nullptr;
}

bool TurnServer::Authenticate(Request& request) {
  const Credential* known = KnownCredential(request);
  auto result = authenticator_.Check(request.time, request.requester.client, request.message, known);
  switch (result.verdict) {
    case Authenticator::Verdict::kProved:
      request.requester.integrity = result.integrity;
      request.requester.key = result.credential.key;
      request.credential = std::move(result.credential);
      return true;
    case Authenticator::Verdict::kChallenge:
      ++counters_.challenges_sent;
      Challenge(request, 401);
      return false;
    case Authenticator::Verdict::kOtherRealm:
      ++counters_.auth_failures;
      Challenge(request, 401);
      return false;
    case Authenticator::Verdict::kWrong:
      ++counters_.auth_failures;
      Challenge(request, 401);
      // Each guess costs a connection (of UDP the workers limit the rate).
      if (HasConnection(request.requester.client.transport) && request.allocation == nullptr)
        outputs_.push_back(CloseClient{request.requester.client.connection});
      return false;
    case Authenticator::Verdict::kStale:
      ++counters_.stale_nonces;
      Challenge(request, 438);
      return false;
    case Authenticator::Verdict::kBadRequest:
      Refuse(request, 400);
      return false;
  }
  return false;
}

void TurnServer::HandleMessage(const TurnTime& time, const TurnClient& client, ByteView bytes) {
  const auto message = wire::StunMessageView::Parse(bytes);
  if (!message) {
    ++counters_.malformed;
    return;
  }
  const bool binding = message->method() == StunMethod::kBinding;
  if (message->message_class() != StunClass::kRequest || (!binding && !IsTurnMethod(message->method()))) {
    ++counters_.unsolicited;
    return;
  }
  ++counters_.requests;
  Request request{time, *message, Requester(client, *message), {}, allocations_.FindClient(client)};
  // Its worker has not let go of this 5-tuple yet: silence makes the client ask again in a moment.
  if (request.allocation != nullptr && request.allocation->state == Allocation::State::kEnding) {
    if (!binding) return;
    request.allocation = nullptr;
  }
  if ((!binding || message->has_integrity() || message->has_integrity_sha256()) && !Authenticate(request))
    return;
  const auto unknown = message->UnknownRequired(
      request.requester.integrity == Integrity::kNone ? wire::StunUsage::kBase : wire::StunUsage::kTurn);
  if (unknown.count != 0) {
    ++counters_.unknown_attributes;
    Answer answer(request.requester, StunClass::kError);
    answer.writer().AddErrorCode(
        420, request.requester.integrity == Integrity::kNone ? std::string_view() : ReasonOf(420));
    answer.writer().AddUnknownAttributes(unknown);
    return Send(client, answer.Finish(crypto_));
  }
  if (binding) return AnswerBinding(request);
  Dispatch(request);
}

void TurnServer::AnswerBinding(const Request& request) {
  ++counters_.bindings_answered;
  Answer answer(request.requester, StunClass::kSuccess);
  answer.writer().AddXorAddress(StunAttribute::kXorMappedAddress, request.requester.client.remote);
  Send(request.requester.client, answer.Finish(crypto_));
}

void TurnServer::Dispatch(Request& request) {
  const StunMethod method = request.message.method();
  if (method == StunMethod::kAllocate) return HandleAllocate(request);
  Allocation* allocation = request.allocation;
  if (allocation != nullptr) {
    if (allocation->state == Allocation::State::kStarting) return;  // nobody told the client that it exists
    // The same name, or the same user with a renewed time-limited name. A token names nobody: any good one serves, also
    // one of another key (RFC 7635 section 3).
    const Credential &held = allocation->credential, &shown = request.credential;
    if (held.name != shown.name && held.account != shown.account && !(held.token && shown.token))
      return Refuse(request, 441);
  }
  if (method == StunMethod::kRefresh) return HandleRefresh(request);
  if (method == StunMethod::kConnectionBind) return HandleConnectionBind(request);
  if (allocation == nullptr) return Refuse(request, 437);
  if (method == StunMethod::kCreatePermission) return HandleCreatePermission(request);
  if (method == StunMethod::kChannelBind) return HandleChannelBind(request);
  return HandleConnect(request);
}

std::optional<AllocationId> TurnServer::FindAllocation(const TurnClient& client) const {
  const Allocation* allocation = allocations_.FindClient(client);
  if (allocation == nullptr || allocation->state != Allocation::State::kLive) return std::nullopt;
  return allocation->id;
}

void TurnServer::ForEachAllocation(const std::function<void(const AllocationView&)>& visit) const {
  allocations_.ForEach([&](const Allocation& allocation) {
    if (allocation.state != Allocation::State::kLive) return;
    AllocationView view;
    view.id = allocation.id;
    view.user = allocation.credential.name;
    view.client = &allocation.client;
    for (size_t family = 0; family < 2; ++family) {
      if (allocation.ports[family] == 0) continue;
      view.relayed[family] = {RealmOf(allocation).bound[family], allocation.ports[family]};
    }
    view.tcp = allocation.tcp;
    view.permissions = uint32_t(allocation.peers.permission_count());
    view.channels = uint32_t(allocation.peers.channel_count());
    view.expires_at = allocation.expires_last();
    visit(view);
  });
}

void TurnServer::ForEachPeer(AllocationId id, const std::function<void(const PeerView&)>& visit) const {
  const Allocation* allocation = allocations_.Find(id);
  if (allocation == nullptr || allocation->state != Allocation::State::kLive) return;
  allocation->peers.ForEach([&](const Endpoint& peer, uint16_t channel, TimePoint expires_at) {
    visit({channel == 0 ? PeerView::Kind::kPermission : PeerView::Kind::kChannel,
           peer,
           channel,
           {},
           expires_at});
  });
  for (const TcpConnectionId connection_id : tcp_connections_.OfAllocation(id)) {
    const TcpConnection& connection = *tcp_connections_.Find(connection_id);
    const PeerView::Kind kind =
        connection.state == TcpConnection::State::kConnecting ? PeerView::Kind::kConnecting
        : connection.state == TcpConnection::State::kUnbound  ? PeerView::Kind::kUnbound
                                                              : PeerView::Kind::kBound;
    visit({kind, connection.peer, 0, connection_id, std::nullopt});
  }
}

}  // namespace linegate::turn
