#include "dataplane/settings/settings_overlap.h"

namespace linegate::settings {

std::optional<PortOverlap> FindOverlap(const std::vector<PortUse>& uses) {
  for (size_t later = 0; later < uses.size(); ++later) {
    for (size_t earlier = 0; earlier < later; ++earlier) {
      const PortUse &a = uses[earlier], &b = uses[later];
      if (a.address == b.address && a.first <= b.last && b.first <= a.last) return PortOverlap{&a, &b};
    }
  }
  return std::nullopt;
}

}  // namespace linegate::settings
