#pragma once
#include <cstdint>
#include <string>
#include <variant>

#include "controlplane/sip/message.h"
#include "dataplane/base/net_address.h"
#include "dataplane/base/strong_type.h"

/// The seam between the SIP transports (WSS transaction layer, sofia's nta on the trunk) and the B2BUA core. Both sides
/// are values: transports turn bytes and timers into Events, the core answers with Actions, and tests compare lists.
///
/// Division of labour. Transports own: Via, branch, retransmission, absorbing ACK for non-2xx and retransmitted
/// requests, 100 Trying towards the trunk after 200 ms, retransmitting our 2xx until its ACK, matching CANCEL, timers
/// of RFC 3261 section 17, Content-Length. The core owns: everything else (dialogs, routing, headers, bodies).
namespace linegate::sip {

/// Allocated by the transport that received the request; unique over all transports.
using ServerTransactionId = StrongType<struct ServerTransactionTag, uint64_t>;
/// Allocated by the core when it sends a request.
using ClientTransactionId = StrongType<struct ClientTransactionTag, uint64_t>;
/// One WebSocket connection. Never reused.
using FlowToken = StrongType<struct FlowTokenTag, uint64_t>;

/// The browser behind one WebSocket connection.
struct WssPeer {
  FlowToken flow;
  friend bool operator==(const WssPeer&, const WssPeer&) = default;
};
/// The SIP Server or a peer behind it. `next_hop` is the address a request is sent to; `prefer_tcp` asks for TCP even
/// for small requests (large ones go by TCP anyway, RFC 3261 section 18.1.1).
struct TrunkPeer {
  Endpoint next_hop;
  bool prefer_tcp = false;
  friend bool operator==(const TrunkPeer&, const TrunkPeer&) = default;
};
using Peer = std::variant<WssPeer, TrunkPeer>;

// ---- events into the core

/// A new request, or an ACK for a 2xx (then `transaction` is 0 and no response may be sent).
struct RequestReceived {
  ServerTransactionId transaction;
  Peer from;
  Endpoint source;  ///< transport address it came from: for logs and policy, never written into a message
  Message request;
};
/// The peer cancelled this INVITE. The transport has answered the CANCEL with 200; the core must end the INVITE (487).
struct CancelReceived {
  ServerTransactionId transaction;
  Message cancel;
};
/// Provisional (except 100) or final response to a request of ours.
struct ResponseReceived {
  ClientTransactionId transaction;
  Peer from;
  Message response;
};
enum class FailureReason : uint8_t { kTimeout, kTransport };
/// No final response will come: treat as 408 (kTimeout) or 503 (kTransport), RFC 3261 section 8.1.3.1.
struct ClientTransactionFailed {
  ClientTransactionId transaction;
  FailureReason reason;
};
/// Our 2xx to an INVITE was never acknowledged (64*T1): the core ends the dialog with BYE, RFC 3261 section 13.3.1.4.
struct AckTimedOut {
  ServerTransactionId transaction;
};
struct FlowOpened {
  FlowToken flow;
  Endpoint source;
};
struct FlowClosed {
  FlowToken flow;
};
using Event = std::variant<RequestReceived, CancelReceived, ResponseReceived, ClientTransactionFailed,
                           AckTimedOut, FlowOpened, FlowClosed>;

// ---- actions out of the core

/// `request` has no Via and no Content-Length: the transport adds them. ACK for a 2xx: method "ACK", transaction 0.
struct SendRequest {
  ClientTransactionId transaction;
  Peer to;
  Message request;
};
/// `response` carries From, To (with tag), Call-ID, CSeq and the rest; the transport adds the Vias of the request.
struct SendResponse {
  ServerTransactionId transaction;
  Message response;
};
/// Cancel an INVITE of ours. The transport holds the CANCEL back until a provisional response came (RFC 3261 section 9.1).
struct CancelRequest {
  ClientTransactionId transaction;
};
/// Close a WebSocket with a status code (RFC 6455 section 7.4).
struct CloseFlow {
  FlowToken flow;
  uint16_t code;
};
using Action = std::variant<SendRequest, SendResponse, CancelRequest, CloseFlow>;

}  // namespace linegate::sip
