#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace linegate::sip {

/// One header field as it stood in the message: `name` as received (compact forms already expanded), `value` the raw
/// bytes between colon and CRLF, trimmed, unfolded. Order is kept; a repeated header is a repeated field.
struct HeaderField {
  std::string name;
  std::string value;
};

/// A SIP message as the B2BUA sees it: raw text, because the pass-through contract (docs/architecture.md) relays most of
/// it byte-exact. The parser behind it (sofia-sip, in controlplane/net) has validated the message before; Via headers
/// are never here: they belong to the transport.
struct Message {
  // Request: `method` and `request_uri` set. Response: `status` >= 100 and `reason` set.
  std::string method;
  std::string request_uri;
  int status = 0;
  std::string reason;
  std::vector<HeaderField> headers;
  std::string body;

  bool is_request() const { return status == 0; }
  /// First field of that name (case-insensitive), or nullopt.
  std::optional<std::string_view> Get(std::string_view name) const;
  std::vector<std::string_view> GetAll(std::string_view name) const;
  bool Has(std::string_view name) const { return Get(name).has_value(); }
  /// Replaces the first field of that name and removes its repetitions; appends if there is none.
  void Set(std::string_view name, std::string value);
  void Add(std::string_view name, std::string value);
  void Remove(std::string_view name);
};

}  // namespace linegate::sip
