#include "dataplane/base/net_address.h"

#include <gtest/gtest.h>

#include <unordered_set>

namespace linegate {
namespace {

struct AddressRow {
  const char* text;
  const char* canonical;  ///< nullptr: must be refused
};

TEST(IpAddress, ParsesAndFormatsTable) {
  const AddressRow rows[] = {
      {"0.0.0.0", "0.0.0.0"},
      {"10.90.1.1", "10.90.1.1"},
      {"255.255.255.255", "255.255.255.255"},
      {"::", "::"},
      {"::1", "::1"},
      {"fd90:1::2", "fd90:1::2"},
      {"FD90:0001:0:0:0:0:0:2", "fd90:1::2"},
      {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6"},
      {"", nullptr},
      {"10.90.1", nullptr},
      {"10.90.1.256", nullptr},
      {"10.90.1.1.", nullptr},
      {"10.90.1.1 ", nullptr},
      {" 10.90.1.1", nullptr},
      {"10.90.1.-1", nullptr},
      {"1:2:3", nullptr},
      {"1::2::3", nullptr},
      {"fd90::g", nullptr},
      {"[::1]", nullptr},
      {"fe80::1%eth0", nullptr},
      {"lab.example", nullptr},
      {"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000", nullptr},
  };
  for (const AddressRow& row : rows) {
    const auto address = IpAddress::Parse(row.text);
    ASSERT_EQ(address.has_value(), row.canonical != nullptr) << "'" << row.text << "'";
    if (address) {
      EXPECT_EQ(address->ToString(), row.canonical) << row.text;
    }
  }
}

TEST(IpAddress, RefusesEmbeddedZeroByte) {
  EXPECT_FALSE(IpAddress::Parse(std::string_view("10.0.0.1\0.5", 11)).has_value());
}

TEST(IpAddress, KeepsFamiliesApart) {
  const IpAddress v4 = IpAddress::V4(10, 0, 0, 1);
  EXPECT_TRUE(v4.is_v4());
  EXPECT_EQ(v4.bytes().size(), 4u);
  const IpAddress v6 = *IpAddress::Parse("::1");
  EXPECT_TRUE(v6.is_v6());
  EXPECT_EQ(v6.bytes().size(), 16u);
  EXPECT_EQ(IpAddress().family(), IpFamily::kNone);
  EXPECT_TRUE(IpAddress().bytes().empty());
  EXPECT_NE(IpAddress::V4(0, 0, 0, 0), *IpAddress::Parse("::"));
}

TEST(IpAddress, KnowsUnspecified) {
  EXPECT_TRUE(IpAddress::Parse("0.0.0.0")->is_unspecified());
  EXPECT_TRUE(IpAddress::Parse("::")->is_unspecified());
  EXPECT_TRUE(IpAddress().is_unspecified());
  EXPECT_FALSE(IpAddress::Parse("::1")->is_unspecified());
}

TEST(Endpoint, ParsesAndFormatsTable) {
  const AddressRow rows[] = {
      {"10.0.0.1:5060", "10.0.0.1:5060"},
      {"[fd90::1]:5060", "[fd90::1]:5060"},
      {"0.0.0.0:0", "0.0.0.0:0"},
      {"10.0.0.1:65535", "10.0.0.1:65535"},
      {"10.0.0.1", nullptr},
      {"10.0.0.1:", nullptr},
      {"10.0.0.1:65536", nullptr},
      {"10.0.0.1:-1", nullptr},
      {"10.0.0.1:+1", nullptr},
      {"10.0.0.1:5060x", nullptr},
      {"10.0.0.1: 5060", nullptr},
      {"fd90::1:5060", nullptr},
      {"[fd90::1]", nullptr},
      {"[fd90::1]5060", nullptr},
      {"[10.0.0.1]:5060", nullptr},
      {"[]:5060", nullptr},
      {":5060", nullptr},
      {"", nullptr},
  };
  for (const AddressRow& row : rows) {
    const auto endpoint = Endpoint::Parse(row.text);
    ASSERT_EQ(endpoint.has_value(), row.canonical != nullptr) << "'" << row.text << "'";
    if (endpoint) {
      EXPECT_EQ(endpoint->ToString(), row.canonical) << row.text;
    }
  }
}

TEST(Endpoint, HashesByAddressAndPort) {
  std::unordered_set<Endpoint> set;
  set.insert(*Endpoint::Parse("10.0.0.1:1"));
  set.insert(*Endpoint::Parse("10.0.0.1:2"));
  set.insert(*Endpoint::Parse("10.0.0.1:1"));
  EXPECT_EQ(set.size(), 2u);
}

TEST(MacAddress, FormatsWithColons) {
  EXPECT_EQ((MacAddress{{0x02, 0, 0, 0xab, 0xcd, 0xef}}).ToString(), "02:00:00:ab:cd:ef");
}

}  // namespace
}  // namespace linegate
