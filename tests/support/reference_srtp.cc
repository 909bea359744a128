#include "tests/support/reference_srtp.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <memory>

namespace linegate::test {
namespace {

using Bytes = std::vector<uint8_t>;
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

CipherContext NewCipher() { return {EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free}; }

void XorAt(uint8_t* iv, size_t offset, ByteView bytes) {
  for (size_t i = 0; i < bytes.size(); ++i) iv[offset + i] = uint8_t(iv[offset + i] ^ bytes[i]);
}

Bytes BigEndianBytes(uint64_t value, size_t bytes) {
  Bytes out(bytes);
  for (size_t i = 0; i < bytes; ++i) out[i] = uint8_t(value >> (8 * (bytes - 1 - i)));
  return out;
}

/// RFC 3711 section 4.1.1: IV = (k_s * 2^16) XOR (SSRC * 2^64) XOR (i * 2^16).
std::array<uint8_t, 16> CounterModeIv(ByteView salt, ByteView ssrc, uint64_t index) {
  std::array<uint8_t, 16> iv = {};
  XorAt(iv.data(), 0, salt);
  XorAt(iv.data(), 4, ssrc);
  XorAt(iv.data(), 8, BigEndianBytes(index, 6));
  return iv;
}

Bytes CounterMode(const ReferenceKeys& keys, ByteView packet, size_t header_bytes, ByteView ssrc,
                  uint64_t index) {
  Bytes out(packet.begin(), packet.end());
  if (!srtp::TraitsOf(keys.profile)->encrypts) return out;
  const Bytes stream =
      AesCmKeystream(keys.cipher_key, CounterModeIv(keys.salt, ssrc, index), packet.size() - header_bytes);
  XorAt(out.data(), header_bytes, stream);
  return out;
}

void AppendHmac(const ReferenceKeys& keys, Bytes& packet, ByteView also_covered, size_t tag_bytes) {
  Bytes covered = packet;
  covered.insert(covered.end(), also_covered.begin(), also_covered.end());
  std::array<uint8_t, 20> tag;
  unsigned length = tag.size();
  LG_FATAL(HMAC(EVP_sha1(), keys.auth_key.data(), int(keys.auth_key.size()), covered.data(), covered.size(),
                tag.data(), &length) != nullptr);
  packet.insert(packet.end(), tag.begin(), tag.begin() + std::ptrdiff_t(tag_bytes));
}

/// Ciphertext and 16-byte tag.
Bytes Gcm(ByteView key, std::span<const uint8_t, 12> iv, ByteView associated, ByteView plain) {
  const CipherContext context = NewCipher();
  Bytes out(plain.size() + 16);
  int length = 0;
  const EVP_CIPHER* cipher = key.size() == 16 ? EVP_aes_128_gcm() : EVP_aes_256_gcm();
  LG_FATAL(EVP_EncryptInit_ex(context.get(), cipher, nullptr, key.data(), iv.data()) == 1);
  LG_FATAL(EVP_EncryptUpdate(context.get(), nullptr, &length, associated.data(), int(associated.size())) ==
           1);
  LG_FATAL(EVP_EncryptUpdate(context.get(), out.data(), &length, plain.data(), int(plain.size())) == 1);
  LG_FATAL(EVP_EncryptFinal_ex(context.get(), out.data() + length, &length) == 1);
  LG_FATAL(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, 16, out.data() + plain.size()) == 1);
  return out;
}

void Append(Bytes& out, ByteView bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }

}  // namespace

std::vector<uint8_t> AesCmKeystream(ByteView key, std::span<const uint8_t, 16> initial_counter,
                                    size_t bytes) {
  const CipherContext context = NewCipher();
  const EVP_CIPHER* cipher = key.size() == 16   ? EVP_aes_128_ctr()
                             : key.size() == 24 ? EVP_aes_192_ctr()
                                                : EVP_aes_256_ctr();
  LG_FATAL(EVP_EncryptInit_ex(context.get(), cipher, nullptr, key.data(), initial_counter.data()) == 1);
  const Bytes zeros(bytes);
  Bytes stream(bytes);
  int length = 0;
  LG_FATAL(EVP_EncryptUpdate(context.get(), stream.data(), &length, zeros.data(), int(bytes)) == 1);
  return stream;
}

std::vector<uint8_t> ReferenceProtectRtp(const ReferenceKeys& keys, ByteView packet, size_t header_bytes,
                                         uint64_t index) {
  const ByteView ssrc = packet.subspan(8, 4);
  if (!srtp::TraitsOf(keys.profile)->aead) {
    Bytes out = CounterMode(keys, packet, header_bytes, ssrc, index);
    AppendHmac(keys, out, BigEndianBytes(index >> 16, 4),  // RFC 3711 section 4.2: the packet and ROC
               srtp::TraitsOf(keys.profile)->rtp_tag_bytes);
    return out;
  }
  std::array<uint8_t, 12> iv = {};  // RFC 7714 section 8.1: 00 00, SSRC, ROC, SEQ
  XorAt(iv.data(), 2, ssrc);
  XorAt(iv.data(), 6, BigEndianBytes(index, 6));
  XorAt(iv.data(), 0, keys.salt);
  const ByteView header = packet.first(header_bytes);
  Bytes out(header.begin(), header.end());
  Append(out, Gcm(keys.cipher_key, iv, header, packet.subspan(header_bytes)));
  return out;
}

std::vector<uint8_t> ReferenceProtectRtcp(const ReferenceKeys& keys, ByteView packet, uint32_t srtcp_index) {
  const ByteView ssrc = packet.subspan(4, 4);
  const uint32_t flag = srtp::TraitsOf(keys.profile)->encrypts ? 0x80000000u : 0;
  const Bytes index_word = BigEndianBytes(flag | srtcp_index, 4);
  if (!srtp::TraitsOf(keys.profile)->aead) {
    Bytes out = CounterMode(keys, packet, 8, ssrc, srtcp_index);
    Append(out, index_word);
    AppendHmac(keys, out, {}, srtp::TraitsOf(keys.profile)->rtcp_tag_bytes);
    return out;
  }
  std::array<uint8_t, 12> iv = {};  // RFC 7714 section 9.1: 00 00, SSRC, 00 00, 0 and index
  XorAt(iv.data(), 2, ssrc);
  XorAt(iv.data(), 8, BigEndianBytes(srtcp_index, 4));
  XorAt(iv.data(), 0, keys.salt);
  const ByteView header = packet.first(8);
  Bytes associated(header.begin(), header.end());  // section 9.2: header, then the index word
  Append(associated, index_word);
  Bytes out(header.begin(), header.end());
  Append(out, Gcm(keys.cipher_key, iv, associated, packet.subspan(8)));
  Append(out, index_word);
  return out;
}

}  // namespace linegate::test
