#pragma once
#include <array>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "controlplane/turn/relay_port_pool.h"
#include "dataplane/base/rng.h"
#include "dataplane/base/time.h"

namespace linegate::turn {

/// Ports that EVEN-PORT with its R bit set aside (RFC 8656 section 7.2): the next higher one of an allocation,
/// for whoever of the same account shows the token within kLifetime. An account has at most kSpare more
/// of them than allocations. A reservation ends in exactly one of three ways: claimed, lapsed, or never made.
class PortReservations {
 public:
  static constexpr Duration kLifetime = std::chrono::seconds(30);
  static constexpr size_t kSpare = 8;
  using Token = std::array<uint8_t, 8>;

  struct Reservation {
    RelayPortPool::Place place;
    uint16_t port = 0;
    std::string account;
  };
  bool HasRoom(const std::string& account, size_t allocations) const;
  Token Add(TimePoint now, Rng& rng, Reservation reservation);
  /// Takes it out; nullopt: unknown, lapsed, or another account's.
  std::optional<Reservation> Claim(const Token& token, const std::string& account);
  /// One reservation whose time is over.
  std::optional<Reservation> PopLapsed(TimePoint now);
  std::optional<TimePoint> NextTimeout() const;
  size_t size() const { return by_token_.size(); }

 private:
  std::optional<Reservation> Take(std::map<Token, Reservation>::iterator found);
  std::map<Token, Reservation> by_token_;
  std::map<std::string, size_t> per_account_;
  std::deque<std::pair<TimePoint, Token>> lapses_;  ///< in order: all live equally long
};

}  // namespace linegate::turn
