#include "drivers/crypto/openssl_aes.h"

#include <openssl/evp.h>

#include <memory>

namespace linegate::crypto {

bool OpensslAes::Encrypt(ByteView key, std::span<const uint8_t, kBlockBytes> in,
                         std::span<uint8_t, kBlockBytes> out) noexcept {
  if (key.size() != 16 && key.size() != 24 && key.size() != 32) return false;
  const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context(EVP_CIPHER_CTX_new(),
                                                                                &EVP_CIPHER_CTX_free);
  const EVP_CIPHER* cipher = key.size() == 16   ? EVP_aes_128_ecb()
                             : key.size() == 24 ? EVP_aes_192_ecb()
                                                : EVP_aes_256_ecb();
  int written = 0;
  return context != nullptr && EVP_EncryptInit_ex(context.get(), cipher, nullptr, key.data(), nullptr) == 1 &&
         EVP_CIPHER_CTX_set_padding(context.get(), 0) == 1 &&
         EVP_EncryptUpdate(context.get(), out.data(), &written, in.data(), int(in.size())) == 1 &&
         written == int(out.size());
}

}  // namespace linegate::crypto
