#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include "dataplane/base/result.h"

namespace linegate::abi {

inline constexpr uint16_t kAbiMajor = 4;
inline constexpr uint16_t kAbiMinor = 0;
inline constexpr uint32_t kLinkMagic = 0x4c474c4b;   // "LGLK"
inline constexpr uint32_t kVaultMagic = 0x4c475654;  // "LGVT"
inline constexpr uint32_t kSizeTableEntries = 48;

/// First bytes of link and vault. `version` is stored last with release: 0 = not ready yet.
struct RegionHeader {
  std::atomic<uint32_t> version{0};  ///< major << 16 | minor
  uint32_t magic = 0;
  uint64_t total_bytes = 0;
  uint8_t boot_id[16] = {};  ///< /proc/sys/kernel/random/boot_id: timestamps of another boot mean nothing
  uint64_t config_hash = 0;  ///< settings::DataplaneSettings::hash
  uint32_t worker_count = 0;
  uint32_t flows_per_worker = 0;
  uint32_t relays_per_worker = 0;
  uint32_t reserved = 0;
  /// sizeof every structure that crosses the region: catches a stale build even when nobody bumped the version.
  uint32_t size_table[kSizeTableEntries] = {};
};
static_assert(sizeof(RegionHeader) == 56 + 4 * kSizeTableEntries);

/// The size table of this build; the same function fills and checks it.
void FillSizeTable(uint32_t (&table)[kSizeTableEntries]);

struct RegionIdentity {
  uint32_t magic = 0;
  uint64_t config_hash = 0;
  uint32_t worker_count = 0;
  uint32_t flows_per_worker = 0;
  uint32_t relays_per_worker = 0;
};

/// A file mapped into both processes (link) or one (vault): hugetlbfs where `directory` is one, else any tmpfs.
/// Pre-faulted, locked where the limit allows, MADV_DONTDUMP, guarded by flock against a second owner.
class Region {
 public:
  Region() = default;
  Region(Region&& other) noexcept;
  Region& operator=(Region&& other) noexcept;
  ~Region();

  /// The owner's side. Opens or creates `path` with `mode`, takes the lock (error: another dataplane owns it), maps
  /// `bytes` (rounded up to the page size of the file system). `*existing` tells whether a complete region of the same
  /// boot, ABI major version, size table and identity was found; otherwise the memory is zeroed. The header is written
  /// by Publish().
  static Result<Region> Create(const std::string& path, size_t bytes, unsigned mode,
                               const RegionIdentity& identity, bool* existing);
  /// The other side. Errors: missing, not ready, other ABI version or size table, other configuration, too short.
  static Result<Region> Attach(const std::string& path, const RegionIdentity& identity);

  /// Stamps the header and makes the region visible to Attach.
  void Publish(const RegionIdentity& identity);
  /// Zeroes and unlinks (clean stop of the owner).
  void Destroy();
  /// Detaches readers-to-be: version back to 0 while the owner rebuilds.
  void Withdraw();

  uint8_t* data() const { return data_; }
  size_t size() const { return size_; }
  RegionHeader* header() const { return reinterpret_cast<RegionHeader*>(data_); }
  explicit operator bool() const { return data_ != nullptr; }

 private:
  void Unmap();
  std::string path_;
  int fd_ = -1;
  uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace linegate::abi
