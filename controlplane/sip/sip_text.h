#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/sip/message.h"

/// Small pure readers and editors of raw SIP header values (RFC 3261 section 25.1), for a B2BUA that relays
/// most bytes untouched. Readers return views into their argument and never allocate but for the vectors they
/// return; editors change the one thing they name and keep every other byte. All are linear in the length of
/// their input, which the transports have bounded (64 KiB a message, 8 KiB a header line), and none fails on
/// malformed input other than by nullopt or by reading it as one opaque piece.
namespace linegate::sip {

/// ASCII case-insensitive: header names, methods are NOT compared with this (they are case-sensitive), hosts,
/// tokens.
bool EqualsIgnoreCase(std::string_view a, std::string_view b);
/// Without leading and trailing SP, HTAB, CR, LF.
std::string_view Trim(std::string_view text);
/// Unsigned decimal without sign or blanks, at most `max`; nullopt otherwise.
std::optional<uint64_t> ParseNumber(std::string_view text, uint64_t max);
/// "v" -> "Via"; any other name is returned as it is (RFC 3261 section 7.3.3, RFC 3515, 3265, 4028 and
/// others).
std::string_view ExpandCompactName(std::string_view name);
/// "%41" -> "A". nullopt when an escape is malformed or decodes to NUL, CR or LF.
std::optional<std::string> PercentDecode(std::string_view text);

// ---- lists

/// Elements of a comma-separated header, trimmed; commas inside quoted strings and <> do not separate. Empty
/// elements are dropped.
std::vector<std::string_view> SplitCommas(std::string_view value);
/// Elements of every field of that name, in order (Supported, Require, Allow, Route, Contact ...).
std::vector<std::string_view> ListValues(const Message& message, std::string_view name);
/// Whether `token` is an element of the list header `name` (case-insensitive; parameters after ';' are
/// ignored).
bool ListHas(const Message& message, std::string_view name, std::string_view token);
/// The list value without elements equal to one of `tokens` (case-insensitive), joined with ", "; byte-exact
/// when there is none of them.
std::string WithoutTokens(std::string_view value, const std::vector<std::string_view>& tokens);

// ---- parameters: `;name=value` after the first semicolon outside quotes and <>

struct Param {
  std::string_view name;
  std::optional<std::string_view> value;  ///< as it stands, quotes included; nullopt for a bare name
};
/// Parameters of a header value ("<sip:a@b>;tag=1", "presence;id=7", "1800;refresher=uac").
std::vector<Param> Params(std::string_view header_value);
/// First parameter of that name: its value ("" for a bare name), or nullopt when absent.
std::optional<std::string_view> GetParam(std::string_view header_value, std::string_view name);
/// Replaces the value of the first such parameter where it stands, or appends the parameter. Empty `value`:
/// bare name.
std::string SetParam(std::string_view header_value, std::string_view name, std::string_view value);
/// Removes every parameter of that name.
std::string RemoveParam(std::string_view header_value, std::string_view name);
/// Everything before the parameters, trimmed ("presence" of "presence;id=7").
std::string_view WithoutParams(std::string_view header_value);

// ---- name-addr and addr-spec (From, To, Contact, Route, Refer-To ...)

struct NameAddr {
  std::string_view display;  ///< as it stands, quotes included; empty when absent
  std::string_view uri;      ///< without <>; "*" for Contact: *
  std::string_view params;  ///< from the first ';' of the header's own parameters to the end; empty when none
};
/// One element (split lists first). In the form without <>, parameters belong to the header (RFC 3261
/// section 20.10).
std::optional<NameAddr> ParseNameAddr(std::string_view element);
/// The same element with another URI, always in <>; display and parameters keep their bytes.
std::string WithUri(std::string_view element, std::string_view uri);
/// The tag of a From or To value.
std::optional<std::string_view> GetTag(std::string_view from_or_to);

// ---- URIs

struct Uri {
  std::string_view scheme;  ///< as it stands: "sip", "sips", "tel" ...
  std::string_view
      user;  ///< escaped as it stands, without password; for other schemes than sip(s): the whole rest
  std::string_view host;  ///< with [] for an IPv6 reference; empty for other schemes
  std::optional<uint16_t> port;
  std::string_view params;   ///< from the first ';', empty when none
  std::string_view headers;  ///< after '?', empty when none
  bool is_sip() const { return EqualsIgnoreCase(scheme, "sip") || EqualsIgnoreCase(scheme, "sips"); }
};
std::optional<Uri> ParseUri(std::string_view uri);
/// Value of a URI parameter ("" for a bare one: `ob`, `lr`), or nullopt.
std::optional<std::string_view> GetUriParam(std::string_view uri, std::string_view name);
/// Hosts as RFC 3261 section 19.1.4 compares them: case-insensitive names; IP addresses by value.
bool SameHost(std::string_view a, std::string_view b);

// ---- CSeq

struct CSeq {
  uint32_t number;
  std::string_view method;
};
/// RFC 3261 section 8.1.1.5: number < 2^31.
std::optional<CSeq> ParseCSeq(std::string_view value);

}  // namespace linegate::sip
