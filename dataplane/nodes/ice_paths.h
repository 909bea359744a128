#pragma once
#include <cstdint>

#include "dataplane/nodes/node_context.h"

/// Which remote address a WebRTC leg uses (design D6). Theory of operation:
///
///   validated   up to 4 addresses whose connectivity check verified; DTLS and SRTP are taken from these alone. An
///               address of a leg that has consent is never taken over by another leg
///   selected    where media and DTLS go. Before nomination: the source of the newest verified check. Afterwards
///               only USE-CANDIDATE moves it:
///                 same IP address     at once
///                 another IP address  once proven: our own Binding request to it was answered, or authenticated
///                                     SRTP came from it while the old path was silent for a second. A caller who
///                                     knows the password could otherwise aim its stream at a victim by one
///                                     spoofed check
///               at most one move a second; within it a path of higher PRIORITY waits for its end, others are
///               ignored (the peer repeats USE-CANDIDATE with every check)
///   consent     30 s without a verified check: the leg is dead (RFC 7675 section 5.1), its path is withdrawn; a
///               later check brings it back. SRTP is no consent
///
/// We are a lite agent and never nominate. Our own Binding requests are proofs of address, not connectivity checks of
/// the ICE procedure: they carry ICE-CONTROLLED and no USE-CANDIDATE.
namespace linegate::nodes {

inline constexpr uint64_t kConsentNs = 30'000'000'000;       // RFC 7675 section 5.1
inline constexpr uint64_t kMoveIntervalNs = 1'000'000'000;   // design D6
inline constexpr uint64_t kSilenceNs = 1'000'000'000;        // design D6
inline constexpr uint64_t kFirstRetransmitNs = 500'000'000;  // RFC 8489 section 6.2.1
inline constexpr uint8_t kVerificationSends = 4;

enum class Nomination : uint8_t { kNone, kUseCandidate };
/// During an ICE restart checks with the credentials before it keep consent and their address, but choose
/// nothing.
enum class CredentialAge : uint8_t { kCurrent, kPrevious };

/// A connectivity check whose integrity was verified.
struct VerifiedCheck {
  uint8_t local_index = 0;  ///< into Ingress::local
  abi::SocketAddress remote;
  abi::NextHop next_hop;  ///< back to where it came from
  uint32_t priority = 0;
  Nomination nomination = Nomination::kNone;
  CredentialAge credentials = CredentialAge::kCurrent;
};

/// False: the address belongs to another leg that has consent; nothing was learned.
bool OnVerifiedCheck(uint32_t flow, const VerifiedCheck& check, NodeContext& context);

/// Authenticated media came from the path that is being proven.
void OnMediaFromUnprovenPath(uint32_t flow, uint8_t path, NodeContext& context);

/// SRTP or SRTCP from `path` was authenticated.
inline void OnAuthenticatedMedia(uint32_t flow, uint8_t path, NodeContext& context) {
  context.slots[flow].ice.paths[path].last_media_ns = context.now_ns;
  if (context.runtime[flow].verifying == path) [[unlikely]]
    OnMediaFromUnprovenPath(flow, path, context);
}

/// The path that a Binding response with this transaction would prove; kNoPath: nobody waits for it.
uint8_t VerifyingPath(uint32_t flow, ByteView transaction_id, const NodeContext& context);
/// Such a response arrived from that path and its integrity was verified.
void OnPathProven(uint32_t flow, uint8_t path, NodeContext& context);

/// The flow's timer: consent, retransmission of our own check, the deferred move. Arms itself again.
void OnIceTimer(uint32_t flow, NodeContext& context);
void ArmIceTimer(uint32_t flow, NodeContext& context);

/// Forgets everything learned about the leg (the flow is removed).
void ForgetPaths(uint32_t flow, NodeContext& context);

}  // namespace linegate::nodes
