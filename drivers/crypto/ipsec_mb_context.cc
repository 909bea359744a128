#include "drivers/crypto/ipsec_mb_context.h"

#include <algorithm>

#include "drivers/crypto/openssl_aes.h"

namespace linegate::crypto {
namespace {

/// The SHA-1 state behind the first block of HMAC's inner or outer hash (RFC 2104 section 2).
void HashPaddedKey(IMB_MGR& manager, ByteView key, uint8_t pad, uint8_t* state) {
  std::array<uint8_t, IMB_SHA1_BLOCK_SIZE> block;
  block.fill(pad);
  for (size_t i = 0; i < key.size(); ++i) block[i] ^= key[i];
  IMB_SHA1_ONE_BLOCK(&manager, block.data(), state);
  Wipe(block.data(), block.size());
}

void Expand(IMB_MGR& manager, const srtp::SessionKeySet& set, CounterModeKeys& keys) {
  std::array<uint8_t, 16> salt = {};
  std::ranges::copy(set.salt.view(), salt.begin());
  keys.salt_high = LoadBe64(salt.data());
  keys.salt_low = LoadBe64(salt.data() + 8);
  Wipe(salt.data(), salt.size());
  HashPaddedKey(manager, set.auth_key.view(), 0x36, keys.hmac_inner);
  HashPaddedKey(manager, set.auth_key.view(), 0x5c, keys.hmac_outer);
  alignas(16) uint8_t unused_decryption_keys[sizeof keys.round_keys];  // counter mode only ever encrypts
  IMB_AES_KEYEXP_128(&manager, set.cipher_key.view().data(), keys.round_keys, unused_decryption_keys);
  Wipe(unused_decryption_keys, sizeof unused_decryption_keys);
}

void Expand(IMB_MGR& manager, const srtp::SessionKeySet& set, GcmSalt& salt, gcm_key_data& expanded) {
  salt.high = LoadBe64(set.salt.view().data());
  salt.low = LoadBe32(set.salt.view().data() + 8);
  const ByteView key = set.cipher_key.view();
  if (key.size() == 16) {
    IMB_AES128_GCM_PRE(&manager, key.data(), &expanded);
  } else {
    IMB_AES256_GCM_PRE(&manager, key.data(), &expanded);
  }
}

}  // namespace

Result<std::unique_ptr<srtp::CryptoContext>> IpsecMbContext::Create(IMB_MGR& manager,
                                                                    const srtp::MasterKey& key,
                                                                    srtp::Direction direction) {
  OpensslAes aes;
  const auto keys = srtp::DeriveSessionKeys(key, aes);
  if (!keys) return MakeUnexpected(keys.error());
  if (srtp::TraitsOf(key.profile)->aead) {
    return std::unique_ptr<srtp::CryptoContext>(
        std::make_unique<GcmContext>(manager, *keys, key.profile, direction));
  }
  return std::unique_ptr<srtp::CryptoContext>(
      std::make_unique<CounterModeContext>(manager, *keys, key.profile, direction));
}

CounterModeContext::CounterModeContext(IMB_MGR& manager, const srtp::SessionKeys& keys, srtp::Profile profile,
                                       srtp::Direction direction)
    : IpsecMbContext(profile, direction) {
  Expand(manager, keys.rtp, rtp_);
  Expand(manager, keys.rtcp, rtcp_);
}

CounterModeContext::~CounterModeContext() {
  Wipe(&rtp_, sizeof rtp_);
  Wipe(&rtcp_, sizeof rtcp_);
}

GcmContext::GcmContext(IMB_MGR& manager, const srtp::SessionKeys& keys, srtp::Profile profile,
                       srtp::Direction direction)
    : IpsecMbContext(profile, direction) {
  Expand(manager, keys.rtp, rtp_salt_, rtp_key_);
  Expand(manager, keys.rtcp, rtcp_salt_, rtcp_key_);
}

GcmContext::~GcmContext() {
  Wipe(&rtp_salt_, sizeof rtp_salt_);
  Wipe(&rtcp_salt_, sizeof rtcp_salt_);
  Wipe(&rtp_key_, sizeof rtp_key_);
  Wipe(&rtcp_key_, sizeof rtcp_key_);
}

}  // namespace linegate::crypto
