#include "controlplane/sip/identity.h"

namespace linegate::sip {
namespace {

constexpr size_t kCallIdLength = 32;
constexpr size_t kTagLength = 20;
constexpr size_t kContactTokenLength = 26;

/// Length before each part, so that no two lists of parts give the same text.
void AppendPart(std::string& text, std::string_view part) {
  text += std::to_string(part.size());
  text += ':';
  text += part;
}

}  // namespace

std::string Identity::Name(std::string_view purpose, std::string_view a, std::string_view b,
                           std::string_view c, size_t length) const {
  std::string text;
  AppendPart(text, purpose);
  AppendPart(text, a);
  AppendPart(text, b);
  AppendPart(text, c);
  const HashFunctions::Sha256Digest digest = hashes_.HmacSha256(key_.view(), text);
  // Base 32 of RFC 4648 in lower case: safe in every SIP token and unaffected by servers that fold case.
  static constexpr char kAlphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
  std::string name;
  uint32_t bits = 0;
  int bit_count = 0;
  for (size_t i = 0; name.size() < length; ++i) {
    bits = (bits << 8) | digest[i];
    for (bit_count += 8; bit_count >= 5 && name.size() < length; bit_count -= 5)
      name += kAlphabet[(bits >> (bit_count - 5)) & 31];
  }
  return name;
}

std::string Identity::CallId(std::string_view call_id) const {
  return Name("call-id", call_id, {}, {}, kCallIdLength);
}

std::string Identity::Tag(std::string_view call_id, std::string_view tag, std::string_view scope) const {
  return Name("tag", call_id, tag, scope, kTagLength);
}

std::string Identity::ContactToken(std::string_view aor, std::string_view instance_or_contact) const {
  return Name("contact", aor, instance_or_contact, {}, kContactTokenLength);
}

}  // namespace linegate::sip
