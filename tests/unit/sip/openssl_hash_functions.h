#pragma once
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <string>

#include "controlplane/sip/keyed_hash.h"

namespace linegate::sip {

class OpensslHashFunctions final : public HashFunctions {
 public:
  std::string Md5Hex(std::string_view text) const override {
    unsigned char digest[16];
    unsigned length = sizeof digest;
    EVP_Digest(text.data(), text.size(), digest, &length, EVP_md5(), nullptr);
    std::string hex;
    for (const unsigned char byte : digest) {
      hex += "0123456789abcdef"[byte >> 4];
      hex += "0123456789abcdef"[byte & 15];
    }
    return hex;
  }
  Sha256Digest HmacSha256(ByteView key, std::string_view text) const override {
    Sha256Digest digest;
    unsigned length = unsigned(digest.size());
    HMAC(EVP_sha256(), key.data(), int(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
         text.size(), digest.data(), &length);
    return digest;
  }
};

}  // namespace linegate::sip
