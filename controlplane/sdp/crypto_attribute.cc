#include "controlplane/sdp/crypto_attribute.h"

#include <algorithm>
#include <array>

#include "controlplane/sdp/text_fields.h"
#include "dataplane/base/base64.h"

namespace linegate::sdp {
namespace {

using srtp::Profile;

struct Suite {
  Profile profile;
  std::string_view name;
};
constexpr std::array kSuites = {
    Suite{Profile::kAes128CmHmacSha1_80, "AES_CM_128_HMAC_SHA1_80"},
    Suite{Profile::kAes128CmHmacSha1_32, "AES_CM_128_HMAC_SHA1_32"},
    Suite{Profile::kAes192CmHmacSha1_80, "AES_192_CM_HMAC_SHA1_80"},
    Suite{Profile::kAes192CmHmacSha1_32, "AES_192_CM_HMAC_SHA1_32"},
    Suite{Profile::kAes256CmHmacSha1_80, "AES_256_CM_HMAC_SHA1_80"},
    Suite{Profile::kAes256CmHmacSha1_32, "AES_256_CM_HMAC_SHA1_32"},
    Suite{Profile::kAeadAes128Gcm, "AEAD_AES_128_GCM"},
    Suite{Profile::kAeadAes256Gcm, "AEAD_AES_256_GCM"},
};

constexpr uint32_t kMostMkiBytes = 128;               // RFC 4568 section 6.1
constexpr uint64_t kMostPackets = uint64_t{1} << 48;  // RFC 3711 section 9.2
constexpr uint32_t kLeastWindow = 64;                 // RFC 4568 section 6.3.6

/// 1*9DIGIT, and the number we would repeat in an answer.
std::optional<uint32_t> ParseTag(std::string_view text) {
  if (text.size() > 9 || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  return ParseNumber<uint32_t>(text);
}

/// RFC 4568 section 6.1: the padding may be missing, and the length is exact.
bool ParseKeyAndSalt(std::string_view text, srtp::MasterKey& key) {
  const srtp::ProfileTraits traits = *srtp::TraitsOf(key.profile);
  const size_t bytes = traits.key_bytes + traits.salt_bytes;
  if (text.size() > (bytes + 2) / 3 * 4) return false;
  std::string padded;
  padded.reserve(text.size() + 4);  // no copy of the key is left behind by growing
  padded.append(text).append((4 - padded.size() % 4) % 4, '=');
  auto both = DecodeBase64(padded);
  Wipe(padded.data(), padded.size());
  if (!both) return false;
  const bool exact = both->size() == bytes;
  if (exact) {
    key.key.Assign(ByteView(*both).first(traits.key_bytes));
    key.salt.Assign(ByteView(*both).subspan(traits.key_bytes));
  }
  Wipe(both->data(), both->size());
  return exact;
}

bool IsLifetime(std::string_view text) {
  if (text.starts_with("2^")) {
    const auto exponent = ParseNumber<uint32_t>(text.substr(2));
    return exponent && *exponent <= 48;
  }
  const auto packets = ParseNumber<uint64_t>(text);
  return packets && *packets > 0 && *packets <= kMostPackets;
}

/// "VALUE:LENGTH": the value as a big-endian number of LENGTH bytes.
bool ParseMki(std::string_view text, srtp::Mki& mki) {
  const size_t colon = text.find(':');
  const auto value = ParseNumber<uint64_t>(text.substr(0, colon));
  const auto length = ParseNumber<uint32_t>(text.substr(colon + 1));
  if (!value || !length || *length == 0 || *length > kMostMkiBytes) return false;
  if (*length > srtp::kMaxMkiBytes) return false;
  if (*length < 8 && *value >> (8 * *length) != 0) return false;
  mki.length = uint8_t(*length);
  for (uint32_t i = 0; i < *length; ++i) mki.bytes[*length - 1 - i] = uint8_t(*value >> (8 * i));
  return true;
}

/// "inline:KEY||SALT[|LIFETIME][|MKI:LENGTH]".
bool ParseKeyParameters(std::string_view text, srtp::MasterKey& key) {
  constexpr std::string_view kMethod = "inline:";
  if (!text.starts_with(kMethod) || text.find(';') != std::string_view::npos) return false;
  text.remove_prefix(kMethod.size());
  const size_t end = text.find('|');
  if (!ParseKeyAndSalt(text.substr(0, end), key)) return false;
  if (end == std::string_view::npos) return true;
  text.remove_prefix(end + 1);
  const size_t second = text.find('|');
  const std::string_view first_field = text.substr(0, second);
  if (second == std::string_view::npos)
    return first_field.find(':') == std::string_view::npos ? IsLifetime(first_field)
                                                           : ParseMki(first_field, key.mki);
  const std::string_view second_field = text.substr(second + 1);
  return IsLifetime(first_field) && second_field.find(':') != std::string_view::npos &&
         ParseMki(second_field, key.mki);
}

bool IsServedSessionParameter(std::string_view text) {
  if (text.size() > 1 && text.front() == '-') return true;  // section 6.3.7: may be ignored
  constexpr std::string_view kWindow = "WSH=";
  if (!text.starts_with(kWindow)) return false;
  const auto window = ParseNumber<uint32_t>(text.substr(kWindow.size()));
  return window && *window >= kLeastWindow;
}

}  // namespace

std::string_view SuiteName(Profile profile) {
  const auto found = std::ranges::find(kSuites, profile, &Suite::profile);
  return found == kSuites.end() ? std::string_view() : found->name;
}

std::optional<Profile> SuiteOf(std::string_view name) {
  const auto found = std::ranges::find(kSuites, name, &Suite::name);
  if (found == kSuites.end()) return std::nullopt;
  return found->profile;
}

std::optional<CryptoLine> ParseCrypto(std::string_view value) {
  const auto fields = SplitFields(value);
  if (fields.size() < 3) return std::nullopt;
  const auto tag = ParseTag(fields[0]);
  const auto suite = SuiteOf(fields[1]);
  if (!tag || !suite) return std::nullopt;
  CryptoLine line;
  line.tag = *tag;
  line.key.profile = *suite;
  if (!ParseKeyParameters(fields[2], line.key)) return std::nullopt;
  for (size_t i = 3; i < fields.size(); ++i) {
    if (!IsServedSessionParameter(fields[i])) return std::nullopt;
  }
  return line;
}

std::string WriteCrypto(const CryptoLine& line) {
  std::array<uint8_t, srtp::kMaxKeyBytes + srtp::kMaxSaltBytes> both;
  const ByteView key = line.key.key.view(), salt = line.key.salt.view();
  std::ranges::copy(key, both.begin());
  std::ranges::copy(salt, both.begin() + std::ptrdiff_t(key.size()));
  std::string encoded = EncodeBase64(ByteView(both).first(key.size() + salt.size()));
  Wipe(both.data(), both.size());
  std::string text;
  text.reserve(160);  // no copy of the key is left behind by growing
  text.append(std::to_string(line.tag)).append(" ").append(SuiteName(line.key.profile)).append(" inline:");
  text.append(encoded);
  Wipe(encoded.data(), encoded.size());
  const srtp::Mki& mki = line.key.mki;
  if (mki.length == 0) return text;
  uint64_t value = 0;
  for (uint8_t i = 0; i < mki.length; ++i) value = value << 8 | mki.bytes[i];
  return text.append("|").append(std::to_string(value)).append(":").append(std::to_string(mki.length));
}

CryptoLines CryptoLinesOf(const MediaSection& media) {
  CryptoLines lines;
  for (const std::string_view value : media.Attributes("crypto")) {
    ++lines.count;
    if (lines.served.size() == kMaxCryptoLines) continue;
    if (auto line = ParseCrypto(value)) lines.served.push_back(std::move(*line));
  }
  return lines;
}

}  // namespace linegate::sdp
