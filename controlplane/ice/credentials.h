#pragma once
#include <string>

#include "dataplane/base/rng.h"

namespace linegate::ice {

/// 24 random ice-chars, 144 bits (RFC 8839 section 5.4 asks for at least 22 characters and 128 bits).
inline constexpr size_t kPwdLength = 24;

/// Our side of one ICE session. The ufrag names the leg's flow slot (dataplane/base/ice_ufrag.h, design D5).
struct Credentials {
  std::string ufrag;
  std::string pwd;
  friend bool operator==(const Credentials&, const Credentials&) = default;
};

Credentials MakeCredentials(std::string ufrag, Rng& rng);

}  // namespace linegate::ice
