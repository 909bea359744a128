#pragma once
#include <cstdint>

#include "dataplane/abi/relay_slot.h"
#include "dataplane/flow/address_hash.h"
#include "dataplane/nodes/rate_gate.h"
#include "dataplane/wire/frame_writer.h"

namespace linegate::nodes {

/// What a worker keeps of an allocation in its own memory: an index over its peers that a packet reads in a few cache
/// lines, made from the slot and made again after a restart. A tag that matches names a candidate; the address behind it
/// is compared in the slot.
struct alignas(64) RelayRuntime {
  static constexpr uint32_t kNone = UINT32_MAX;

  uint16_t channels[abi::kRelayPeers] = {};   ///< of permitted entries; 0: none
  uint32_t endpoints[abi::kRelayPeers] = {};  ///< tag of wire address and port of permitted channels; 0: none
  uint32_t addresses[abi::kRelayPeers] = {};  ///< tag of the wire address of permitted entries; 0: none
  uint32_t shown[abi::kRelayPeers] = {};      ///< tag of the shown address of permitted entries; 0: none
  uint32_t used = 0;                          ///< entries at or above are empty
  ByteRate to_peer;
  ByteRate to_client;
  uint64_t requests_paid_until_ns = 0;  ///< TURN requests of this client that are passed on

  static uint32_t EndpointTag(const abi::SocketAddress& address) {
    return uint32_t(flow::MixAddress(address, kSeed, kMix)) | 1;
  }
  static uint32_t AddressTag(abi::SocketAddress address) {
    StoreBe16(address.port, 0);
    return EndpointTag(address);
  }
  static bool SameAddress(const abi::SocketAddress& a, const abi::SocketAddress& b) {
    return a.family == b.family && LoadBe64(a.address) == LoadBe64(b.address) &&
           LoadBe64(a.address + 8) == LoadBe64(b.address + 8);
  }

  /// Entry of a bound channel whose permission is alive.
  uint32_t FindChannel(uint16_t channel) const {
    for (uint32_t i = 0; i < used; ++i) {
      if (channels[i] == channel) return i;
    }
    return kNone;
  }
  /// Entry of the channel of exactly this peer.
  uint32_t FindChannelOf(const abi::SocketAddress& wire, const abi::RelaySlot& slot) const {
    const uint32_t tag = EndpointTag(wire);
    for (uint32_t i = 0; i < used; ++i) {
      if (endpoints[i] == tag && slot.peers[i].wire == wire) return i;
    }
    return kNone;
  }
  /// An entry that permits the peer's address, as it stands on the wire.
  uint32_t FindWire(const abi::SocketAddress& wire, const abi::RelaySlot& slot) const {
    const uint32_t tag = AddressTag(wire);
    for (uint32_t i = 0; i < used; ++i) {
      if (addresses[i] == tag && SameAddress(slot.peers[i].wire, wire)) return i;
    }
    return kNone;
  }
  /// An entry that permits the peer's address, as the client names it.
  uint32_t FindShown(const abi::SocketAddress& peer, const abi::RelaySlot& slot) const {
    const uint32_t tag = AddressTag(peer);
    for (uint32_t i = 0; i < used; ++i) {
      if (shown[i] == tag && SameAddress(slot.peers[i].shown, peer)) return i;
    }
    return kNone;
  }

  /// Takes the peers of `slot` as they are now.
  void Refresh(const abi::RelaySlot& slot) {
    used = 0;
    for (uint32_t i = 0; i < abi::kRelayPeers; ++i) {
      const abi::RelayPeer& peer = slot.peers[i];
      channels[i] = 0;
      endpoints[i] = addresses[i] = shown[i] = 0;
      if (peer.wire.family == 0 || peer.permitted == 0) continue;
      used = i + 1;
      addresses[i] = AddressTag(peer.wire);
      shown[i] = AddressTag(peer.shown);
      if (peer.channel == 0) continue;
      channels[i] = peer.channel;
      endpoints[i] = EndpointTag(peer.wire);
    }
  }

 private:
  static constexpr uint64_t kSeed = 0x9e3779b97f4a7c15;
  static constexpr uint64_t kMix = 0xd6e8feb86659fd93;
};
static_assert(sizeof(RelayRuntime) == 512);

/// Headers that stand ready, made from the slot (relay_targets.h).
struct RelayTarget {
  bool known = false;  ///< address and next hop are there
  bool internal = false;
  uint16_t port_id = 0;
  wire::FrameTemplate headers;  ///< open: IP fields come with each packet
};
struct RelayTargets {
  RelayTarget client;                   ///< kDatagram
  RelayTarget peers[abi::kRelayPeers];  ///< of channels
};

}  // namespace linegate::nodes
