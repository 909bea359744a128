#include "drivers/crypto/openssl_hmac_sha1.h"

#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include <algorithm>
#include <array>

#include "dataplane/base/secret.h"

namespace linegate::crypto {
namespace {

constexpr size_t kBlockBytes = SHA_CBLOCK;
static_assert(SHA_DIGEST_LENGTH == wire::HmacSha1::kTagBytes);

using Block = std::array<uint8_t, kBlockBytes>;

void StartWithPad(SHA_CTX& sha, const Block& key, uint8_t pad) {
  Block padded;
  for (size_t i = 0; i < kBlockBytes; ++i) padded[i] = uint8_t(key[i] ^ pad);
  SHA1_Init(&sha);
  SHA1_Update(&sha, padded.data(), padded.size());
  Wipe(padded.data(), padded.size());
}

}  // namespace

void OpensslHmacSha1::Compute(ByteView key, ByteView first, ByteView second,
                              std::span<uint8_t, kTagBytes> tag) noexcept {
  Block block = {};
  if (key.size() > kBlockBytes) {
    SHA1(key.data(), key.size(), block.data());
  } else {
    std::copy(key.begin(), key.end(), block.begin());
  }
  SHA_CTX sha;
  StartWithPad(sha, block, 0x36);
  SHA1_Update(&sha, first.data(), first.size());
  SHA1_Update(&sha, second.data(), second.size());
  SHA1_Final(tag.data(), &sha);
  StartWithPad(sha, block, 0x5c);
  SHA1_Update(&sha, tag.data(), tag.size());
  SHA1_Final(tag.data(), &sha);
  Wipe(block.data(), block.size());
  Wipe(&sha, sizeof sha);
}

}  // namespace linegate::crypto
