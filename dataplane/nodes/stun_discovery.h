#pragma once
#include <optional>

#include "dataplane/base/net_address.h"
#include "dataplane/flow/local_ports.h"
#include "dataplane/wire/stun_message.h"

namespace linegate::nodes {

/// How a Binding response differs from a plain one where a realm names its `other_realm` (RFC 5780 section 6).
struct DiscoveryReply {
  Endpoint source;            ///< where it is sent from
  uint16_t destination_port;  ///< of the requester
  Endpoint origin;            ///< RESPONSE-ORIGIN: `source` as the outside names it
  Endpoint other;             ///< OTHER-ADDRESS: the other address and the other port, likewise
  size_t padding_bytes;       ///< PADDING as long as the request's, so that nothing is amplified; 0: none
};

/// nullopt: PADDING together with RESPONSE-PORT (section 7.5 forbids it: 400), or no port in it. `arrived` is the listener, `discovery` its
/// alternate address and port.
std::optional<DiscoveryReply> ReadDiscovery(const wire::StunMessageView& request, const Endpoint& arrived,
                                            const Endpoint& requester, const flow::Discovery& discovery);

void AddDiscovery(wire::StunMessageWriter& writer, const DiscoveryReply& reply);

}  // namespace linegate::nodes
