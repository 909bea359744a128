#pragma once
#include "dataplane/nodes/node_context.h"

namespace linegate::nodes {

/// Puts `message` into packet `i` in place of what it carried and turns it round to whoever sent it: same
/// addresses, same port, back to the source MAC (design D2). Drops it if the message does not fit.
void ReplyInPlace(PacketBatch& batch, size_t i, ByteView message, NodeContext& context);
/// The same from another address or port of ours, or to another port of theirs.
void ReplyInPlace(PacketBatch& batch, size_t i, ByteView message, const Endpoint& from, const Endpoint& to,
                  NodeContext& context);

/// Answers a plain Binding request without state (RFC 8489 section 7.3.1; with FINGERPRINT if the request has
/// one) and drops everything else. 420 for comprehension-required attributes that a plain STUN server does
/// not know. Credentials are not looked at: a basic server uses none (RFC 8489 section 12). Limited per source,
/// because whoever forges a source aims the answer at somebody else.
void AnswerPlainBinding(PacketBatch& batch, size_t i, const wire::StunMessageView& request,
                        NodeContext& context);

/// The same on a listener port: attributes of TURN are known on TURN listeners, those of RFC 5780 where the realm has
/// an `other_realm` (stun_discovery.h).
void AnswerListenerBinding(PacketBatch& batch, size_t i, const wire::StunMessageView& request,
                           NodeContext& context);

/// The node of Route::kStunListener.
void StunListener(PacketBatch& batch, NodeContext& context);

}  // namespace linegate::nodes
