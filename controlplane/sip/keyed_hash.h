#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "dataplane/base/byte_view.h"

namespace linegate::sip {

/// The hash functions signalling needs, passed in so that this module stays free of OpenSSL headers.
class HashFunctions {
 public:
  using Sha256Digest = std::array<uint8_t, 32>;
  virtual ~HashFunctions() = default;
  /// 32 lower-case hex digits: digest authentication only (RFC 7616 section 3.4.1; browsers' JsSIP speaks MD5
  /// alone).
  virtual std::string Md5Hex(std::string_view text) const = 0;
  virtual Sha256Digest HmacSha256(ByteView key, std::string_view text) const = 0;
};

}  // namespace linegate::sip
