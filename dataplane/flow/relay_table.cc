#include "dataplane/flow/relay_table.h"

#include "dataplane/flow/address_hash.h"

namespace linegate::flow {
namespace {

constexpr uint32_t kFamilies = 2;  // relayed addresses per allocation

bool HasClient(const abi::RelayConfig& config) { return config.transport == abi::ClientTransport::kDatagram; }

}  // namespace

RelayTable::RelayTable(std::span<abi::RelaySlot> slots, PrfStream& random)
    : slots_(slots), clients_(uint32_t(slots.size())), ports_(uint32_t(slots.size()) * kFamilies) {
  for (uint64_t& key : key_) key = random.U64() | 1;
}

uint32_t RelayTable::HashOf(const abi::SocketAddress& a) const {
  return uint32_t(MixAddress(a, key_[0], key_[1]));
}

uint32_t RelayTable::HashOf(const abi::SocketAddress& a, const abi::SocketAddress& b) const {
  return uint32_t(MixAddress(b, MixAddress(a, key_[0], key_[1]), key_[2]));
}

uint32_t RelayTable::FindClient(const abi::SocketAddress& local, const abi::SocketAddress& remote,
                                uint32_t hash) const {
  return clients_.Find(hash, [&](uint32_t relay) {
    const abi::RelayConfig& config = slots_[relay].config;
    return config.client_remote == remote && config.client_local == local;
  });
}

uint32_t RelayTable::PortCandidate(uint32_t hash) const {
  const uint32_t value = ports_.Candidate(hash);
  return value == HashIndex::kNotFound ? kNoRelay : value / kFamilies;
}

uint32_t RelayTable::FindPort(const abi::SocketAddress& local, uint32_t hash) const {
  const uint32_t value = ports_.Find(
      hash, [&](uint32_t v) { return slots_[v / kFamilies].config.relayed[v % kFamilies] == local; });
  return value == HashIndex::kNotFound ? kNoRelay : value / kFamilies;
}

void RelayTable::Add(uint32_t relay) {
  const abi::RelayConfig& config = slots_[relay].config;
  bool inserted = true;
  if (HasClient(config))
    inserted &= clients_.Insert(HashOf(config.client_local, config.client_remote), relay);
  for (uint32_t f = 0; f < kFamilies; ++f) {
    if (config.relayed[f].family != 0)
      inserted &= ports_.Insert(HashOf(config.relayed[f]), relay * kFamilies + f);
  }
  LG_ASSERT(inserted);
  (void)inserted;
}

void RelayTable::Remove(uint32_t relay) {
  const abi::RelayConfig& config = slots_[relay].config;
  if (HasClient(config)) clients_.Erase(HashOf(config.client_local, config.client_remote), relay);
  for (uint32_t f = 0; f < kFamilies; ++f) {
    if (config.relayed[f].family != 0) ports_.Erase(HashOf(config.relayed[f]), relay * kFamilies + f);
  }
}

}  // namespace linegate::flow
