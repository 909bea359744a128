// Refresh: RFC 8656 section 8.2, and the move of an allocation to another 5-tuple (RFC 8016 section 3.2).
#include <algorithm>

#include "controlplane/turn/turn_server.h"

namespace linegate::turn {

using wire::StunAttribute;

/// RFC 8656 section 7.2: what was asked for, not below the default and not above the maximum; a token's own
/// end is a maximum, too (RFC 7635 section 4.1). 0 stays 0.
std::chrono::seconds TurnServer::LifetimeFor(const Request& request) const {
  const auto asked = request.message.FindU32(StunAttribute::kLifetime);
  const bool deletes = request.message.method() == wire::StunMethod::kRefresh && asked == 0u;
  if (deletes) return std::chrono::seconds(0);
  auto lifetime = asked ? std::chrono::seconds(*asked) : config_.default_lifetime;
  lifetime = std::max(config_.default_lifetime, std::min(lifetime, config_.max_lifetime));
  if (request.credential.valid_until_unix_s) {
    const std::chrono::seconds left(*request.credential.valid_until_unix_s - request.time.unix_s);
    lifetime = std::max(std::chrono::seconds(1), std::min(lifetime, left));
  }
  return lifetime;
}

MobilityTicket TurnServer::NewTicket(Allocation& allocation) {
  MobilityTicket ticket;
  do {
    rng_.Fill(ticket);
  } while (allocations_.FindTicket(ticket) != nullptr);
  allocations_.SetTicket(allocation, ticket);
  return ticket;
}

bool TurnServer::IsOurRelayAddress(const IpAddress& address) const {
  return std::any_of(config_.relay_realms.begin(), config_.relay_realms.end(), [&](const RelayRealm& realm) {
    return std::ranges::count(realm.bound, address) != 0 ||
           std::ranges::count(realm.advertised, address) != 0;
  });
}

/// A Refresh from a 5-tuple without allocation that shows a ticket. True: request.allocation has moved here.
bool TurnServer::MoveTo(Request& request) {
  const auto value = request.message.Find(StunAttribute::kMobilityTicket);
  const TurnClient& client = request.requester.client;
  if (!value) return Refuse(request, 437), false;
  if (!config_.mobility) return Refuse(request, 405), false;
  MobilityTicket ticket;
  if (value->size() != ticket.size()) return Refuse(request, 400), false;
  std::copy(value->begin(), value->end(), ticket.begin());
  Allocation* allocation = allocations_.FindTicket(ticket);
  if (allocation == nullptr || allocation->state != Allocation::State::kLive)
    return Refuse(request, 400), false;
  if (allocation->credential.account != request.credential.account) return Refuse(request, 441), false;
  // Two allocations, each the client of the other, would pass a packet round for ever.
  if (IsOurRelayAddress(client.remote.address)) return Refuse(request, 403), false;
  if (allocation->tcp) return Refuse(request, 405), false;
  ++counters_.mobility_moves;
  allocations_.Move(*allocation, client);
  request.allocation = allocation;
  Program(*allocation);
  return true;
}

void TurnServer::HandleRefresh(Request& request) {
  if (request.allocation == nullptr && !MoveTo(request)) return;
  Allocation& allocation = *request.allocation;
  std::array<bool, 2> families = {true, true};
  if (const auto family = request.message.Find(StunAttribute::kRequestedAddressFamily)) {
    families = {(*family)[0] == wire::kStunFamilyIpv4, (*family)[0] == wire::kStunFamilyIpv6};
  }
  for (size_t i = 0; i < 2; ++i) families[i] = families[i] && allocation.ports[i] != 0;
  if (!families[0] && !families[1]) return Refuse(request, 443);
  if (request.Has(StunAttribute::kMobilityTicket) && !allocation.ticket) return Refuse(request, 405);

  const std::chrono::seconds lifetime = LifetimeFor(request);
  const TimePoint now = request.time.now;
  const bool ends_whole = lifetime.count() == 0 && (families[0] || allocation.ports[0] == 0) &&
                          (families[1] || allocation.ports[1] == 0);
  // A worker told that the client moved or sends from behind another router keeps its way back right.
  if (allocation.client.reply_hop != request.requester.client.reply_hop) {
    allocation.client.reply_hop = request.requester.client.reply_hop;
    if (!ends_whole) Program(allocation);
  }
  if (allocation.credential.name != request.credential.name || request.credential.token) {
    const std::string account = allocation.credential.account;  // whose quota it is does not change
    allocation.credential = request.credential;
    allocation.credential.account = account;
  }
  Answer answer(request.requester, wire::StunClass::kSuccess);
  answer.writer().AddU32(StunAttribute::kLifetime, uint32_t(lifetime.count()));
  if (ends_whole) {
    ++counters_.allocations_deleted;
    // Over TCP nothing is left to confirm, and the allocation is gone after End.
    const TurnClient client = request.requester.client;
    const AllocationId id = allocation.id;
    auto message = answer.Finish(crypto_);
    End(now, allocation);
    if (Allocation* ending = allocations_.Find(id)) {
      ending->pending.push_back({0, client, std::move(message), {}});
    } else {
      Send(client, std::move(message));
    }
    return;
  }
  ++counters_.refreshes;
  for (size_t i = 0; i < 2; ++i) {
    if (!families[i]) continue;
    allocation.expires_at[i] = now + lifetime;
    if (lifetime.count() == 0) EndFamily(allocation, i);
  }
  if (request.Has(StunAttribute::kMobilityTicket)) {
    answer.writer().AddBytes(StunAttribute::kMobilityTicket, NewTicket(allocation));
  }
  AnswerWhenSettled(now, allocation, request.requester.client, answer.Finish(crypto_));
  Schedule(allocation);
}

}  // namespace linegate::turn
