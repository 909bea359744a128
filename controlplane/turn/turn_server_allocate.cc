// Allocate: RFC 8656 section 7.2, RFC 6062 section 5.1, RFC 8016 section 3.1.
#include <algorithm>

#include "controlplane/turn/turn_server.h"

namespace linegate::turn {
namespace {

using wire::StunAttribute;

constexpr uint8_t kProtocolTcp = 6;
constexpr uint8_t kProtocolUdp = 17;
constexpr uint8_t kReserveNextBit = 0x80;  // RFC 8656 section 18.7

IpFamily FamilyAt(size_t family) { return family == 0 ? IpFamily::kIpv4 : IpFamily::kIpv6; }

}  // namespace

std::optional<size_t> TurnServer::RelayRealmOf(const TurnClient& client) const {
  if (client.realm >= config_.relay_realm_of.size() || config_.relay_realm_of[client.realm] < 0)
    return std::nullopt;
  return size_t(config_.relay_realm_of[client.realm]);
}

/// A UDP client is served by the worker that receives it; for a connection the one with most ports free.
uint16_t TurnServer::WorkerFor(const TurnClient& client, const RelayRealm& realm) const {
  if (client.transport == ClientTransport::kUdp) return client.worker;
  uint16_t best = 0;
  for (uint16_t worker = 1; worker < realm.shares.size(); ++worker) {
    if (udp_ports_.in_use(worker) < udp_ports_.in_use(best)) best = worker;
  }
  return best;
}

/// The families asked for; 0 or the error code.
uint16_t TurnServer::ReadFamilies(const Request& request, AllocateWish& wish) const {
  const auto requested = request.message.Find(StunAttribute::kRequestedAddressFamily);
  const auto additional = request.message.Find(StunAttribute::kAdditionalAddressFamily);
  if (requested && additional) return 400;
  if (additional) {
    if ((*additional)[0] != wire::kStunFamilyIpv6 || wish.reserve_next) return 400;
    wish.families = {true, true};
    wish.additional = true;
    return 0;
  }
  const uint8_t family = requested ? (*requested)[0] : wire::kStunFamilyIpv4;
  if (family != wire::kStunFamilyIpv4 && family != wire::kStunFamilyIpv6) return 440;
  wish.families[family == wire::kStunFamilyIpv6 ? 1 : 0] = true;
  return 0;
}

/// Contradictions within the request; 0 or the error code.
uint16_t TurnServer::ReadWish(const Request& request, AllocateWish& wish) const {
  const auto transport = request.message.Find(StunAttribute::kRequestedTransport);
  if (!transport) return 400;
  const uint8_t protocol = (*transport)[0];
  wish.tcp = protocol == kProtocolTcp;
  if (protocol != kProtocolUdp && !(wish.tcp && config_.tcp_relay)) return 442;
  const auto even_port = request.message.Find(StunAttribute::kEvenPort);
  const bool claims = request.Has(StunAttribute::kReservationToken);
  if (wish.tcp &&
      (!IsStream(request.requester.client.transport) || even_port || claims ||
       request.Has(StunAttribute::kDontFragment) || request.Has(StunAttribute::kAdditionalAddressFamily))) {
    return 400;
  }
  if (claims && (even_port || request.Has(StunAttribute::kRequestedAddressFamily) ||
                 request.Has(StunAttribute::kAdditionalAddressFamily))) {
    return 400;
  }
  wish.even = even_port.has_value();
  wish.reserve_next = even_port && ((*even_port)[0] & kReserveNextBit) != 0;
  if (const auto ticket = request.message.Find(StunAttribute::kMobilityTicket)) {
    if (!config_.mobility) return 405;
    if (!ticket->empty()) return 400;
    wish.mobile = true;
  }
  return ReadFamilies(request, wish);
}

uint16_t TurnServer::CheckCapacity(const Request& request) const {
  const size_t own = allocations_.OfAccount(request.credential.account).size();
  if (config_.quota_per_user != 0 && own >= config_.quota_per_user) return 486;
  if (config_.max_allocations != 0 && allocations_.live_count() >= config_.max_allocations) return 508;
  return 0;
}

/// The reserved port that the request shows a token for; 0 or the error code.
uint16_t TurnServer::ClaimPort(const Request& request, ByteView value, Allocation& allocation) {
  PortReservations::Token token;
  std::copy(value.begin(), value.end(), token.begin());
  const auto claimed = reservations_.Claim(token, request.credential.account);
  if (!claimed) return 508;
  if (claimed->place.realm != allocation.relay_realm) {  // claimed at another listener: it serves nobody
    udp_ports_.Release(claimed->place, claimed->port);
    return 508;
  }
  allocation.worker = claimed->place.worker;
  allocation.ports[claimed->place.family == IpFamily::kIpv6 ? 1 : 0] = claimed->port;
  return 0;
}

/// Fills the allocation's ports, all that the wish can have, from the worker it was to have or, when that one
/// has none left, from another (a worker finds the owner of a client that is not its own); 0 or the error code,
/// and then nothing is held.
uint16_t TurnServer::TakePorts(const AllocateWish& wish, Allocation& allocation) {
  const RelayRealm& realm = RealmOf(allocation);
  Pool& pool = PoolOf(allocation);
  const uint16_t preferred = allocation.worker;
  bool offered = false;
  for (uint16_t turn = 0; turn < realm.shares.size(); ++turn) {
    const auto worker = uint16_t((preferred + turn) % realm.shares.size());
    for (size_t family = 0; family < 2; ++family) {
      if (!wish.families[family] || realm.bound[family].family() == IpFamily::kNone) continue;
      offered = true;
      const Pool::Place place{allocation.relay_realm, worker, FamilyAt(family)};
      const auto port = wish.reserve_next
                            ? pool.AcquirePair(place)
                            : pool.Acquire(place, wish.even ? Pool::Parity::kEven : Pool::Parity::kAny);
      if (port) allocation.ports[family] = *port;
    }
    allocation.worker = worker;
    if (allocation.ports[0] != 0 || allocation.ports[1] != 0) return 0;
  }
  return offered || realm.shares.empty() ? 508 : 440;
}

std::vector<uint8_t> TurnServer::AllocateAnswer(const Request& request, const AllocateWish& wish,
                                                const Allocation& allocation,
                                                const std::optional<PortReservations::Token>& token) {
  const RelayRealm& realm = RealmOf(allocation);
  Answer answer(request.requester, wire::StunClass::kSuccess);
  wire::StunMessageWriter& writer = answer.writer();
  for (size_t family = 0; family < 2; ++family) {
    if (allocation.ports[family] == 0) continue;
    writer.AddXorAddress(StunAttribute::kXorRelayedAddress,
                         {realm.advertised[family], allocation.ports[family]});
  }
  const auto lifetime = allocation.expires_last() - request.time.now;
  writer.AddU32(StunAttribute::kLifetime,
                uint32_t(std::chrono::duration_cast<std::chrono::seconds>(lifetime).count()));
  writer.AddXorAddress(StunAttribute::kXorMappedAddress, request.requester.client.remote);
  if (token) writer.AddBytes(StunAttribute::kReservationToken, *token);
  if (allocation.ticket) writer.AddBytes(StunAttribute::kMobilityTicket, *allocation.ticket);
  for (size_t family = 0; wish.additional && family < 2; ++family) {
    if (allocation.ports[family] != 0) continue;
    const bool unsupported = realm.bound[family].family() == IpFamily::kNone;
    writer.AddAddressErrorCode(FamilyAt(family), unsupported ? 440 : 508,
                               unsupported ? "Address Family not Supported" : "Insufficient Capacity");
  }
  return answer.Finish(crypto_);
}

void TurnServer::HandleAllocate(Request& request) {
  if (const Allocation* held = request.allocation) {
    const bool repeated = std::ranges::equal(held->allocate_transaction, request.requester.transaction);
    if (!repeated) return Refuse(request, 437);
    ++counters_.allocate_retransmissions;
    if (held->state == Allocation::State::kLive) Send(request.requester.client, held->allocate_answer);
    return;
  }
  AllocateWish wish;
  if (const uint16_t code = ReadWish(request, wish); code != 0) return Refuse(request, code);
  const auto relay_realm = RelayRealmOf(request.requester.client);
  if (!relay_realm) return Refuse(request, 403);
  if (const uint16_t code = CheckCapacity(request); code != 0) return Refuse(request, code);
  if (wish.reserve_next && !reservations_.HasRoom(request.credential.account,
                                                  allocations_.OfAccount(request.credential.account).size()))
    return Refuse(request, 508);

  auto made = std::make_unique<Allocation>();
  made->tcp = wish.tcp;
  made->relay_realm = *relay_realm;
  made->worker = WorkerFor(request.requester.client, config_.relay_realms[*relay_realm]);
  const auto token_shown = request.message.Find(StunAttribute::kReservationToken);
  const uint16_t code = token_shown ? ClaimPort(request, *token_shown, *made) : TakePorts(wish, *made);
  if (code != 0) return Refuse(request, code);
  made->id = AllocationId(++next_allocation_);
  made->client = request.requester.client;
  made->credential = request.credential;
  made->expires_at.fill(request.time.now + LifetimeFor(request));
  made->allocate_transaction = request.requester.transaction;
  made->starting = request.requester;
  Allocation& allocation = allocations_.Add(std::move(made));

  std::optional<PortReservations::Token> token;
  if (wish.reserve_next) {
    const size_t family = allocation.ports[0] != 0 ? 0 : 1;
    const Pool::Place place{allocation.relay_realm, allocation.worker, FamilyAt(family)};
    token = reservations_.Add(request.time.now, rng_,
                              {place, uint16_t(allocation.ports[family] + 1), request.credential.account});
    ++counters_.reservations_made;
  }
  if (wish.mobile) NewTicket(allocation);
  allocation.allocate_answer = AllocateAnswer(request, wish, allocation, token);
  if (allocation.tcp) {
    const size_t family = allocation.ports[0] != 0 ? 0 : 1;
    const Endpoint local{RealmOf(allocation).bound[family], allocation.ports[family]};
    allocation.last_change = ++next_change_;
    tcp_relays_[local] = allocation.id;
    outputs_.push_back(OpenTcpRelay{allocation.id, local, allocation.client.connection});
  } else {
    Program(allocation);
  }
  AnswerWhenSettled(request.time.now, allocation, allocation.client, allocation.allocate_answer);
  Rebalance(allocation.credential.account);
}

}  // namespace linegate::turn
