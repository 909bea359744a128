#include "controlplane/turn/peer_policy.h"

#include <gtest/gtest.h>

namespace linegate::turn {
namespace {

using Verdict = PeerPolicy::Verdict;
using Protocol = PeerPolicy::Protocol;

Verdict Check(const TurnConfig& config, const char* peer, Protocol protocol = Protocol::kUdp) {
  const auto address = IpAddress::Parse(peer);
  EXPECT_TRUE(address) << peer;
  return PeerPolicy(config).Check(*address, protocol);
}

TEST(PeerPolicy, DeniesWhatIsNotTheInternet) {
  TurnConfig config;
  for (const char* peer :
       {"0.0.0.0",   "0.1.2.3",         "10.0.0.1",    "10.255.255.255",  "100.64.0.1",   "100.127.255.255",
        "127.0.0.1", "127.255.255.254", "169.254.1.1", "169.254.169.254", "172.16.0.1",   "172.31.255.255",
        "192.0.0.8", "192.0.2.1",       "192.168.1.1", "198.18.0.1",      "198.51.100.7", "203.0.113.5",
        "224.0.0.1", "239.255.255.250", "240.0.0.1",   "255.255.255.255", "::",           "::1",
        "fc00::1",   "fd12:3456::1",    "fe80::1",     "febf::1",         "fec0::1",      "ff02::1",
        "ff0e::1",   "fd00:ec2::254",   "2001:db8::1", "100::1"}) {
    EXPECT_EQ(Check(config, peer), Verdict::kDenied) << peer;
  }
}

TEST(PeerPolicy, AllowsTheInternet) {
  TurnConfig config;
  for (const char* peer : {"1.1.1.1", "8.8.8.8", "11.0.0.1", "100.63.255.255", "100.128.0.1", "128.0.0.1",
                           "172.15.0.1", "172.32.0.1", "169.253.1.1", "192.167.1.1", "223.255.255.255",
                           "2600::1", "2a00:1450::8a", "2001:4860:4860::8888"}) {
    EXPECT_EQ(Check(config, peer), Verdict::kAllowed) << peer;
  }
}

/// Every spelling of an IPv4 address inside an IPv6 one, for addresses that must not be reached and one that may.
TEST(PeerPolicy, LooksIntoIpv6) {
  TurnConfig config;
  config.nat64_prefixes = {*IpPrefix::Parse("2a00:64::/96")};
  struct Row {
    const char* peer;
    Verdict verdict;
    const char* form;
  };
  const Row rows[] = {
      {"::ffff:127.0.0.1", Verdict::kDenied, "mapped"},
      {"::ffff:169.254.169.254", Verdict::kDenied, "mapped"},
      {"::ffff:8.8.8.8", Verdict::kDenied, "mapped: never on a wire"},
      {"::ffff:0.0.0.0", Verdict::kDenied, "mapped"},
      {"::127.0.0.1", Verdict::kDenied, "compatible"},
      {"::8.8.8.8", Verdict::kDenied, "compatible: never on a wire"},
      {"::ffff:0:10.0.0.1", Verdict::kDenied, "translated"},
      {"::ffff:0:8.8.8.8", Verdict::kAllowed, "translated"},
      {"2002:7f00:1::", Verdict::kDenied, "6to4 of 127.0.0.1"},
      {"2002:a00:1::1", Verdict::kDenied, "6to4 of 10.0.0.1"},
      {"2002:a9fe:a9fe::1", Verdict::kDenied, "6to4 of the metadata address"},
      {"2002:808:808::1", Verdict::kAllowed, "6to4 of 8.8.8.8"},
      {"64:ff9b::127.0.0.1", Verdict::kDenied, "NAT64"},
      {"64:ff9b::169.254.169.254", Verdict::kDenied, "NAT64"},
      {"64:ff9b::192.168.0.1", Verdict::kDenied, "NAT64"},
      {"64:ff9b::8.8.8.8", Verdict::kAllowed, "NAT64"},
      {"64:ff9b:1::10.0.0.1", Verdict::kDenied, "NAT64, local use"},
      {"2a00:64::10.0.0.1", Verdict::kDenied, "NAT64, configured"},
      {"2a00:64::8.8.8.8", Verdict::kAllowed, "NAT64, configured"},
      {"2001:0:808:808:0:1234:80ff:fffe", Verdict::kDenied, "Teredo, client 127.0.0.1"},
      {"2001:0:7f00:1:0:1234:f7f7:f7f7", Verdict::kDenied, "Teredo, server 127.0.0.1"},
      {"2001:0:808:808:0:1234:f5ff:fffe", Verdict::kDenied, "Teredo, client 10.0.0.1"},
      {"2001:0:808:808:0:1234:f7f7:f7f7", Verdict::kAllowed, "Teredo, client 8.8.8.8"},
  };
  for (const Row& row : rows) EXPECT_EQ(Check(config, row.peer), row.verdict) << row.peer << ": " << row.form;
}

TEST(PeerPolicy, FollowsTheListsInOrder) {
  TurnConfig config;
  config.allowed_peers = {*IpPrefix::Parse("10.90.0.0/16"), *IpPrefix::Parse("0.0.0.0/0"),
                          *IpPrefix::Parse("::/0")};
  config.denied_peers = {*IpPrefix::Parse("10.90.3.0/24"), *IpPrefix::Parse("8.8.8.8"),
                         *IpPrefix::Parse("10.1.0.2")};
  config.media_addresses = {*IpAddress::Parse("10.1.0.1"), *IpAddress::Parse("192.0.2.1"),
                            *IpAddress::Parse("10.1.0.2")};
  config.management_addresses = {*IpAddress::Parse("10.90.9.9"), *IpAddress::Parse("10.1.0.1")};
  struct Row {
    const char* peer;
    Verdict udp, tcp;
    const char* why;
  };
  const Row rows[] = {
      {"10.90.2.1", Verdict::kAllowed, Verdict::kAllowed, "allow list opens a private range"},
      {"10.90.3.1", Verdict::kDenied, Verdict::kDenied, "deny list is stronger"},
      {"8.8.8.8", Verdict::kDenied, Verdict::kDenied, "deny list"},
      {"10.1.0.1", Verdict::kAllowed, Verdict::kRelayOnly, "our media address, although also managed"},
      {"192.0.2.1", Verdict::kAllowed, Verdict::kRelayOnly, "our advertised address"},
      {"64:ff9b::10.1.0.1", Verdict::kAllowed, Verdict::kDenied, "inside NAT64 it is not ours to loop"},
      {"2002:a01:1::1", Verdict::kAllowed, Verdict::kDenied, "nor inside 6to4"},
      {"::ffff:10.1.0.1", Verdict::kDenied, Verdict::kDenied, "nor mapped, which is on no wire"},
      {"10.1.0.2", Verdict::kDenied, Verdict::kDenied, "a media address that is denied"},
      {"10.90.9.9", Verdict::kDenied, Verdict::kDenied, "management, although in an allowed range"},
      {"127.0.0.1", Verdict::kDenied, Verdict::kDenied, "no list opens this host"},
      {"169.254.169.254", Verdict::kDenied, Verdict::kDenied, "nor the metadata service"},
      {"fd00:ec2::254", Verdict::kDenied, Verdict::kDenied, "nor its IPv6 address"},
      {"::1", Verdict::kDenied, Verdict::kDenied, "nor this host"},
      {"224.0.0.1", Verdict::kDenied, Verdict::kDenied, "nor multicast"},
      {"64:ff9b::10.90.3.1", Verdict::kDenied, Verdict::kDenied, "denied inside NAT64, too"},
      {"64:ff9b::10.90.9.9", Verdict::kDenied, Verdict::kDenied, "managed inside NAT64, too"},
      {"fd00::1", Verdict::kAllowed, Verdict::kAllowed, "allow list"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(Check(config, row.peer), row.udp) << row.peer << ": " << row.why;
    EXPECT_EQ(Check(config, row.peer, Protocol::kTcp), row.tcp) << row.peer << " over TCP: " << row.why;
  }
}

}  // namespace
}  // namespace linegate::turn
