#include "controlplane/ice/credentials.h"

namespace linegate::ice {

Credentials MakeCredentials(std::string ufrag, Rng& rng) {
  return {std::move(ufrag), rng.IceChars(kPwdLength)};
}

}  // namespace linegate::ice
