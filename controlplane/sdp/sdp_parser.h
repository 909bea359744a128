#pragma once
#include <cstddef>
#include <string>
#include <string_view>

#include "controlplane/sdp/sdp_model.h"
#include "dataplane/base/result.h"

namespace linegate::sdp {

inline constexpr size_t kMaxBytes = 64 * 1024;
inline constexpr size_t kMaxLines = 512;
inline constexpr size_t kMaxMediaSections = 16;

/// Where and why a description is not SDP.
struct ParseError {
  size_t line = 0;  ///< counted from 1; 0: the description as a whole
  std::string message;
  std::string ToString() const;
};

/// Parses RFC 8866 grammar as far as structure goes: "x=..." lines, v= first, o= well formed, m= well formed.
/// Lines may end with CRLF, LF or CR LF mixed (deployed phones), the last line may lack its end. The order of
/// session lines is not judged, s= and t= may be missing; attribute values are not looked at. Errors: too
/// large, too many lines or m-lines, no v= first, no o=, malformed o= or m=, a line that is not "x=...".
Result<SessionDescription, ParseError> Parse(std::string_view text);

}  // namespace linegate::sdp
