#include <cctype>

#include "controlplane/dtls/dtls_endpoint.h"

namespace linegate::dtls {
namespace {

size_t DigestBytes(const std::string& hash) {
  if (hash == "sha-256") return 32;
  if (hash == "sha-384") return 48;
  if (hash == "sha-512") return 64;
  return 0;
}

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::optional<Fingerprint> Fingerprint::Parse(std::string_view text) {
  const size_t space = text.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  Fingerprint result;
  for (char c : text.substr(0, space)) result.hash += char(std::tolower(uint8_t(c)));
  const size_t bytes = DigestBytes(result.hash);
  std::string_view hex = text.substr(space + 1);
  while (!hex.empty() && hex.back() == ' ') hex.remove_suffix(1);
  if (bytes == 0 || hex.size() != 3 * bytes - 1) return std::nullopt;
  for (size_t i = 0; i < bytes; ++i) {
    const int high = HexValue(hex[3 * i]), low = HexValue(hex[3 * i + 1]);
    if (high < 0 || low < 0 || (i + 1 < bytes && hex[3 * i + 2] != ':')) return std::nullopt;
    result.digest.push_back(uint8_t(high << 4 | low));
  }
  return result;
}

std::string Fingerprint::ToString() const {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string text = hash + " ";
  for (size_t i = 0; i < digest.size(); ++i) {
    if (i > 0) text += ':';
    text += kDigits[digest[i] >> 4];
    text += kDigits[digest[i] & 15];
  }
  return text;
}

}  // namespace linegate::dtls
