#include "controlplane/net/wss_admission.h"

#include <algorithm>

namespace linegate::net {
namespace {

char AsciiLower(char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; }

bool EqualIgnoringCase(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return AsciiLower(x) == AsciiLower(y); });
}

std::string_view Trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

}  // namespace

bool OffersSipSubprotocol(std::string_view offered) {
  while (!offered.empty()) {
    const size_t comma = offered.find(',');
    if (Trim(offered.substr(0, comma)) == "sip") return true;
    offered.remove_prefix(comma == std::string_view::npos ? offered.size() : comma + 1);
  }
  return false;
}

bool OriginAllowed(const std::vector<std::string>& allowed, std::string_view origin) {
  return allowed.empty() || std::any_of(allowed.begin(), allowed.end(), [&](const std::string& one) {
           return EqualIgnoringCase(one, origin);
         });
}

}  // namespace linegate::net
