#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "controlplane/turn/credentials.h"
#include "controlplane/turn/turn_client.h"
#include "dataplane/wire/stun_message.h"

namespace linegate::turn {

enum class Integrity : uint8_t { kNone, kSha1, kSha256 };

/// All of a request that its answer needs, also an answer that has to wait.
struct Requester {
  TurnClient client;
  wire::StunMethod method = wire::StunMethod::kBinding;
  std::array<uint8_t, wire::kStunTransactionIdBytes> transaction = {};
  bool fingerprint = false;                ///< the request carried one, so the answer does
  Integrity integrity = Integrity::kNone;  ///< how the request was proved; kNone: it was not
  IntegrityKey key;

  Requester() = default;
  Requester(const TurnClient& from, const wire::StunMessageView& message)
      : client(from), method(message.method()), fingerprint(message.has_fingerprint()) {
    std::copy(message.transaction_id().begin(), message.transaction_id().end(), transaction.begin());
  }
};

/// Writes one answer: attributes through `writer()`, then Finish adds integrity and fingerprint as the request
/// had them.
class Answer {
 public:
  Answer(const Requester& requester, wire::StunClass message_class)
      : requester_(requester), writer_(buffer_, message_class, requester.method, requester.transaction) {}
  wire::StunMessageWriter& writer() { return writer_; }
  std::vector<uint8_t> Finish(TurnCrypto& crypto) {
    if (requester_.integrity == Integrity::kSha1) {
      writer_.AddMessageIntegrity(crypto.hmac_sha1(), requester_.key.view());
    } else if (requester_.integrity == Integrity::kSha256) {
      writer_.AddMessageIntegritySha256(crypto.hmac_sha256(), requester_.key.view());
    }
    if (requester_.fingerprint) writer_.AddFingerprint();
    const ByteView message = writer_.Finish();
    LG_ASSERT(!message.empty());
    return {message.begin(), message.end()};
  }

 private:
  const Requester& requester_;
  std::array<uint8_t, 1500> buffer_;
  wire::StunMessageWriter writer_;
};

}  // namespace linegate::turn
