#pragma once
#include "dataplane/nodes/node_context.h"

namespace linegate::nodes {

/// STUN on a WebRTC port (RFC 8445 section 7.3 for a lite agent; RFC 8489 section 9.1). Theory of operation:
///
///   | message                                             | then                                               |
///   |-----------------------------------------------------|----------------------------------------------------|
///   | request without USERNAME and MESSAGE-INTEGRITY      | answered as a plain STUN server does               |
///   | only one of the two                                 | 400                                                |
///   | USERNAME names no leg, MESSAGE-INTEGRITY is wrong   | 401; nothing is learned                            |
///   | unknown comprehension-required attribute            | 420, signed                                        |
///   | ICE-CONTROLLED                                      | 487, signed: a lite agent never switches           |
///   | connectivity check                                  | success, signed; the address is learned            |
///   | response to our own Binding request                 | proves its address (ice_paths.h)                   |
///   | anything else                                       | dropped                                            |
///
/// Error responses are limited per leg and per worker; above the limit the packet is dropped with its own reason.
/// The HMAC is always computed, so that a stranger who read a ufrag cannot use up the leg's budget and lock it out.
void StunLeg(PacketBatch& batch, NodeContext& context);

}  // namespace linegate::nodes
