#include "controlplane/sip/digest.h"

#include <utility>

#include "controlplane/sip/sip_text.h"

namespace linegate::sip {
namespace {

constexpr std::string_view kScheme = "Digest";
constexpr size_t kNonceTimeDigits = 16;
constexpr size_t kNonceMacBytes = 16;

std::string Hex(ByteView bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::optional<uint64_t> ParseHex(std::string_view text) {
  uint64_t value = 0;
  for (const char c : text) {
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) return std::nullopt;
    value = value << 4 | uint64_t(digit);
  }
  return value;
}

/// The scheme's parameters after "Digest ", nullopt for another scheme.
std::optional<std::string_view> DigestParameters(std::string_view value) {
  value = Trim(value);
  if (value.size() <= kScheme.size() || !EqualsIgnoreCase(value.substr(0, kScheme.size()), kScheme))
    return std::nullopt;
  if (value[kScheme.size()] != ' ' && value[kScheme.size()] != '\t') return std::nullopt;
  return value.substr(kScheme.size() + 1);
}

std::string Unquote(std::string_view text) {
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') return std::string(text);
  std::string plain;
  text = text.substr(1, text.size() - 2);
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    plain += text[i];
  }
  return plain;
}

std::pair<std::string_view, std::string_view> SplitParameter(std::string_view parameter) {
  const size_t equals = parameter.find('=');
  if (equals == std::string_view::npos) return {Trim(parameter), {}};
  return {Trim(parameter.substr(0, equals)), Trim(parameter.substr(equals + 1))};
}

}  // namespace

std::optional<DigestCredentials> ParseDigestCredentials(std::string_view value) {
  const auto parameters = DigestParameters(value);
  if (!parameters) return std::nullopt;
  DigestCredentials credentials;
  const std::pair<std::string_view, std::string*> fields[] = {
      {"username", &credentials.username},
      {"realm", &credentials.realm},
      {"nonce", &credentials.nonce},
      {"uri", &credentials.uri},
      {"response", &credentials.response},
      {"algorithm", &credentials.algorithm},
      {"cnonce", &credentials.cnonce},
      {"qop", &credentials.qop},
      {"nc", &credentials.nc},
  };
  for (const std::string_view parameter : SplitCommas(*parameters)) {
    const auto [name, text] = SplitParameter(parameter);
    for (const auto& [field_name, field] : fields)
      if (EqualsIgnoreCase(name, field_name)) *field = Unquote(text);
  }
  if (credentials.username.empty() || credentials.realm.empty() || credentials.nonce.empty() ||
      credentials.uri.empty() || credentials.response.empty())
    return std::nullopt;
  return credentials;
}

std::string ComputeHa1(const HashFunctions& hashes, std::string_view user, std::string_view realm,
                       std::string_view password) {
  std::string text(user);
  text.append(":").append(realm).append(":").append(password);
  std::string ha1 = hashes.Md5Hex(text);
  Wipe(text.data(), text.size());
  return ha1;
}

std::string ComputeDigestResponse(const HashFunctions& hashes, std::string_view ha1,
                                  const DigestCredentials& credentials, std::string_view method) {
  // RFC 7616 section 3.4.1, qop "auth".
  const std::string ha2 = hashes.Md5Hex(std::string(method) + ":" + credentials.uri);
  std::string text(ha1);
  for (const std::string* part :
       {&credentials.nonce, &credentials.nc, &credentials.cnonce, &credentials.qop, &ha2})
    text.append(":").append(*part);
  return hashes.Md5Hex(text);
}

std::string WithoutAuthInt(std::string_view challenge) {
  const auto parameters = DigestParameters(challenge);
  if (!parameters) return std::string(challenge);
  for (const std::string_view parameter : SplitCommas(*parameters)) {
    const auto [name, text] = SplitParameter(parameter);
    if (!EqualsIgnoreCase(name, "qop")) continue;
    const std::string options = Unquote(text);
    bool offers_auth = false, offers_auth_int = false;
    std::string kept;
    for (const std::string_view option : SplitCommas(options)) {
      offers_auth |= EqualsIgnoreCase(option, "auth");
      if (EqualsIgnoreCase(option, "auth-int")) {
        offers_auth_int = true;
        continue;
      }
      if (!kept.empty()) kept += ',';
      kept += option;
    }
    if (!offers_auth || !offers_auth_int) return std::string(challenge);
    std::string result(challenge.substr(0, size_t(text.data() - challenge.data())));
    result.append("\"").append(kept).append("\"");
    result.append(challenge.substr(size_t(text.data() - challenge.data()) + text.size()));
    return result;
  }
  return std::string(challenge);
}

std::string DigestAuthenticator::MakeNonce(uint64_t time_s, std::string_view realm) const {
  uint8_t time_bytes[8];
  StoreBe64(time_bytes, time_s);
  std::string text = Hex(time_bytes);
  const HashFunctions::Sha256Digest mac =
      hashes_.HmacSha256(nonce_key_.view(), text + ":" + std::string(realm));
  return text + Hex(ByteView(mac.data(), kNonceMacBytes));
}

DigestAuthenticator::NonceState DigestAuthenticator::CheckNonce(TimePoint now, std::string_view nonce,
                                                                std::string_view realm) const {
  if (nonce.size() != kNonceTimeDigits + 2 * kNonceMacBytes) return NonceState::kForeign;
  const auto time_s = ParseHex(nonce.substr(0, kNonceTimeDigits));
  if (!time_s) return NonceState::kForeign;
  if (!ConstantTimeEqual(AsBytes(MakeNonce(*time_s, realm)), AsBytes(nonce))) return NonceState::kForeign;
  const uint64_t now_s = ToNanoseconds(now) / 1'000'000'000;
  if (*time_s > now_s || now_s - *time_s > uint64_t(life_.count())) return NonceState::kExpired;
  return NonceState::kFresh;
}

std::string DigestAuthenticator::Challenge(TimePoint now, std::string_view realm, Stale stale) const {
  std::string challenge = "Digest realm=\"" + std::string(realm) + "\", nonce=\"" +
                          MakeNonce(ToNanoseconds(now) / 1'000'000'000, realm) +
                          "\", algorithm=MD5, qop=\"auth\"";
  if (stale == Stale::kYes) challenge += ", stale=true";
  return challenge;
}

DigestAuthenticator::Verdict DigestAuthenticator::Verify(TimePoint now, const DigestCredentials& credentials,
                                                         std::string_view method,
                                                         std::string_view request_uri, std::string_view realm,
                                                         std::string_view ha1) const {
  if (credentials.realm != realm || !EqualsIgnoreCase(credentials.qop, "auth") ||
      credentials.uri != request_uri ||
      !(credentials.algorithm.empty() || EqualsIgnoreCase(credentials.algorithm, "MD5")))
    return Verdict::kRejected;
  const std::string expected = ComputeDigestResponse(hashes_, ha1, credentials, method);
  const bool right = ConstantTimeEqual(AsBytes(expected), AsBytes(credentials.response));
  if (!right || ha1.empty()) return Verdict::kRejected;
  // A nonce that is not ours may come from before a restart: nothing is gained by it, so the right password
  // is asked for again with stale=true instead of failing the login.
  return CheckNonce(now, credentials.nonce, realm) == NonceState::kFresh ? Verdict::kAccepted
                                                                         : Verdict::kStale;
}

}  // namespace linegate::sip
