#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace linegate::net {

/// RFC 7118 section 4.1: the value `sip` must be among the offered subprotocols (a list per RFC 6455
/// section 4.1).
bool OffersSipSubprotocol(std::string_view sec_websocket_protocol);

/// RFC 6455 section 10.2: with an empty list every page may connect; else the Origin field must name one of
/// the list (scheme, host and port as browsers serialise them, compared without regard to case). No Origin
/// field: refused, too.
bool OriginAllowed(const std::vector<std::string>& allowed, std::string_view origin);

}  // namespace linegate::net
