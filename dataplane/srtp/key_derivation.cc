#include "dataplane/srtp/key_derivation.h"

#include <algorithm>
#include <array>

namespace linegate::srtp {
namespace {

// RFC 3711 section 4.3.2
constexpr uint8_t kLabelRtpEncryption = 0;
constexpr uint8_t kLabelRtpAuthentication = 1;
constexpr uint8_t kLabelRtpSalt = 2;
constexpr uint8_t kLabelRtcpOffset = 3;  // the RTCP labels are 3, 4 and 5

template <size_t kCapacity>
bool DeriveInto(AesBlockCipher& aes, const MasterKey& master, uint8_t label, size_t bytes,
                SecretBytes<kCapacity>& out) {
  std::array<uint8_t, kCapacity> raw = {};
  const bool derived =
      DeriveKey(aes, master.key.view(), master.salt.view(), label, std::span(raw).first(bytes));
  if (derived) out.Assign(ByteView(raw).first(bytes));
  Wipe(raw.data(), raw.size());
  return derived;
}

bool DeriveSet(AesBlockCipher& aes, const MasterKey& master, const ProfileTraits& traits,
               uint8_t label_offset, SessionKeySet& set) {
  return DeriveInto(aes, master, uint8_t(kLabelRtpEncryption + label_offset), traits.key_bytes,
                    set.cipher_key) &&
         DeriveInto(aes, master, uint8_t(kLabelRtpAuthentication + label_offset), traits.auth_key_bytes,
                    set.auth_key) &&
         DeriveInto(aes, master, uint8_t(kLabelRtpSalt + label_offset), traits.salt_bytes, set.salt);
}

}  // namespace

bool DeriveKey(AesBlockCipher& aes, ByteView master_key, ByteView salt, uint8_t label,
               std::span<uint8_t> out) {
  LG_ASSERT(salt.size() <= kMaxSaltBytes);
  // x = salt XOR (label * 2^48), a 112-bit number; the key stream is AES over x * 2^16 + block number.
  std::array<uint8_t, AesBlockCipher::kBlockBytes> counter = {};
  std::copy(salt.begin(), salt.end(), counter.begin());
  counter[7] ^= label;
  std::array<uint8_t, AesBlockCipher::kBlockBytes> stream;
  bool good = true;
  for (uint16_t block = 0; good && !out.empty(); ++block) {
    StoreBe16(counter.data() + kMaxSaltBytes, block);
    good = aes.Encrypt(master_key, counter, stream);
    const size_t bytes = std::min(out.size(), stream.size());
    std::copy_n(stream.begin(), bytes, out.begin());
    out = out.subspan(bytes);
  }
  Wipe(stream.data(), stream.size());
  Wipe(counter.data(), counter.size());
  return good;
}

Result<SessionKeys> DeriveSessionKeys(const MasterKey& master, AesBlockCipher& aes) {
  const auto traits = TraitsOf(master.profile);
  if (!traits) return Fail("unsupported SRTP profile");
  if (master.key.view().size() != traits->key_bytes || master.salt.view().size() != traits->salt_bytes) {
    return Fail("wrong length of SRTP master key or salt");
  }
  SessionKeys keys;
  if (!DeriveSet(aes, master, *traits, 0, keys.rtp) ||
      !DeriveSet(aes, master, *traits, kLabelRtcpOffset, keys.rtcp)) {
    return Fail("AES failed while deriving SRTP session keys");
  }
  return keys;
}

}  // namespace linegate::srtp
