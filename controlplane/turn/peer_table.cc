#include "controlplane/turn/peer_table.h"

#include <algorithm>

#include "dataplane/base/check.h"

namespace linegate::turn {

bool PeerTable::Permits(const IpAddress& peer) const {
  return std::any_of(permissions_.begin(), permissions_.end(),
                     [&](const Permission& permission) { return permission.peer == peer; });
}

bool PeerTable::HasLiveChannel(const IpAddress& peer) const {
  return std::any_of(channels_.begin(), channels_.end(),
                     [&](const Channel& channel) { return channel.live && channel.peer.address == peer; });
}

size_t PeerTable::channel_count() const {
  return size_t(std::count_if(channels_.begin(), channels_.end(), [](const Channel& c) { return c.live; }));
}

size_t PeerTable::EntriesNeeded() const {
  size_t needed = channel_count();
  for (const Permission& permission : permissions_) needed += HasLiveChannel(permission.peer) ? 0 : 1;
  return needed;
}

void PeerTable::Refresh(TimePoint now, const IpAddress& peer) {
  for (Permission& permission : permissions_) {
    if (permission.peer == peer) {
      permission.expires_at = now + kPermissionLifetime;
      return;
    }
  }
  permissions_.push_back({peer, now + kPermissionLifetime});
}

PeerTable::Result PeerTable::Permit(TimePoint now, std::span<const IpAddress> peers) {
  size_t needed = EntriesNeeded();
  for (size_t i = 0; i < peers.size(); ++i) {
    const bool repeated =
        std::find(peers.begin(), peers.begin() + ptrdiff_t(i), peers[i]) != peers.begin() + ptrdiff_t(i);
    if (!repeated && !Permits(peers[i]) && !HasLiveChannel(peers[i])) ++needed;
  }
  if (needed > kEntries) return Result::kFull;
  for (const IpAddress& peer : peers) Refresh(now, peer);
  return Result::kDone;
}

PeerTable::Result PeerTable::Bind(TimePoint now, uint16_t channel, const Endpoint& peer) {
  Channel* bound = nullptr;
  for (Channel& candidate : channels_) {
    const bool same_number = candidate.number == channel, same_peer = candidate.peer == peer;
    if (same_number != same_peer) return Result::kChannelTaken;
    if (same_number) bound = &candidate;
  }
  if (bound == nullptr || !bound->live) {
    const bool takes_over_permission = Permits(peer.address) && !HasLiveChannel(peer.address);
    if (EntriesNeeded() + (takes_over_permission ? 0 : 1) > kEntries) return Result::kFull;
    if (bound == nullptr) {
      LG_ASSERT(channels_.size() < 2 * kEntries);
      channels_.push_back({channel, peer, {}, true});
      bound = &channels_.back();
    }
  }
  bound->live = true;
  bound->expires_at = now + kChannelLifetime;
  Refresh(now, peer.address);
  return Result::kDone;
}

void PeerTable::RemoveFamily(IpFamily family) {
  std::erase_if(permissions_, [&](const Permission& p) { return p.peer.family() == family; });
  std::erase_if(channels_, [&](const Channel& c) { return c.peer.address.family() == family; });
}

void PeerTable::HandleTimeout(TimePoint now) {
  std::erase_if(permissions_, [&](const Permission& permission) { return permission.expires_at <= now; });
  std::erase_if(channels_, [&](const Channel& channel) { return channel.expires_at + kChannelRest <= now; });
  for (Channel& channel : channels_) {
    if (channel.expires_at <= now) channel.live = false;
  }
}

std::optional<TimePoint> PeerTable::NextTimeout() const {
  std::optional<TimePoint> next;
  const auto consider = [&](TimePoint t) { next = next ? std::min(*next, t) : t; };
  for (const Permission& permission : permissions_) consider(permission.expires_at);
  for (const Channel& channel : channels_) {
    consider(channel.live ? channel.expires_at : channel.expires_at + kChannelRest);
  }
  return next;
}

std::vector<RelayPeerTerms> PeerTable::Wanted() const {
  std::vector<RelayPeerTerms> wanted;
  for (const Channel& channel : channels_) {
    if (channel.live) wanted.push_back({channel.peer, channel.number, Permits(channel.peer.address)});
  }
  for (const Permission& permission : permissions_) {
    if (!HasLiveChannel(permission.peer)) wanted.push_back({{permission.peer, 0}, 0, true});
  }
  LG_ASSERT(wanted.size() <= kEntries);
  return wanted;
}

PeerTable::Changes PeerTable::Diff() const {
  const auto is_empty = [](const RelayPeerTerms& entry) {
    return entry.peer.address.family() == IpFamily::kNone;
  };
  Changes changes;
  std::vector<RelayPeerTerms> homeless;
  std::array<bool, kEntries> kept = {};
  for (const RelayPeerTerms& want : Wanted()) {
    size_t at = 0;
    while (at < kEntries && (entries_[at].peer != want.peer || entries_[at].channel != want.channel)) ++at;
    if (at == kEntries) {
      homeless.push_back(want);
      continue;
    }
    kept[at] = true;
    if (entries_[at] != want) changes.Add(at, want);
  }
  for (const RelayPeerTerms& want : homeless) {
    // An entry of the same address first: its traffic then never sees the entry missing.
    std::optional<size_t> place;
    for (size_t i = 0; i < kEntries && !place; ++i) {
      if (!kept[i] && entries_[i].peer.address == want.peer.address) place = i;
    }
    for (size_t i = 0; i < kEntries && !place; ++i) {
      if (!kept[i] && is_empty(entries_[i])) place = i;
    }
    for (size_t i = 0; i < kEntries && !place; ++i) {
      if (!kept[i]) place = i;
    }
    LG_ASSERT(place.has_value());
    kept[*place] = true;
    changes.Add(*place, want);
  }
  for (size_t i = 0; i < kEntries; ++i) {
    if (!kept[i] && !is_empty(entries_[i])) changes.Add(i, {});
  }
  return changes;
}

}  // namespace linegate::turn
