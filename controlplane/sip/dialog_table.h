#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "controlplane/sip/dialog.h"
#include "dataplane/base/strong_type.h"

namespace linegate::sip {

/// The core's name of a call (not the broker's).
using CallKey = StrongType<struct CallKeyTag, uint64_t>;

/// All our dialogs by (Call-ID, local tag, remote tag). Never by Call-ID alone: in a hairpin through the SIP
/// Server both our legs share one Call-ID, with mirrored tags. Each dialog knows the one on the other side of
/// its call (for a caller with several early dialogs: the one chosen last), so that headers which name a
/// dialog can be translated.
class DialogTable {
 public:
  struct Entry {
    CallKey call;
    std::optional<DialogKey> partner;
  };
  void Add(const DialogKey& key, CallKey call);
  void Remove(const DialogKey& key);
  /// `a` is seen through `b` on the other side. Both must be in the table.
  void SetPartner(const DialogKey& a, const DialogKey& b);
  /// Null when unknown; valid until the table changes.
  const Entry* Find(const DialogKey& key) const;
  /// Call-ID on the other side of any dialog with this one.
  std::optional<std::string> PartnerCallId(std::string_view call_id) const;
  size_t size() const { return entries_.size(); }

 private:
  std::map<DialogKey, Entry> entries_;
};

/// Replaces, Join, Target-Dialog, Refer-To and In-Reply-To of `from`, rewritten for the other side and
/// appended to `to`. A dialog or Call-ID that is not ours crosses as it is: it may live beyond us.
void TranslateReferences(const Message& from, Message& to, const DialogTable& dialogs);

}  // namespace linegate::sip
