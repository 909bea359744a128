#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drivers/net/xdp/reserved_ports.h"

namespace linegate::drivers {
namespace {

// Captured from a running kernel, shortened.
constexpr char kUdp[] =
    "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref "
    "pointer drops\n"
    "  262: 0100007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1011 2 "
    "00000000 0\n"
    " 1043: 00000000:9C4A 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1012 2 "
    "00000000 0\n"
    " 1044: 01015A0A:4E20 02015A0A:1234 01 00000000:00000000 00:00000000 00000000     0        0 1013 2 "
    "00000000 0\n";
constexpr char kUdp6[] =
    "  sl  local_address                         remote_address                        st tx_queue rx_queue\n"
    "  300: 000090FD000000010000000001000000:0D96 00000000000000000000000000000000:0000 07 "
    "00000000:00000000\n"
    "  301: 00000000000000000000000000000000:4E21 00000000000000000000000000000000:0000 07 "
    "00000000:00000000\n";

IpAddress Address(const char* text) { return *IpAddress::Parse(text); }

TEST(KernelUdpSockets, ParsesIpv4) {
  const auto sockets = ParseKernelUdpSockets(kUdp);
  ASSERT_EQ(sockets.size(), 3u);
  EXPECT_EQ(sockets[0].address, Address("127.0.0.1"));
  EXPECT_EQ(sockets[0].port, 53);
  EXPECT_TRUE(sockets[1].address.is_unspecified());
  EXPECT_EQ(sockets[1].port, 40010);
  EXPECT_EQ(sockets[2].address, Address("10.90.1.1"));
  EXPECT_EQ(sockets[2].port, 20000);
}

TEST(KernelUdpSockets, ParsesIpv6) {
  const auto sockets = ParseKernelUdpSockets(kUdp6);
  ASSERT_EQ(sockets.size(), 2u);
  EXPECT_EQ(sockets[0].address, Address("fd90:0:100::1"));
  EXPECT_EQ(sockets[0].port, 3478);
  EXPECT_TRUE(sockets[1].address.is_v6());
}

TEST(KernelUdpSockets, SurvivesEveryTruncation) {
  const std::string text = std::string(kUdp) + kUdp6;
  for (size_t length = 0; length <= text.size(); ++length) {
    EXPECT_LE(ParseKernelUdpSockets(std::string_view(text).substr(0, length)).size(), 5u);
  }
}

struct Conflict {
  const char* description;
  const char* socket_address;
  uint16_t socket_port;
  const char* claim_address;
  bool refused;
};

const Conflict kConflicts[] = {
    {"OnTheAddress", "10.90.1.1", 20005, "10.90.1.1", true},
    {"OnTheWildcard", "0.0.0.0", 20005, "10.90.1.1", true},
    {"OnTheOtherFamilysWildcard", "::", 20005, "10.90.1.1", true},
    {"Ipv4WildcardIsNoIpv6", "0.0.0.0", 20005, "fd90::1", false},
    {"OnAnotherAddress", "10.90.1.2", 20005, "10.90.1.1", false},
    {"BelowTheRange", "0.0.0.0", 19999, "10.90.1.1", false},
    {"FirstOfTheRange", "0.0.0.0", 20000, "10.90.1.1", true},
    {"LastOfTheRange", "0.0.0.0", 20009, "10.90.1.1", true},
    {"AboveTheRange", "0.0.0.0", 20010, "10.90.1.1", false},
};

class KernelSocketConflict : public ::testing::TestWithParam<Conflict> {};

TEST_P(KernelSocketConflict, IsRefusedByName) {
  const Conflict& row = GetParam();
  const UdpPortClaim claims[] = {{Address(row.claim_address), 20000, 20009}};
  const KernelUdpSocket sockets[] = {{Address(row.socket_address), row.socket_port}};
  const Status status = CheckNoKernelSocket(claims, sockets);
  EXPECT_EQ(status.has_value(), !row.refused);
  if (row.refused) {
    EXPECT_THAT(status.error().message(),
                ::testing::HasSubstr("UDP port " + std::to_string(row.socket_port)));
  }
}

INSTANTIATE_TEST_SUITE_P(Table, KernelSocketConflict, ::testing::ValuesIn(kConflicts),
                         [](const auto& instance) { return instance.param.description; });

}  // namespace
}  // namespace linegate::drivers
