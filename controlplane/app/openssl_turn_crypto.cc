#include "controlplane/app/openssl_turn_crypto.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <memory>

#include "dataplane/base/check.h"
#include "dataplane/base/secret.h"

namespace linegate::app {
namespace {

constexpr size_t kGcmTagBytes = 16;
constexpr size_t kMostNonceBytes = 64;

template <size_t kBytes>
std::array<uint8_t, kBytes> Digest(const EVP_MD* algorithm, ByteView bytes) {
  std::array<uint8_t, kBytes> digest;
  unsigned length = 0;
  LG_FATAL(EVP_Digest(bytes.data(), bytes.size(), digest.data(), &length, algorithm, nullptr) == 1 &&
           length == kBytes);
  return digest;
}

void Hmac(const EVP_MD* algorithm, ByteView key, ByteView first, ByteView second, uint8_t* tag) {
  std::vector<uint8_t> message(first.begin(), first.end());
  message.insert(message.end(), second.begin(), second.end());
  unsigned length = 0;
  LG_FATAL(HMAC(algorithm, key.data(), int(key.size()), message.data(), message.size(), tag, &length) !=
           nullptr);
}

struct CipherFree {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};

}  // namespace

std::array<uint8_t, 16> OpenSslTurnCrypto::Md5(ByteView bytes) { return Digest<16>(EVP_md5(), bytes); }
std::array<uint8_t, 32> OpenSslTurnCrypto::Sha256(ByteView bytes) { return Digest<32>(EVP_sha256(), bytes); }

void OpenSslTurnCrypto::Sha1::Compute(ByteView key, ByteView first, ByteView second,
                                      std::span<uint8_t, kTagBytes> tag) noexcept {
  Hmac(EVP_sha1(), key, first, second, tag.data());
}

void OpenSslTurnCrypto::Sha256Hmac::Compute(ByteView key, ByteView first, ByteView second,
                                            std::span<uint8_t, kTagBytes> tag) noexcept {
  Hmac(EVP_sha256(), key, first, second, tag.data());
}

std::optional<std::vector<uint8_t>> OpenSslTurnCrypto::OpenAesGcm(ByteView key, ByteView nonce,
                                                                  ByteView associated_data, ByteView sealed) {
  const EVP_CIPHER* cipher = key.size() == 16   ? EVP_aes_128_gcm()
                             : key.size() == 32 ? EVP_aes_256_gcm()
                                                : nullptr;
  if (cipher == nullptr) return std::nullopt;
  if (sealed.size() < kGcmTagBytes || nonce.empty() || nonce.size() > kMostNonceBytes) return std::nullopt;
  const ByteView text = sealed.first(sealed.size() - kGcmTagBytes);
  std::array<uint8_t, kGcmTagBytes> tag;
  std::copy(sealed.end() - kGcmTagBytes, sealed.end(), tag.begin());
  const std::unique_ptr<EVP_CIPHER_CTX, CipherFree> context(EVP_CIPHER_CTX_new());
  LG_FATAL(context != nullptr);
  std::vector<uint8_t> plain(text.size());
  int length = 0;
  const bool opened =
      EVP_DecryptInit_ex(context.get(), cipher, nullptr, nullptr, nullptr) == 1 &&
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_IVLEN, int(nonce.size()), nullptr) == 1 &&
      EVP_DecryptInit_ex(context.get(), nullptr, nullptr, key.data(), nonce.data()) == 1 &&
      EVP_DecryptUpdate(context.get(), nullptr, &length, associated_data.data(),
                        int(associated_data.size())) == 1 &&
      EVP_DecryptUpdate(context.get(), plain.data(), &length, text.data(), int(text.size())) == 1 &&
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, int(tag.size()), tag.data()) == 1 &&
      EVP_DecryptFinal_ex(context.get(), plain.data() + length, &length) == 1;
  if (opened) return plain;
  Wipe(plain.data(), plain.size());
  return std::nullopt;
}

}  // namespace linegate::app
