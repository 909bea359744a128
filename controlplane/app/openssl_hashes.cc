#include "controlplane/app/openssl_hashes.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "dataplane/base/check.h"

namespace linegate::app {

std::string OpenSslHashes::Md5Hex(std::string_view text) const {
  static constexpr char kDigits[] = "0123456789abcdef";
  uint8_t digest[EVP_MAX_MD_SIZE];
  unsigned bytes = 0;
  LG_FATAL(EVP_Digest(text.data(), text.size(), digest, &bytes, EVP_md5(), nullptr) == 1 && bytes == 16);
  std::string hex;
  for (unsigned i = 0; i < bytes; ++i) {
    hex += kDigits[digest[i] >> 4];
    hex += kDigits[digest[i] & 15];
  }
  return hex;
}

sip::HashFunctions::Sha256Digest OpenSslHashes::HmacSha256(ByteView key, std::string_view text) const {
  Sha256Digest digest;
  unsigned bytes = 0;
  const ByteView data = AsBytes(text);
  LG_FATAL(HMAC(EVP_sha256(), key.data(), int(key.size()), data.data(), data.size(), digest.data(), &bytes) !=
           nullptr);
  return digest;
}

}  // namespace linegate::app
