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

void ExpandKey(IMB_MGR& manager, ByteView key, uint8_t* round_keys) {
  alignas(16) uint8_t unused_decryption_keys[15 * IMB_AES_BLOCK_SIZE];  // counter mode only ever encrypts
  if (key.size() == 16) {
    IMB_AES_KEYEXP_128(&manager, key.data(), round_keys, unused_decryption_keys);
  } else if (key.size() == 24) {
    IMB_AES_KEYEXP_192(&manager, key.data(), round_keys, unused_decryption_keys);
  } else {
    IMB_AES_KEYEXP_256(&manager, key.data(), round_keys, unused_decryption_keys);
  }
  Wipe(unused_decryption_keys, sizeof unused_decryption_keys);
}

template <size_t kRounds>
void Expand(IMB_MGR& manager, const srtp::SessionKeySet& set, CounterModeSchedule<kRounds>& schedule) {
  LG_ASSERT(set.cipher_key.view().size() == (kRounds - 6) * 4);
  CounterModeKeys& keys = schedule.keys;
  std::array<uint8_t, 16> salt = {};
  std::ranges::copy(set.salt.view(), salt.begin());
  keys.salt_high = LoadBe64(salt.data());
  keys.salt_low = LoadBe64(salt.data() + 8);
  Wipe(salt.data(), salt.size());
  HashPaddedKey(manager, set.auth_key.view(), 0x36, keys.hmac_inner);
  HashPaddedKey(manager, set.auth_key.view(), 0x5c, keys.hmac_outer);
  ExpandKey(manager, set.cipher_key.view(), schedule.round_keys);
}

template <typename Context>
Result<std::unique_ptr<srtp::CryptoContext>> Made(IMB_MGR& manager, ContextPool& pool,
                                                  const srtp::SessionKeys& keys, srtp::Profile profile,
                                                  srtp::Direction direction) {
  return std::unique_ptr<srtp::CryptoContext>(new (pool) Context(manager, keys, profile, direction));
}

GcmSalt SaltFrom(const srtp::SessionKeySet& set) {
  const uint8_t* const salt = set.salt.view().data();
  return {LoadBe64(salt), LoadBe32(salt + 8)};
}

}  // namespace

Result<std::unique_ptr<srtp::CryptoContext>> IpsecMbContext::Create(IMB_MGR& manager, ContextPool& pool,
                                                                    const srtp::MasterKey& key,
                                                                    srtp::Direction direction) {
  OpensslAes aes;
  const auto keys = srtp::DeriveSessionKeys(key, aes);
  if (!keys) return MakeUnexpected(keys.error());
  const srtp::ProfileTraits traits = *srtp::TraitsOf(key.profile);
  if (traits.aead) return Made<GcmContext>(manager, pool, *keys, key.profile, direction);
  switch (traits.key_bytes) {
    case 24:
      return Made<CounterModeContextOf<12>>(manager, pool, *keys, key.profile, direction);
    case 32:
      return Made<CounterModeContextOf<14>>(manager, pool, *keys, key.profile, direction);
    default:
      return Made<CounterModeContextOf<10>>(manager, pool, *keys, key.profile, direction);
  }
}

IpsecMbContext::IpsecMbContext(srtp::Profile profile, srtp::Direction direction)
    : profile_(profile), direction_(direction) {
  const srtp::ProfileTraits traits = *srtp::TraitsOf(profile);
  cipher_ = traits.aead ? Cipher::kGcm : traits.encrypts ? Cipher::kCounterMode : Cipher::kNone;
  cipher_key_bytes_ = uint8_t(traits.key_bytes);
  rtp_tag_bytes_ = uint8_t(traits.rtp_tag_bytes);
  rtcp_tag_bytes_ = uint8_t(traits.rtcp_tag_bytes);
}

template <size_t kRounds>
CounterModeContextOf<kRounds>::CounterModeContextOf(IMB_MGR& manager, const srtp::SessionKeys& keys,
                                                    srtp::Profile profile, srtp::Direction direction)
    : CounterModeContext(profile, direction) {
  // What KeysOf computes.
  LG_FATAL(&KeysOf(srtp::PacketKind::kRtp) == &rtp_.keys && &KeysOf(srtp::PacketKind::kRtcp) == &rtcp_.keys);
  Expand(manager, keys.rtp, rtp_);
  Expand(manager, keys.rtcp, rtcp_);
}

template <size_t kRounds>
CounterModeContextOf<kRounds>::~CounterModeContextOf() {
  Wipe(&rtp_, sizeof rtp_);
  Wipe(&rtcp_, sizeof rtcp_);
}

GcmContext::GcmContext(IMB_MGR& manager, const srtp::SessionKeys& keys, srtp::Profile profile,
                       srtp::Direction direction)
    : IpsecMbContext(profile, direction) {
  rtp_salt_ = SaltFrom(keys.rtp);
  rtcp_salt_ = SaltFrom(keys.rtcp);
  ExpandGcmKey(manager, keys.rtp.cipher_key.view(), rtp_key_);
  std::ranges::copy(keys.rtcp.cipher_key.view(), rtcp_cipher_key_.begin());
}

GcmContext::~GcmContext() {
  Wipe(&rtp_salt_, sizeof rtp_salt_);
  Wipe(&rtcp_salt_, sizeof rtcp_salt_);
  Wipe(&rtp_key_, sizeof rtp_key_);
  Wipe(rtcp_cipher_key_.data(), rtcp_cipher_key_.size());
}

void ExpandGcmKey(IMB_MGR& manager, ByteView key, gcm_key_data& expanded) {
  if (key.size() == 16) {
    IMB_AES128_GCM_PRE(&manager, key.data(), &expanded);
  } else {
    IMB_AES256_GCM_PRE(&manager, key.data(), &expanded);
  }
}

}  // namespace linegate::crypto
