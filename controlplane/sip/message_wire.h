#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/sip/message.h"
#include "dataplane/base/result.h"

/// A SIP message as bytes (RFC 3261 section 7): our limits and the cut into raw header fields, and the way
/// back. This half knows framing only; whether the fields make sense is judged by the parser behind
/// MessageParser. Both halves together decide what enters the gateway.
///
/// Byte-exactness. A header value survives Split -> Message -> Serialise unchanged, except that folded lines
/// are joined by one space (RFC 3261 section 7.3.1 calls the forms equivalent), blanks around the value go,
/// and compact names are written in full. Header order is kept; Via and Content-Length are rewritten by the
/// transport.
namespace linegate::sip {

struct WireLimits {
  size_t message_bytes = 64 * 1024;  ///< over it: 513
  size_t headers = 128;              ///< over it: 400
  size_t header_line_bytes = 8192;   ///< one field, folds included; over it: 400 (414 for the Request-Line)
};

/// The topmost Via of a message: what transactions are matched by (RFC 3261 section 17.2.3).
struct TopVia {
  std::string transport;  ///< "WSS", "UDP" ... as it stands
  std::string sent_by;    ///< host[:port] as it stands
  std::string branch;     ///< empty when absent
};

struct ParsedMessage {
  Message message;                ///< without Via and Content-Length
  std::vector<std::string> vias;  ///< raw Via field values, topmost first
  TopVia top_via;
};

/// Why a message was refused. When it is a request that can be answered (it has Via, From, To, Call-ID and
/// CSeq, and is no ACK), `request` holds what the answer needs.
struct ParseError {
  int status;  ///< 400, 414, 505, 513
  std::string reason;
  std::optional<ParsedMessage> request;
};
using ParseResult = Result<ParsedMessage, ParseError>;

/// Bytes to message. Stateless; one instance may serve everybody.
class MessageParser {
 public:
  virtual ~MessageParser() = default;
  virtual ParseResult Parse(std::string_view bytes) const = 0;
};

/// Cuts one whole message (a WebSocket message or a datagram) into fields. Refuses: sizes over `limits`, a
/// start line or field that is none, bare CR or LF or NUL in the header, no end of header, a Content-Length
/// that lies (what follows the body would be a second message), a missing mandatory header (RFC 3261
/// section 8.1.1; Max-Forwards is supplied as 70 when missing, section 16.6), another SIP version.
ParseResult SplitMessage(std::string_view bytes, const WireLimits& limits);

/// Start line, Vias, headers in their order, Content-Length, body.
std::string Serialise(const Message& message, const std::vector<std::string>& vias);

/// A response with what every response repeats (RFC 3261 sections 8.2.6.1 and 8.2.6.2): From, To as it
/// stands, Call-ID, CSeq; Timestamp in a 100.
Message MakeResponse(const Message& request, int status, std::string_view reason);

/// What ties an ACK or CANCEL to its INVITE: Call-ID, CSeq number and From tag (RFC 3261 sections 13.2.2.4
/// and 9.1).
std::string InviteIdentity(const Message& message);

/// CANCEL, or ACK for a failure, made from the INVITE as it was sent (RFC 3261 sections 9.1 and 17.1.1.3).
/// `to` is the INVITE's for CANCEL, the response's for ACK.
Message MakeCompanion(const Message& invite, std::string_view method, std::string_view to);

/// One Via element: "SIP/2.0/WSS host:port;branch=...". nullopt if malformed.
std::optional<TopVia> ParseVia(std::string_view element);

}  // namespace linegate::sip
