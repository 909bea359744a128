#include <gtest/gtest.h>

#include "controlplane/dtls/dtls_endpoint.h"

namespace linegate::dtls {
namespace {

const std::string kSha256 =
    "sha-256 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB:4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF";

TEST(Fingerprint, RoundTrips) {
  auto parsed = Fingerprint::Parse(kSha256);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->digest.size(), 32u);
  EXPECT_EQ(parsed->ToString(), kSha256);
}

TEST(Fingerprint, HashNameAndHexAreCaseInsensitive) {
  std::string lower = kSha256;
  for (char& c : lower) c = char(tolower(c));
  lower.replace(0, 7, "SHA-256");
  EXPECT_EQ(Fingerprint::Parse(lower), Fingerprint::Parse(kSha256));
}

TEST(Fingerprint, RejectsWhatIsNotOne) {
  EXPECT_FALSE(Fingerprint::Parse(""));
  EXPECT_FALSE(Fingerprint::Parse("sha-256"));
  EXPECT_FALSE(Fingerprint::Parse("sha-256 "));
  EXPECT_FALSE(Fingerprint::Parse("md5 " + kSha256.substr(8)));
  EXPECT_FALSE(Fingerprint::Parse("sha-512 " + kSha256.substr(8)));
  EXPECT_FALSE(Fingerprint::Parse(kSha256 + ":00"));
  std::string no_colon = kSha256;
  no_colon[10] = '-';
  EXPECT_FALSE(Fingerprint::Parse(no_colon));
  std::string not_hex = kSha256;
  not_hex[8] = 'G';
  EXPECT_FALSE(Fingerprint::Parse(not_hex));
}

TEST(Fingerprint, SurvivesEveryTruncation) {
  for (size_t n = 0; n < kSha256.size(); ++n) EXPECT_FALSE(Fingerprint::Parse(kSha256.substr(0, n))) << n;
}

}  // namespace
}  // namespace linegate::dtls
