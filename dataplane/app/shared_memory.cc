#include "dataplane/app/shared_memory.h"

#include <pwd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "dataplane/worker/worker.h"

namespace linegate::app {
namespace {

constexpr size_t kSlotsOffset = 4096;  // behind the RegionHeader, on a page of its own
constexpr unsigned kLinkMode = 0660;
constexpr unsigned kVaultMode = 0600;  // keys: the process that parses SIP and TLS cannot read them

abi::RegionIdentity IdentityOf(const settings::DataplaneSettings& settings, uint32_t magic) {
  return {magic, settings.hash, settings.workers, settings.flows_per_worker, settings.relays_per_worker};
}

abi::LinkLayout LayoutOf(const settings::DataplaneSettings& settings) {
  return {settings.workers, settings.flows_per_worker, settings.relays_per_worker};
}

size_t VaultBytes(const settings::DataplaneSettings& settings) {
  return kSlotsOffset + size_t{settings.workers} * (settings.flows_per_worker * sizeof(abi::FlowSlot) +
                                                    settings.relays_per_worker * sizeof(abi::RelaySlot));
}

/// The link file alone is the control plane's: its group may read and write it.
Status GiveToGroupOf(const std::string& user, const std::string& path) {
  if (user.empty()) return {};
  const passwd* account = getpwnam(user.c_str());
  if (account == nullptr) return Fail("[dataplane] controlplane_user: no account is called '" + user + "'");
  if (chown(path.c_str(), uid_t(-1), account->pw_gid) != 0)
    return Fail(path + ": chown: " + std::strerror(errno));
  return {};
}

}  // namespace

SharedMemory::SharedMemory(abi::Region link, abi::Region vault, const settings::DataplaneSettings& settings,
                           Origin origin)
    : link_(std::move(link)),
      vault_(std::move(vault)),
      layout_(LayoutOf(settings)),
      link_identity_(IdentityOf(settings, abi::kLinkMagic)),
      vault_identity_(IdentityOf(settings, abi::kVaultMagic)),
      origin_(origin) {}

Result<SharedMemory> SharedMemory::Open(const settings::DataplaneSettings& settings, Rng& rng) {
  const abi::LinkLayout layout = LayoutOf(settings);
  bool vault_existing = false, link_existing = false;
  auto vault = abi::Region::Create(abi::VaultPath(settings.runtime_directory), VaultBytes(settings),
                                   kVaultMode, IdentityOf(settings, abi::kVaultMagic), &vault_existing);
  if (!vault) return MakeUnexpected(std::move(vault).error());
  auto link = abi::Region::Create(abi::LinkPath(settings.runtime_directory), layout.total_bytes(), kLinkMode,
                                  IdentityOf(settings, abi::kLinkMagic), &link_existing);
  if (!link) return MakeUnexpected(std::move(link).error());
  if (auto given = GiveToGroupOf(settings.controlplane_user, abi::LinkPath(settings.runtime_directory));
      !given) {
    return MakeUnexpected(std::move(given).error());
  }
  const bool adopted = vault_existing && link_existing;
  if (!adopted) {
    for (abi::Region* region : {&*vault, &*link}) {
      region->Withdraw();
      std::memset(region->data(), 0, region->size());
    }
  }
  SharedMemory memory(std::move(*link), std::move(*vault), settings,
                      adopted ? Origin::kAdopted : Origin::kNew);
  if (!adopted) memory.link().Initialise();
  worker::PrepareLink(memory.link(), rng);
  return memory;
}

std::span<abi::FlowSlot> SharedMemory::SlotsOf(uint16_t worker) const {
  auto* slots = reinterpret_cast<abi::FlowSlot*>(vault_.data() + kSlotsOffset);
  const size_t each = layout_.flows_per_worker();
  return {slots + worker * each, each};
}

std::span<abi::RelaySlot> SharedMemory::RelaysOf(uint16_t worker) const {
  const size_t flow_slots = size_t{layout_.workers()} * layout_.flows_per_worker();
  auto* relays =
      reinterpret_cast<abi::RelaySlot*>(vault_.data() + kSlotsOffset + flow_slots * sizeof(abi::FlowSlot));
  const size_t each = layout_.relays_per_worker();
  return {relays + worker * each, each};
}

void SharedMemory::Publish() {
  abi::LinkHeader& header = link().header();
  header.dataplane_pid = uint64_t(getpid());
  header.dataplane_epoch.fetch_add(1, std::memory_order_release);
  vault_.Publish(vault_identity_);
  link_.Publish(link_identity_);
}

void SharedMemory::Destroy() {
  link_.Destroy();
  vault_.Destroy();
}

}  // namespace linegate::app
