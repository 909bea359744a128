#include "controlplane/turn/peer_policy.h"

#include <algorithm>

namespace linegate::turn {
namespace {

std::vector<IpPrefix> Prefixes(std::initializer_list<const char*> texts) {
  std::vector<IpPrefix> prefixes;
  for (const char* text : texts) {
    const auto prefix = IpPrefix::Parse(text);
    LG_FATAL(prefix.has_value());
    prefixes.push_back(*prefix);
  }
  return prefixes;
}

bool AnyContains(const std::vector<IpPrefix>& prefixes, const IpAddress& address) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](const IpPrefix& prefix) { return prefix.Contains(address); });
}

bool AnyIs(const std::vector<IpAddress>& addresses, const IpAddress& address) {
  return std::find(addresses.begin(), addresses.end(), address) != addresses.end();
}

/// No configuration opens these.
const std::vector<IpPrefix>& Never() {
  static const std::vector<IpPrefix> kPrefixes = Prefixes({
      "0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32", "169.254.169.254/32",
      "169.254.170.2/32", "100.100.100.200/32", "fd00:ec2::254/128",  // cloud metadata
      "::/128", "::1/128", "ff00::/8", "::ffff:0:0/96",
      "::/96",  // mapped and compatible: no such packet belongs on a wire
  });
  return kPrefixes;
}

/// RFC 6890 and its registries: not reachable from the Internet, so somebody's inside.
const std::vector<IpPrefix>& DeniedByDefault() {
  static const std::vector<IpPrefix> kPrefixes = Prefixes({
      "10.0.0.0/8",
      "172.16.0.0/12",
      "192.168.0.0/16",
      "100.64.0.0/10",
      "169.254.0.0/16",
      "192.0.0.0/24",
      "192.0.2.0/24",
      "198.18.0.0/15",
      "198.51.100.0/24",
      "203.0.113.0/24",
      "240.0.0.0/4",
      "fc00::/7",
      "fe80::/10",
      "fec0::/10",
      "100::/64",
      "2001:db8::/32",
  });
  return kPrefixes;
}

IpAddress Ipv4At(ByteView bytes, size_t offset, uint8_t mask) {
  return IpAddress::V4(uint8_t(bytes[offset] ^ mask), uint8_t(bytes[offset + 1] ^ mask),
                       uint8_t(bytes[offset + 2] ^ mask), uint8_t(bytes[offset + 3] ^ mask));
}

}  // namespace

EmbeddedIpv4 FindEmbeddedIpv4(const IpAddress& address, const std::vector<IpPrefix>& nat64) {
  EmbeddedIpv4 found;
  if (!address.is_v6()) return found;
  static const IpPrefix kMapped = *IpPrefix::Parse("::ffff:0:0/96"), kCompatible = *IpPrefix::Parse("::/96"),
                        kTranslated = *IpPrefix::Parse("::ffff:0:0:0/96"),  // RFC 2765
      kWellKnown = *IpPrefix::Parse("64:ff9b::/96"), kLocalUse = *IpPrefix::Parse("64:ff9b:1::/48"),
                        k6to4 = *IpPrefix::Parse("2002::/16"), kTeredo = *IpPrefix::Parse("2001::/32");
  const ByteView bytes = address.bytes();
  if (k6to4.Contains(address)) {
    found.addresses[found.count++] = Ipv4At(bytes, 2, 0);
  } else if (kTeredo.Contains(address)) {
    found.addresses[found.count++] = Ipv4At(bytes, 4, 0);      // server
    found.addresses[found.count++] = Ipv4At(bytes, 12, 0xff);  // client, inverted
  } else if (kMapped.Contains(address) || kCompatible.Contains(address) || kTranslated.Contains(address) ||
             kWellKnown.Contains(address) || kLocalUse.Contains(address) || AnyContains(nat64, address)) {
    found.addresses[found.count++] = Ipv4At(bytes, 12, 0);
  }
  return found;
}

PeerPolicy::PeerPolicy(const TurnConfig& config)
    : allowed_(config.allowed_peers),
      denied_(config.denied_peers),
      nat64_(config.nat64_prefixes),
      media_(config.media_addresses),
      management_(config.management_addresses) {}

PeerPolicy::Verdict PeerPolicy::CheckPlain(const IpAddress& address, Protocol protocol) const {
  if (address.family() == IpFamily::kNone || AnyContains(Never(), address)) return Verdict::kDenied;
  if (AnyContains(denied_, address)) return Verdict::kDenied;
  if (AnyIs(media_, address)) return protocol == Protocol::kUdp ? Verdict::kAllowed : Verdict::kRelayOnly;
  if (AnyIs(management_, address)) return Verdict::kDenied;
  if (AnyContains(allowed_, address)) return Verdict::kAllowed;
  return AnyContains(DeniedByDefault(), address) ? Verdict::kDenied : Verdict::kAllowed;
}

PeerPolicy::Verdict PeerPolicy::Check(const IpAddress& peer, Protocol protocol) const {
  const Verdict verdict = CheckPlain(peer, protocol);
  if (verdict == Verdict::kDenied) return verdict;
  const EmbeddedIpv4 inside = FindEmbeddedIpv4(peer, nat64_);
  for (size_t i = 0; i < inside.count; ++i) {
    if (CheckPlain(inside.addresses[i], protocol) != Verdict::kAllowed) return Verdict::kDenied;
  }
  return verdict;
}

}  // namespace linegate::turn
