#include "dataplane/abi/region.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "dataplane/abi/flow_command.h"
#include "dataplane/abi/flow_event.h"
#include "dataplane/abi/flow_slot.h"
#include "dataplane/abi/link_region.h"
#include "dataplane/abi/punt_record.h"
#include "dataplane/abi/relay_slot.h"

namespace linegate::abi {
namespace {

std::string Errno(const char* what) { return std::string(what) + ": " + std::strerror(errno); }

/// 32 hex digits of /proc/sys/kernel/random/boot_id. All zero if unreadable (then no region is ever adopted twice).
void ReadBootId(uint8_t (&out)[16]) {
  std::memset(out, 0, sizeof out);
  const int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  char text[64] = {};
  const ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  size_t digit = 0;
  for (ssize_t i = 0; i < n && digit < 32; ++i) {
    const char c = text[i];
    const int value = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (value < 0) continue;
    out[digit / 2] = uint8_t(out[digit / 2] | (digit % 2 == 0 ? value << 4 : value));
    ++digit;
  }
}

size_t RoundUp(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

/// Names what differs, so that an operator knows which process to upgrade.
Status CheckHeader(const RegionHeader& header, size_t file_bytes, const RegionIdentity& identity) {
  const uint32_t version = header.version.load(std::memory_order_acquire);
  if (version == 0) return Fail("not ready yet");
  if (header.magic != identity.magic) return Fail("not a Linegate region of this kind");
  if ((version >> 16) != kAbiMajor) {
    return Fail("ABI version " + std::to_string(version >> 16) + ", this build speaks " +
                std::to_string(kAbiMajor));
  }
  uint32_t expected[kSizeTableEntries];
  FillSizeTable(expected);
  if (std::memcmp(expected, header.size_table, sizeof expected) != 0)
    return Fail("structure sizes differ: mixed builds");
  uint8_t boot_id[16];
  ReadBootId(boot_id);
  if (std::memcmp(boot_id, header.boot_id, sizeof boot_id) != 0) return Fail("made by another boot");
  if (header.config_hash != identity.config_hash || header.worker_count != identity.worker_count ||
      header.flows_per_worker != identity.flows_per_worker ||
      header.relays_per_worker != identity.relays_per_worker) {
    return Fail("made for another configuration");
  }
  if (header.total_bytes > file_bytes) return Fail("file shorter than its header says");
  return {};
}

/// hugetlbfs has no write(2) but supports fallocate; a full tmpfs or an exhausted huge page pool fails here, with a
/// clear error, and not with SIGBUS in the packet path.
Status Reserve(int fd, size_t bytes) {
  if (ftruncate(fd, off_t(bytes)) != 0) return Fail(Errno("ftruncate"));
  if (fallocate(fd, 0, 0, off_t(bytes)) != 0) return Fail(Errno("fallocate"));
  return {};
}

}  // namespace

void FillSizeTable(uint32_t (&table)[kSizeTableEntries]) {
  const uint32_t sizes[] = {sizeof(RegionHeader),     sizeof(LinkHeader),
                            sizeof(RingHeader),       sizeof(RecordHeader),
                            sizeof(FlowConfig),       sizeof(ProgramFlow),
                            sizeof(InstallKeys),      sizeof(RemoveFlow),
                            sizeof(CommandDone),      sizeof(PathEvent),
                            sizeof(FlowEvent),        sizeof(PuntRecord),
                            sizeof(InjectRecord),     sizeof(WorkerCounters),
                            sizeof(FlowStats),        sizeof(SocketAddress),
                            sizeof(FlowSlot),         sizeof(RelayConfig),
                            sizeof(RelayPeer),        sizeof(RelaySlot),
                            sizeof(RelayStats),       sizeof(ProgramRelay),
                            sizeof(SetRelayPeer),     sizeof(TurnPuntRecord),
                            sizeof(RelayPuntRecord),  sizeof(ListenerInjectRecord),
                            sizeof(RelayInjectRecord)};
  static_assert(std::size(sizes) <= kSizeTableEntries);
  std::fill(std::begin(table), std::end(table), 0u);
  std::copy(std::begin(sizes), std::end(sizes), std::begin(table));
}

Region::Region(Region&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

Region& Region::operator=(Region&& other) noexcept {
  if (this != &other) {
    Unmap();
    path_ = std::move(other.path_);
    fd_ = std::exchange(other.fd_, -1);
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

Region::~Region() { Unmap(); }

void Region::Unmap() {
  if (data_ != nullptr) munmap(data_, size_);
  if (fd_ >= 0) close(fd_);
  data_ = nullptr;
  fd_ = -1;
}

Result<Region> Region::Create(const std::string& path, size_t bytes, unsigned mode,
                              const RegionIdentity& identity, bool* existing) {
  Region region;
  region.path_ = path;
  region.fd_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, mode);
  if (region.fd_ < 0) return Fail(path + ": " + Errno("open"));
  if (flock(region.fd_, LOCK_EX | LOCK_NB) != 0) return Fail(path + ": another dataplane owns it");
  if (fchmod(region.fd_, mode) != 0) return Fail(path + ": " + Errno("fchmod"));
  struct statfs fs = {};
  if (fstatfs(region.fd_, &fs) != 0) return Fail(path + ": " + Errno("fstatfs"));
  region.size_ = RoundUp(bytes, size_t(fs.f_bsize));
  struct stat st = {};
  if (fstat(region.fd_, &st) != 0) return Fail(path + ": " + Errno("fstat"));
  const bool same_size = size_t(st.st_size) == region.size_;
  if (!same_size && ftruncate(region.fd_, 0) != 0) return Fail(path + ": " + Errno("ftruncate"));
  if (auto reserved = Reserve(region.fd_, region.size_); !reserved) {
    return Fail(path + ": " + std::to_string(region.size_) + " bytes: " + reserved.error().message());
  }
  void* mapped = mmap(nullptr, region.size_, PROT_READ | PROT_WRITE, MAP_SHARED, region.fd_, 0);
  if (mapped == MAP_FAILED) return Fail(path + ": " + Errno("mmap"));
  region.data_ = static_cast<uint8_t*>(mapped);
  madvise(mapped, region.size_, MADV_DONTDUMP);
  (void)madvise(mapped, region.size_, MADV_HUGEPAGE);  // a tmpfs mounted with huge=advise grants it
  // Best effort: RLIMIT_MEMLOCK may forbid it, and huge pages are never swapped anyway.
  (void)mlock(mapped, region.size_);
  *existing = same_size && CheckHeader(*region.header(), region.size_, identity).has_value();
  if (!*existing) std::memset(region.data_, 0, region.size_);
  return region;
}

Result<Region> Region::Attach(const std::string& path, const RegionIdentity& identity) {
  Region region;
  region.path_ = path;
  region.fd_ = open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (region.fd_ < 0) return Fail(path + ": " + Errno("open"));
  struct stat st = {};
  if (fstat(region.fd_, &st) != 0) return Fail(path + ": " + Errno("fstat"));
  if (size_t(st.st_size) < sizeof(RegionHeader)) return Fail(path + ": not ready yet");
  region.size_ = size_t(st.st_size);
  void* mapped = mmap(nullptr, region.size_, PROT_READ | PROT_WRITE, MAP_SHARED, region.fd_, 0);
  if (mapped == MAP_FAILED) return Fail(path + ": " + Errno("mmap"));
  region.data_ = static_cast<uint8_t*>(mapped);
  madvise(mapped, region.size_, MADV_DONTDUMP);
  if (auto checked = CheckHeader(*region.header(), region.size_, identity); !checked) {
    return Fail(path + ": " + checked.error().message());
  }
  return region;
}

void Region::Publish(const RegionIdentity& identity) {
  RegionHeader& h = *header();
  h.magic = identity.magic;
  h.total_bytes = size_;
  ReadBootId(h.boot_id);
  h.config_hash = identity.config_hash;
  h.worker_count = identity.worker_count;
  h.flows_per_worker = identity.flows_per_worker;
  h.relays_per_worker = identity.relays_per_worker;
  FillSizeTable(h.size_table);
  h.version.store(uint32_t(kAbiMajor) << 16 | kAbiMinor, std::memory_order_release);
}

void Region::Withdraw() { header()->version.store(0, std::memory_order_release); }

void Region::Destroy() {
  if (data_ == nullptr) return;
  Withdraw();
  explicit_bzero(data_, size_);
  unlink(path_.c_str());
  Unmap();
}

}  // namespace linegate::abi
