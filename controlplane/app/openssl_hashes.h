#pragma once
#include "controlplane/sip/keyed_hash.h"

namespace linegate::app {

/// The hash functions signalling is given, on OpenSSL.
class OpenSslHashes final : public sip::HashFunctions {
 public:
  std::string Md5Hex(std::string_view text) const override;
  Sha256Digest HmacSha256(ByteView key, std::string_view text) const override;
};

}  // namespace linegate::app
