#pragma once
#include <string>
#include <string_view>

namespace linegate::net {

/// What the web server says about one request, apart from the body's bytes.
struct HttpResponseHead {
  unsigned status = 200;
  std::string_view content_type;  ///< empty: no body
  size_t content_length = 0;
  enum class Connection { kKeepAlive, kClose } connection = Connection::kKeepAlive;
  std::string_view extra_fields;  ///< complete header lines, each with CRLF
};

/// Serialises status line and header fields, with the security headers every response of ours carries:
/// `no-cache` (a phone page must not be a version behind its gateway), a content security policy that allows
/// the page's own scripts and WSS and nothing foreign, no MIME sniffing, microphone for this origin alone. No
/// HSTS: a self-signed start would lock the operator out of his own page.
std::string FormatHttpResponseHead(const HttpResponseHead& head);

/// Reason phrase of RFC 9110 section 15 for the codes we use; "Error" otherwise.
std::string_view HttpReason(unsigned status);

}  // namespace linegate::net
