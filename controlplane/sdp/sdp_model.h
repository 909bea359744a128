#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace linegate::sdp {

/// One line of a description: `type` and everything after "=" up to the line end, byte-exact.
struct Line {
  char type = 0;
  std::string value;
  friend bool operator==(const Line&, const Line&) = default;
};

/// Attribute access shared by session and media sections. Lines stand in the order of the description;
/// nothing is interpreted until asked for, so unknown lines survive a round trip unharmed.
struct Section {
  std::vector<Line> lines;

  /// Value after "NAME:" of the first such attribute; empty for a property attribute (a=sendrecv).
  std::optional<std::string_view> Attribute(std::string_view name) const;
  std::vector<std::string_view> Attributes(std::string_view name) const;
  bool HasAttribute(std::string_view name) const { return Attribute(name).has_value(); }
  /// First line of that type ("c").
  std::optional<std::string_view> First(char type) const;
  void Add(char type, std::string value) { lines.push_back({type, std::move(value)}); }
  void AddAttribute(std::string_view name, std::string_view value);
  void AddAttribute(std::string_view name) { lines.push_back({'a', std::string(name)}); }
};

/// m=KIND PORT[/COUNT] PROTOCOL FORMAT... (RFC 8866 section 5.14) and the lines that follow it.
struct MediaSection : Section {
  std::string kind;
  uint16_t port = 0;
  std::optional<uint32_t> port_count;
  std::string protocol;
  std::vector<std::string> formats;
};

/// o=USERNAME SESSION-ID SESSION-VERSION IN ADDRTYPE ADDRESS (RFC 8866 section 5.2).
struct Origin {
  std::string username = "-";
  uint64_t session_id = 0;
  uint64_t session_version = 0;
  std::string address_type = "IP4";
  std::string address;
};

/// A session description. v=0 is implied; o= is parsed; every other session line, s= and t= included, is in
/// `lines`.
struct SessionDescription : Section {
  Origin origin;
  std::vector<MediaSection> media;
};

}  // namespace linegate::sdp
