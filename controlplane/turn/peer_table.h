#pragma once
#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "controlplane/turn/turn_output.h"
#include "dataplane/base/time.h"

namespace linegate::turn {

/// Permissions and channels of one allocation (RFC 8656 sections 9 and 12), and which of the worker's entries
/// stand for them. Theory of operation: a permission is an address, a channel an address and port; both have
/// their own lifetimes, and binding a channel refreshes the permission of its address. A channel's entry stands
/// for the permission too, so the worker needs one entry per channel and one per permitted address without a
/// channel: kEntries of them. An expired channel stays known for kChannelRest, in which its number may be bound
/// to the same peer only, and the peer to the same number only. A channel lives longer than it rests, so that
/// never more than 2 * kEntries are known.
/// Sync compares what should stand in the entries with what was said last and reports the differences; it puts
/// new entries in before it takes old ones out, so that nothing permitted is interrupted.
class PeerTable {
 public:
  static constexpr size_t kEntries = 32;  // abi kRelayPeers
  static constexpr Duration kPermissionLifetime = std::chrono::seconds(300);
  static constexpr Duration kChannelLifetime = std::chrono::seconds(600);
  static constexpr Duration kChannelRest = std::chrono::seconds(300);

  enum class Result : uint8_t { kDone, kFull, kChannelTaken };
  /// All or none.
  Result Permit(TimePoint now, std::span<const IpAddress> peers);
  /// Pre: channel in 0x4000 to 0x7fff.
  Result Bind(TimePoint now, uint16_t channel, const Endpoint& peer);
  /// Drops everything towards `family` (its relayed address is gone).
  void RemoveFamily(IpFamily family);

  void HandleTimeout(TimePoint now);
  std::optional<TimePoint> NextTimeout() const;
  bool Permits(const IpAddress& peer) const;

  /// Calls `set(index, const RelayPeerTerms&)` for each entry that changed; a removed one has no peer.
  template <typename Set>
  void Sync(Set&& set) {
    const Changes changes = Diff();
    for (size_t i = 0; i < changes.count; ++i) {
      entries_[changes.indexes[i]] = changes.terms[i];
      set(changes.indexes[i], changes.terms[i]);
    }
  }

  /// Calls `visit(const Endpoint& peer, uint16_t channel, TimePoint expires_at)`: permissions (port 0, channel 0), then
  /// channels that live.
  template <typename Visit>
  void ForEach(Visit&& visit) const {
    for (const Permission& one : permissions_) visit(Endpoint{one.peer, 0}, uint16_t(0), one.expires_at);
    for (const Channel& one : channels_) {
      if (one.live) visit(one.peer, one.number, one.expires_at);
    }
  }

  size_t permission_count() const { return permissions_.size(); }
  size_t channel_count() const;

 private:
  struct Permission {
    IpAddress peer;
    TimePoint expires_at;
  };
  struct Channel {
    uint16_t number = 0;
    Endpoint peer;
    TimePoint expires_at;
    bool live = true;  ///< false: resting until expires_at + kChannelRest
  };
  struct Changes {
    std::array<uint32_t, 2 * kEntries> indexes;
    std::array<RelayPeerTerms, 2 * kEntries> terms;
    size_t count = 0;
    void Add(size_t index, const RelayPeerTerms& change) {
      indexes[count] = uint32_t(index);
      terms[count++] = change;
    }
  };
  Changes Diff() const;
  std::vector<RelayPeerTerms> Wanted() const;
  bool HasLiveChannel(const IpAddress& peer) const;
  size_t EntriesNeeded() const;
  void Refresh(TimePoint now, const IpAddress& peer);

  std::vector<Permission> permissions_;
  std::vector<Channel> channels_;
  std::array<RelayPeerTerms, kEntries> entries_ = {};  ///< as last reported
};

}  // namespace linegate::turn
