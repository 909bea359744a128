#include "dataplane/settings/receive_steering.h"

#include <algorithm>
#include <array>
#include <bit>

#include "dataplane/base/check.h"

namespace linegate::settings {
namespace {

constexpr size_t kMostInputBytes = 2 * (16 + 2);

/// The bytes a card hashes, put together field by field.
class HashInput {
 public:
  void Add(ByteView bytes, bool hashed, ReceiveSteering::Absent absent) {
    if (!hashed && absent == ReceiveSteering::Absent::kLeftOut) return;
    if (hashed) std::ranges::copy(bytes, bytes_.begin() + long(size_));
    size_ += bytes.size();
  }
  ByteView view() const { return {bytes_.data(), size_}; }

 private:
  std::array<uint8_t, kMostInputBytes> bytes_ = {};
  size_t size_ = 0;
};

}  // namespace

uint32_t ToeplitzHash(ByteView key, ByteView input) {
  LG_ASSERT(key.size() >= input.size() + 4);
  uint64_t window = uint64_t{LoadBe32(key.data())} << 32;  // the upper half is the key at the current bit
  uint32_t hash = 0;
  for (size_t i = 0; i < input.size(); ++i) {
    window |= uint64_t{key[i + 4]} << 24;
    for (uint8_t bit = 0x80; bit != 0; bit >>= 1) {
      if ((input[i] & bit) != 0) hash ^= uint32_t(window >> 32);
      window <<= 1;
    }
  }
  return hash;
}

uint32_t ReceiveSteering::HashOf(const Endpoint& source, const Endpoint& destination) const {
  std::array<uint8_t, 2> source_port, destination_port;
  StoreBe16(source_port.data(), source.port);
  StoreBe16(destination_port.data(), destination.port);
  HashInput input;
  input.Add(source.address.bytes(), fields.source_address, absent);
  input.Add(destination.address.bytes(), fields.destination_address, absent);
  input.Add(source_port, fields.source_port, absent);
  input.Add(destination_port, fields.destination_port, absent);
  return ToeplitzHash(key, input.view());
}

uint16_t ReceiveSteering::QueueOf(const Endpoint& source, const Endpoint& destination) const {
  return reta[HashOf(source, destination) & (reta.size() - 1)];
}

Status ReceiveSteering::Check() const {
  if (reta.empty() || !std::has_single_bit(reta.size()))
    return Fail("a redirection table of " + std::to_string(reta.size()) + " entries is no power of two");
  if (key.size() < kMostInputBytes + 4)
    return Fail("an RSS key of " + std::to_string(key.size()) + " bytes is shorter than the " +
                std::to_string(kMostInputBytes + 4) + " that IPv6 needs");
  return {};
}

PortOwners::PortOwners(const PortRange& range) : first_(uint16_t((range.first + 1u) & ~1u)) {
  if (!range.empty() && range.last > first_) owners_.resize((range.last + 1u - first_) / 2);
}

PortOwners PortOwners::ByNumber(const PortRange& range, uint16_t workers) {
  PortOwners owners(range);
  for (uint16_t worker = 0; worker < workers; ++worker) {
    const PortRange share = RtpShareOf(range, worker, workers);
    if (share.empty()) continue;
    for (uint32_t port = share.first; port < share.last; port += 2)
      owners.owners_[(port - owners.first_) / 2] = worker;
  }
  return owners;
}

Result<PortOwners> PortOwners::ByHash(const PortRange& range, uint16_t workers, const IpAddress& address,
                                      const ReceiveSteering& steering) {
  if (Status good = steering.Check(); !good) return MakeUnexpected(std::move(good).error());
  if (!steering.by_destination())
    return Fail("the queue depends on who sends: no port can be said to arrive on one queue");
  if (std::ranges::max(steering.reta) >= workers)
    return Fail("the redirection table names queue " + std::to_string(std::ranges::max(steering.reta)) +
                ", which none of " + std::to_string(workers) + " workers serves");
  PortOwners owners(range);
  const Endpoint anybody = {address, 0};
  for (size_t pair = 0; pair < owners.owners_.size(); ++pair)
    owners.owners_[pair] = steering.QueueOf(anybody, {address, owners.PortAt(pair)});
  return owners;
}

std::vector<uint16_t> PortOwners::PairsOf(uint16_t worker) const {
  std::vector<uint16_t> ports;
  for (size_t pair = 0; pair < owners_.size(); ++pair) {
    if (owners_[pair] == worker) ports.push_back(PortAt(pair));
  }
  return ports;
}

}  // namespace linegate::settings
