#pragma once
#include <cstdint>
#include <span>

#include "dataplane/abi/flow_slot.h"
#include "dataplane/abi/link_region.h"
#include "dataplane/abi/region.h"
#include "dataplane/abi/relay_slot.h"
#include "dataplane/base/result.h"
#include "dataplane/base/rng.h"
#include "dataplane/settings/settings.h"

namespace linegate::app {

/// Link and vault (design D1), as their owner. Opening them is also the lock against a second dataplane.
///
/// Theory of operation. Both are adopted or both are new: slots without the rings that filled them, or the
/// other way round, would be half a truth. Open leaves an adopted link visible all the time, so that being
/// killed once more loses nothing; a new one becomes visible with Publish, when the workers run. Destruction
/// unmaps and leaves the files for the next start; Destroy zeroes and removes them.
class SharedMemory {
 public:
  enum class Origin : uint8_t { kNew, kAdopted };

  /// Errors: names the file; another dataplane owns it, or memory is short.
  static Result<SharedMemory> Open(const settings::DataplaneSettings& settings, Rng& rng);
  SharedMemory(SharedMemory&&) noexcept = default;
  SharedMemory& operator=(SharedMemory&&) noexcept = default;

  abi::LinkRegion link() const { return {link_.data(), layout_}; }
  std::span<abi::FlowSlot> SlotsOf(uint16_t worker) const;
  std::span<abi::RelaySlot> RelaysOf(uint16_t worker) const;
  Origin origin() const { return origin_; }
  /// Tells the control plane that a dataplane serves the link.
  void Publish();
  void Destroy();

 private:
  SharedMemory(abi::Region link, abi::Region vault, const settings::DataplaneSettings& settings,
               Origin origin);

  abi::Region link_;
  abi::Region vault_;
  abi::LinkLayout layout_;
  abi::RegionIdentity link_identity_;
  abi::RegionIdentity vault_identity_;
  Origin origin_;
};

}  // namespace linegate::app
