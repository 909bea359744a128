#pragma once
#include <array>
#include <chrono>
#include <string>
#include <string_view>

#include "controlplane/turn/turn_client.h"
#include "controlplane/turn/turn_crypto.h"
#include "dataplane/base/rng.h"
#include "dataplane/base/time.h"

namespace linegate::turn {

/// Bits of the STUN security feature set (RFC 8489 section 18.1; bit 0 is the leftmost of 24).
inline constexpr uint32_t kFeaturePasswordAlgorithms = 1u << 23;
inline constexpr uint32_t kFeatureUsernameAnonymity = 1u << 22;

/// Nonces without memory. Theory of operation: a nonce is the cookie "obMatJos2" with the feature set (RFC
/// 8489 section 9.2), the second at which it was made, and 8 bytes of an HMAC over both and the address it was
/// given to, under a key of this life of the process. It is good for that address until its lifetime is over;
/// a flood of requests without credentials therefore costs no memory. The address is the IP alone, because a
/// client uses one nonce on several connections (RFC 6062 section 4.3).
class NonceMaker {
 public:
  NonceMaker(TurnCrypto& crypto, Rng& rng, std::chrono::seconds lifetime, uint32_t features);

  std::string Make(TimePoint now, const TurnClient& client) const;
  [[nodiscard]] bool IsFresh(TimePoint now, const TurnClient& client, std::string_view nonce) const;

 private:
  std::string MakeAt(uint32_t second, const TurnClient& client) const;
  TurnCrypto& crypto_;
  std::array<uint8_t, 32> key_ = {};
  std::chrono::seconds lifetime_;
  std::string prefix_;  ///< cookie and features
};

}  // namespace linegate::turn
