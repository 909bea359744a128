#include "controlplane/turn/nonce.h"

#include <algorithm>

#include "dataplane/base/base64.h"
#include "dataplane/base/secret.h"

namespace linegate::turn {
namespace {

constexpr std::string_view kCookie = "obMatJos2";
constexpr size_t kTagBytes = 8;
constexpr size_t kSecondBytes = 4;
/// Seconds stand in the clear, so that the lifetime can be judged; six characters of Base64 hold them whole.
constexpr size_t kSealedChars = (kSecondBytes + kTagBytes) / 3 * 4;

uint32_t SecondOf(TimePoint t) {
  return uint32_t(std::chrono::duration_cast<std::chrono::seconds>(t.time_since_epoch()).count());
}

int ValueOf(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/// The first 4 bytes behind 6 characters of Base64; a foreign text gives any number, which the tag refutes.
uint32_t DecodeSecond(std::string_view text) {
  uint64_t bits = 0;
  for (size_t i = 0; i < 6; ++i) bits = bits << 6 | uint64_t(std::max(0, ValueOf(text[i])));
  return uint32_t(bits >> 4);
}

}  // namespace

NonceMaker::NonceMaker(TurnCrypto& crypto, Rng& rng, std::chrono::seconds lifetime, uint32_t features)
    : crypto_(crypto), lifetime_(lifetime) {
  rng.Fill(key_);
  const uint8_t set[3] = {uint8_t(features >> 16), uint8_t(features >> 8), uint8_t(features)};
  prefix_ = std::string(kCookie) + EncodeBase64(set);
}

std::string NonceMaker::MakeAt(uint32_t second, const TurnClient& client) const {
  std::array<uint8_t, kSecondBytes + kTagBytes> sealed;
  StoreBe32(sealed.data(), second);
  std::array<uint8_t, wire::HmacSha256::kTagBytes> tag;
  std::string covered = prefix_;
  covered.append(AsText(ByteView(sealed).first(kSecondBytes)));
  crypto_.hmac_sha256().Compute(key_, AsBytes(covered), client.remote.address.bytes(), tag);
  std::copy_n(tag.begin(), kTagBytes, sealed.begin() + kSecondBytes);
  return prefix_ + EncodeBase64(sealed);
}

std::string NonceMaker::Make(TimePoint now, const TurnClient& client) const {
  return MakeAt(SecondOf(now), client);
}

bool NonceMaker::IsFresh(TimePoint now, const TurnClient& client, std::string_view nonce) const {
  if (nonce.size() != prefix_.size() + kSealedChars) return false;
  const uint32_t second = DecodeSecond(nonce.substr(prefix_.size()));
  if (SecondOf(now) - second > uint32_t(lifetime_.count())) return false;  // also one from the future
  return ConstantTimeEqual(AsBytes(nonce), AsBytes(MakeAt(second, client)));
}

}  // namespace linegate::turn
