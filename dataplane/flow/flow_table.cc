#include "dataplane/flow/flow_table.h"

namespace linegate::flow {
namespace {

constexpr uint32_t kPathsPerFlow = abi::kMaxValidatedPaths;

/// Ingress::local of one component that packets can arrive on; with rtcp-mux RTCP has no port of its own.
bool HasPort(const abi::FlowConfig& config, uint32_t component) {
  return config.ingress.local[component].family != 0 && (component == 0 || config.ingress.rtcp_mux == 0);
}

/// Both halves of a 128-bit product.
uint64_t Fold(uint64_t a, uint64_t b) {
  __extension__ using Product = unsigned __int128;
  const Product product = Product(a) * b;
  return uint64_t(product) ^ uint64_t(product >> 64);
}

/// All 20 bytes of an address into 64 bits.
uint64_t Mix(const abi::SocketAddress& address, uint64_t seed, uint64_t key) {
  static_assert(sizeof address == 20);
  const auto* bytes = reinterpret_cast<const uint8_t*>(&address);
  const uint64_t first = LoadBe64(bytes);
  const uint64_t second = LoadBe64(bytes + 8);
  return Fold(Fold(first ^ seed, second ^ key), LoadBe32(bytes + 16) ^ key);
}

}  // namespace

FlowTable::FlowTable(std::span<abi::FlowSlot> slots, PrfStream& random)
    : slots_(slots), ports_(uint32_t(slots.size()) * 2), paths_(uint32_t(slots.size()) * kPathsPerFlow) {
  for (uint64_t& key : key_) key = random.U64() | 1;
}

uint32_t FlowTable::Hash(const abi::SocketAddress& a) const { return uint32_t(Mix(a, key_[0], key_[1])); }

uint32_t FlowTable::Hash(const abi::SocketAddress& a, const abi::SocketAddress& b) const {
  return uint32_t(Mix(b, Mix(a, key_[0], key_[1]), key_[2]));
}

PortMatch FlowTable::FindPort(const Endpoint& local) const {
  const abi::SocketAddress key = abi::SocketAddress::From(local);
  const uint32_t value =
      ports_.Find(Hash(key), [&](uint32_t v) { return slots_[v / 2].config.ingress.local[v % 2] == key; });
  if (value == HashIndex::kNotFound) return {};
  return {value / 2, uint8_t(value % 2)};
}

PathMatch FlowTable::FindPath(const Endpoint& local, const Endpoint& remote) const {
  const abi::SocketAddress local_key = abi::SocketAddress::From(local);
  const abi::SocketAddress remote_key = abi::SocketAddress::From(remote);
  const uint32_t value = paths_.Find(Hash(local_key, remote_key), [&](uint32_t v) {
    const abi::FlowSlot& slot = slots_[v / kPathsPerFlow];
    const abi::ValidatedPath& path = slot.ice.paths[v % kPathsPerFlow];
    return path.remote == remote_key && slot.config.ingress.local[path.local_index] == local_key;
  });
  if (value == HashIndex::kNotFound) return {};
  return {value / kPathsPerFlow, uint8_t(value % kPathsPerFlow)};
}

void FlowTable::AddPorts(uint32_t flow) {
  for (uint32_t c = 0; c < 2; ++c) {
    if (!HasPort(slots_[flow].config, c)) continue;
    const bool inserted = ports_.Insert(Hash(slots_[flow].config.ingress.local[c]), flow * 2 + c);
    LG_ASSERT(inserted);
    (void)inserted;
  }
}

void FlowTable::RemovePorts(uint32_t flow) {
  for (uint32_t c = 0; c < 2; ++c) {
    if (HasPort(slots_[flow].config, c))
      ports_.Erase(Hash(slots_[flow].config.ingress.local[c]), flow * 2 + c);
  }
}

void FlowTable::AddPath(uint32_t flow, uint8_t path) {
  const abi::FlowSlot& slot = slots_[flow];
  const abi::ValidatedPath& entry = slot.ice.paths[path];
  const bool inserted = paths_.Insert(Hash(slot.config.ingress.local[entry.local_index], entry.remote),
                                      flow * kPathsPerFlow + path);
  LG_ASSERT(inserted);
  (void)inserted;
}

void FlowTable::RemovePath(uint32_t flow, uint8_t path) {
  const abi::FlowSlot& slot = slots_[flow];
  const abi::ValidatedPath& entry = slot.ice.paths[path];
  paths_.Erase(Hash(slot.config.ingress.local[entry.local_index], entry.remote), flow * kPathsPerFlow + path);
}

}  // namespace linegate::flow
