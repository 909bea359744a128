#pragma once
#include <string>
#include <string_view>

#include "controlplane/sip/message.h"

namespace linegate::sip {

/// The header part of the pass-through contract (design D8): every header crosses byte-exact but those below.
enum class Treatment : uint8_t {
  kCopy,       ///< crosses byte-exact; the default for names not in the table
  kOwn,        ///< of the transaction, the dialog or the hop: made anew on the other side, never copied
  kReference,  ///< names another dialog: translated (dialog_references.h), never copied
  kOptions,    ///< option tags: crosses without those that describe a hop we end (outbound, path, gruu, ice)
  kCredential  ///< crosses towards whoever challenged, which is never another browser
};
Treatment TreatmentOf(std::string_view header_name);

enum class Credentials : uint8_t {
  kCross,  ///< between a browser and the SIP Server
  kStrip,  ///< between two browsers of a local domain: the challenge was ours
};

/// Appends to `to` the headers of `from` that cross, in their order. kReference headers are left out.
void CopyHeaders(const Message& from, Message& to, Credentials credentials);

/// Body of `from` with its Content-* headers as they stand (copied by CopyHeaders) and nothing else.
enum class BodyKind : uint8_t { kNone, kSdp, kMultipartWithSdp, kOther };
BodyKind BodyKindOf(const Message& message);
/// Replaces the body by `sdp`.
void SetSdpBody(Message& message, std::string sdp);
/// Removes body and Content-* headers.
void RemoveBody(Message& message);

/// Removes `auth-int` from the challenges of a 401 or 407 to a request that had a body.
void RemoveAuthInt(Message& response);

}  // namespace linegate::sip
