#include "controlplane/turn/port_reservations.h"

namespace linegate::turn {

bool PortReservations::HasRoom(const std::string& account, size_t allocations) const {
  const auto found = per_account_.find(account);
  return found == per_account_.end() || found->second < allocations + kSpare;
}

PortReservations::Token PortReservations::Add(TimePoint now, Rng& rng, Reservation reservation) {
  Token token;
  do {
    rng.Fill(token);
  } while (by_token_.contains(token));
  ++per_account_[reservation.account];
  by_token_.emplace(token, std::move(reservation));
  lapses_.push_back({now + kLifetime, token});
  return token;
}

std::optional<PortReservations::Reservation> PortReservations::Take(
    std::map<Token, Reservation>::iterator found) {
  Reservation reservation = std::move(found->second);
  by_token_.erase(found);
  const auto count = per_account_.find(reservation.account);
  if (--count->second == 0) per_account_.erase(count);
  return reservation;
}

std::optional<PortReservations::Reservation> PortReservations::Claim(const Token& token,
                                                                     const std::string& account) {
  const auto found = by_token_.find(token);
  if (found == by_token_.end() || found->second.account != account) return std::nullopt;
  return Take(found);  // its entry in lapses_ finds nothing later
}

std::optional<PortReservations::Reservation> PortReservations::PopLapsed(TimePoint now) {
  while (!lapses_.empty() && lapses_.front().first <= now) {
    const Token token = lapses_.front().second;
    lapses_.pop_front();
    if (const auto found = by_token_.find(token); found != by_token_.end()) return Take(found);
  }
  return std::nullopt;
}

std::optional<TimePoint> PortReservations::NextTimeout() const {
  if (lapses_.empty()) return std::nullopt;
  return lapses_.front().first;
}

}  // namespace linegate::turn
