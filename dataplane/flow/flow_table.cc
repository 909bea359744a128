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

/// All of an address and its port into 64 bits.
uint64_t Mix(const Endpoint& endpoint, uint64_t seed, uint64_t key) {
  const uint8_t* const bytes = endpoint.address.padded().data();
  const uint64_t rest = uint64_t(endpoint.address.family()) << 16 | endpoint.port;
  return Fold(Fold(LoadBe64(bytes) ^ seed, LoadBe64(bytes + 8) ^ key), rest ^ key);
}

}  // namespace

FlowTable::FlowTable(std::span<abi::FlowSlot> slots, const LocalPorts& local_ports, PrfStream& random)
    : slots_(slots),
      local_ports_(local_ports),
      ports_(local_ports.rtp_ports(), kNoPort),
      paths_(uint32_t(slots.size()) * kPathsPerFlow) {
  for (uint64_t& key : key_) key = random.U64() | 1;
}

uint32_t FlowTable::HashOf(const Endpoint& local, const Endpoint& remote) const {
  return uint32_t(Mix(remote, Mix(local, key_[0], key_[1]), key_[2]));
}

uint32_t FlowTable::PathCandidate(uint32_t hash) const {
  const uint32_t value = paths_.Candidate(hash);
  return value == HashIndex::kNotFound ? kNoFlow : value / kPathsPerFlow;
}

uint32_t FlowTable::PlaceOf(const Endpoint& local) const {
  LocalPort port;
  return local_ports_.Find(local, port) && port.kind == LocalPortKind::kRtp ? port.rtp_index : kNoPort;
}

PortMatch FlowTable::FindPort(const Endpoint& local) const {
  const uint32_t place = PlaceOf(local);
  return place == kNoPort ? PortMatch{} : FindPort(place);
}

PathMatch FlowTable::FindPath(const Endpoint& local, const Endpoint& remote, uint32_t hash) const {
  const uint32_t value = paths_.Find(hash, [&](uint32_t v) {
    const abi::FlowSlot& slot = slots_[v / kPathsPerFlow];
    const abi::ValidatedPath& path = slot.ice.paths[v % kPathsPerFlow];
    return path.remote == remote && slot.config.ingress.local[path.local_index] == local;
  });
  if (value == HashIndex::kNotFound) return {};
  return {value / kPathsPerFlow, uint8_t(value % kPathsPerFlow)};
}

uint32_t FlowTable::PathHash(uint32_t flow, uint8_t path) const {
  const abi::FlowSlot& slot = slots_[flow];
  const abi::ValidatedPath& entry = slot.ice.paths[path];
  return HashOf(slot.config.ingress.local[entry.local_index].ToEndpoint(), entry.remote.ToEndpoint());
}

void FlowTable::AddPorts(uint32_t flow) {
  for (uint32_t c = 0; c < 2; ++c) {
    if (!HasPort(slots_[flow].config, c)) continue;
    const uint32_t place = PlaceOf(slots_[flow].config.ingress.local[c].ToEndpoint());
    LG_ASSERT(place != kNoPort && ports_[place] == kNoPort);
    ports_[place] = flow * 2 + c;
  }
}

void FlowTable::RemovePorts(uint32_t flow) {
  for (uint32_t c = 0; c < 2; ++c) {
    if (!HasPort(slots_[flow].config, c)) continue;
    const uint32_t place = PlaceOf(slots_[flow].config.ingress.local[c].ToEndpoint());
    if (ports_[place] == flow * 2 + c) ports_[place] = kNoPort;
  }
}

void FlowTable::AddPath(uint32_t flow, uint8_t path) {
  const bool inserted = paths_.Insert(PathHash(flow, path), flow * kPathsPerFlow + path);
  LG_ASSERT(inserted);
  (void)inserted;
}

void FlowTable::RemovePath(uint32_t flow, uint8_t path) {
  paths_.Erase(PathHash(flow, path), flow * kPathsPerFlow + path);
}

}  // namespace linegate::flow
