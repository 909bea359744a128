#pragma once
#include <optional>

#include "dataplane/abi/types.h"

namespace linegate::session {

/// How the kernel would reach an address (design D2). Implemented over rtnetlink by controlplane/net.
class NextHopTable {
 public:
  virtual ~NextHopTable() = default;
  /// nullopt: not resolved yet; the table resolves it and tells through MediaSessions::OnNextHopChanged.
  virtual std::optional<abi::NextHop> Lookup(const IpAddress& address) = 0;
};

}  // namespace linegate::session
