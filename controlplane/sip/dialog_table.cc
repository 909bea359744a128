#include "controlplane/sip/dialog_table.h"

#include <algorithm>

#include "controlplane/sip/pass_through.h"
#include "controlplane/sip/sip_text.h"

namespace linegate::sip {

void DialogTable::Add(const DialogKey& key, CallKey call) {
  entries_.insert_or_assign(key, Entry{call, std::nullopt});
}

void DialogTable::Remove(const DialogKey& key) { entries_.erase(key); }

void DialogTable::SetPartner(const DialogKey& a, const DialogKey& b) {
  if (const auto entry = entries_.find(a); entry != entries_.end()) entry->second.partner = b;
}

const DialogTable::Entry* DialogTable::Find(const DialogKey& key) const {
  const auto entry = entries_.find(key);
  return entry == entries_.end() ? nullptr : &entry->second;
}

std::optional<std::string> DialogTable::PartnerCallId(std::string_view call_id) const {
  for (auto entry = entries_.lower_bound(DialogKey{std::string(call_id), {}, {}});
       entry != entries_.end() && entry->first.call_id == call_id; ++entry)
    if (entry->second.partner) return entry->second.partner->call_id;
  return std::nullopt;
}

namespace {

/// The dialog that its receiver (we) knows as `key`, as the receiver on the other side knows it. Seen from
/// there our local tag is the remote one.
std::optional<DialogKey> AsSeenBeyond(const DialogTable& dialogs, const DialogKey& key) {
  const DialogTable::Entry* entry = dialogs.Find(key);
  if (entry == nullptr || !entry->partner) return std::nullopt;
  return DialogKey{entry->partner->call_id, entry->partner->remote_tag, entry->partner->local_tag};
}

/// RFC 3891 section 6.1 and RFC 3911: `to_name` is the tag at the receiver, `from_name` the tag of its peer.
std::string TranslateDialogName(std::string_view value, std::string_view to_name, std::string_view from_name,
                                const DialogTable& dialogs) {
  const std::string to_tag(GetParam(value, to_name).value_or(""));
  const std::string from_tag(GetParam(value, from_name).value_or(""));
  const auto beyond = AsSeenBeyond(dialogs, {std::string(WithoutParams(value)), to_tag, from_tag});
  if (!beyond) return std::string(value);
  std::string translated = beyond->call_id + std::string(value.substr(WithoutParams(value).size()));
  translated = SetParam(translated, to_name, beyond->local_tag);
  return SetParam(translated, from_name, beyond->remote_tag);
}

std::string PercentEncode(std::string_view text) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    // RFC 3261 section 25.1: hvalue = hnv-unreserved / unreserved / escaped.
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       std::string_view("-_.!~*'()[]/?:+$").find(c) != std::string_view::npos;
    if (plain) {
      encoded += c;
    } else {
      encoded += '%';
      encoded += kDigits[uint8_t(c) >> 4];
      encoded += kDigits[uint8_t(c) & 15];
    }
  }
  return encoded;
}

/// `Refer-To: <sip:b@x?Replaces=...>` (RFC 3891 section 4): byte-exact unless the dialog is one of ours.
std::string TranslateReferTo(std::string_view value, const DialogTable& dialogs) {
  const auto address = ParseNameAddr(value);
  const size_t question = address ? address->uri.find('?') : std::string_view::npos;
  if (question == std::string_view::npos) return std::string(value);
  std::string uri(address->uri.substr(0, question));
  std::string_view rest = address->uri.substr(question + 1);
  char separator = '?';
  while (!rest.empty()) {
    const std::string_view field = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), field.size() + 1));
    uri += separator;
    separator = '&';
    const size_t equals = field.find('=');
    const auto decoded =
        equals == std::string_view::npos ? std::nullopt : PercentDecode(field.substr(equals + 1));
    if (!decoded || !EqualsIgnoreCase(field.substr(0, equals), "Replaces")) {
      uri += field;
      continue;
    }
    const std::string translated = TranslateDialogName(*decoded, "to-tag", "from-tag", dialogs);
    uri += translated == *decoded ? std::string(field)
                                  : std::string(field.substr(0, equals + 1)) + PercentEncode(translated);
  }
  return uri == address->uri ? std::string(value) : WithUri(value, uri);
}

}  // namespace

void TranslateReferences(const Message& from, Message& to, const DialogTable& dialogs) {
  for (const HeaderField& field : from.headers) {
    if (TreatmentOf(field.name) != Treatment::kReference) continue;
    std::string value;
    if (EqualsIgnoreCase(field.name, "Refer-To")) {
      value = TranslateReferTo(field.value, dialogs);
    } else if (EqualsIgnoreCase(field.name, "Target-Dialog")) {
      // RFC 4538 section 7: local-tag is the sender's, so at the receiver it is the remote one.
      value = TranslateDialogName(field.value, "remote-tag", "local-tag", dialogs);
    } else if (EqualsIgnoreCase(field.name, "In-Reply-To")) {
      for (const std::string_view call_id : SplitCommas(field.value)) {
        if (!value.empty()) value += ", ";
        value += dialogs.PartnerCallId(call_id).value_or(std::string(call_id));
      }
    } else {
      value = TranslateDialogName(field.value, "to-tag", "from-tag", dialogs);
    }
    to.Add(field.name, std::move(value));
  }
}

}  // namespace linegate::sip
