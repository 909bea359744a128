#include "controlplane/turn/ip_prefix.h"

#include <gtest/gtest.h>

namespace linegate::turn {
namespace {

TEST(IpPrefix, ParsesAndContains) {
  struct Row {
    const char *prefix, *address;
    bool contains;
  };
  const Row rows[] = {
      {"10.0.0.0/8", "10.255.0.1", true},
      {"10.0.0.0/8", "11.0.0.1", false},
      {"100.64.0.0/10", "100.127.255.255", true},
      {"100.64.0.0/10", "100.128.0.0", false},
      {"0.0.0.0/0", "203.0.113.9", true},
      {"0.0.0.0/0", "::1", false},
      {"192.0.2.7", "192.0.2.7", true},
      {"192.0.2.7", "192.0.2.8", false},
      {"fd90:2::/64", "fd90:2::ffff:1", true},
      {"fd90:2::/64", "fd90:2:0:1::1", false},
      {"fc00::/7", "fdff::1", true},
      {"::/0", "2001:db8::1", true},
      {"2001:db8::1", "2001:db8::1", true},
      {"::/0", "10.0.0.1", false},
  };
  for (const Row& row : rows) {
    const auto prefix = IpPrefix::Parse(row.prefix);
    ASSERT_TRUE(prefix) << row.prefix;
    EXPECT_EQ(prefix->Contains(*IpAddress::Parse(row.address)), row.contains)
        << row.prefix << " " << row.address;
  }
}

TEST(IpPrefix, RefusesWhatIsNoPrefix) {
  for (const char* text : {"", "/8", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0.0/8x", "10.0.0.0/-1",
                           "10.0.0.1/8", "fd90::1/64", "10.0.0/8", "10.0.0.0/8/8", "10.0.0.0/256"}) {
    EXPECT_FALSE(IpPrefix::Parse(text)) << text;
  }
}

}  // namespace
}  // namespace linegate::turn
