#pragma once
#include <string>
#include <string_view>

#include "controlplane/sip/keyed_hash.h"
#include "dataplane/base/secret.h"

namespace linegate::sip {

/// Names that hide one side of a call from the other: keyed hashes of the original, so that a challenge and
/// its retry, a refresh and the registration before it, share them, also after a restart (design D8). Nobody
/// without the key can find the original or make a valid one.
class Identity {
 public:
  /// `hashes` must outlive the object.
  Identity(const HashFunctions& hashes, const SecretBytes<32>& key) : hashes_(hashes), key_(key) {}

  /// The Call-ID under which the other side sees the dialog `call_id`.
  std::string CallId(std::string_view call_id) const;
  /// The From tag of a request of ours made from one with this Call-ID and From tag. `scope` tells apart the
  /// branches of one call and the forks of one SIP Server (a contact's token; empty towards the SIP Server).
  std::string Tag(std::string_view call_id, std::string_view tag, std::string_view scope) const;
  /// The user part of our Contact at the SIP Server for one contact of one user.
  std::string ContactToken(std::string_view aor, std::string_view instance_or_contact) const;

 private:
  std::string Name(std::string_view purpose, std::string_view a, std::string_view b, std::string_view c,
                   size_t length) const;

  const HashFunctions& hashes_;
  SecretBytes<32> key_;
};

}  // namespace linegate::sip
