#include "controlplane/ops/certificate_check.h"

#include <gmock/gmock.h>

#include "tests/support/temporary_folder.h"
#include "tests/support/test_certificate.h"

namespace linegate::ops {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using File = CertificateError::File;

constexpr int64_t kNow = 1'800'000'000, kDay = 86400;
const std::vector<IpAddress> kAddresses{*IpAddress::Parse("10.90.0.2"), *IpAddress::Parse("fd90::2")};

class CertificateCheckTest : public ::testing::Test {
 protected:
  Result<CertificateFacts, CertificateError> Check(const test::CertificateRequest& request) {
    const auto made = test::MakeTestCertificate(request);
    return Check(made.certificate_pem, made.private_key_pem);
  }
  Result<CertificateFacts, CertificateError> Check(std::string_view certificate, std::string_view key) {
    return CheckCertificate(folder_.Write("cert.pem", certificate), folder_.Write("key.pem", key), kAddresses,
                            kNow);
  }
  static test::CertificateRequest Good() {
    return {.subject_alternative_names = "IP:10.90.0.2,IP:fd90::2",
            .not_before_unix_s = kNow - kDay,
            .not_after_unix_s = kNow + 100 * kDay};
  }
  test::TemporaryFolder folder_;
};

TEST_F(CertificateCheckTest, GoodOneHasNoWarnings) {
  const auto facts = Check(Good());
  ASSERT_TRUE(facts) << facts.error().what;
  EXPECT_EQ(facts->expires_unix_s, kNow + 100 * kDay);
  EXPECT_THAT(facts->names, ElementsAre("10.90.0.2", "fd90::2"));
  EXPECT_THAT(facts->warnings, IsEmpty());
}

TEST_F(CertificateCheckTest, KeyOfAnotherCertificateIsTheKeysFault) {
  const auto facts = Check(test::MakeTestCertificate(Good()).certificate_pem,
                           test::MakeTestCertificate(Good()).private_key_pem);
  ASSERT_FALSE(facts);
  EXPECT_EQ(facts.error().file, File::kPrivateKey);
  EXPECT_THAT(facts.error().what, HasSubstr("does not belong to"));
}

TEST_F(CertificateCheckTest, MissingFilesAreNamed) {
  auto facts = CheckCertificate("/nonexistent/cert.pem", "/nonexistent/key.pem", {}, kNow);
  ASSERT_FALSE(facts);
  EXPECT_THAT(facts.error().what, HasSubstr("/nonexistent/cert.pem: No such file"));
  const std::string certificate =
      folder_.Write("cert.pem", test::MakeTestCertificate(Good()).certificate_pem);
  facts = CheckCertificate(certificate, "/nonexistent/key.pem", {}, kNow);
  ASSERT_FALSE(facts);
  EXPECT_EQ(facts.error().file, File::kPrivateKey);
  EXPECT_THAT(facts.error().what, HasSubstr("/nonexistent/key.pem: No such file"));
}

TEST_F(CertificateCheckTest, FilesWithoutPemAreRefused) {
  const auto good = test::MakeTestCertificate(Good());
  EXPECT_EQ(Check("", good.private_key_pem).error().file, File::kCertificate);
  EXPECT_EQ(Check(good.private_key_pem, good.private_key_pem).error().file, File::kCertificate);
  EXPECT_EQ(Check(good.certificate_pem, "nonsense").error().file, File::kPrivateKey);
  const std::string half = good.certificate_pem.substr(0, good.certificate_pem.size() / 2);
  EXPECT_EQ(Check(half, good.private_key_pem).error().file, File::kCertificate);
}

TEST_F(CertificateCheckTest, ExpiredOrFutureOnesAreRefused) {
  auto request = Good();
  request.not_after_unix_s = kNow;
  EXPECT_THAT(Check(request).error().what, HasSubstr("expired on 2027-01-15 08:00:00 UTC"));
  request = Good();
  request.not_before_unix_s = kNow + 1;
  EXPECT_THAT(Check(request).error().what, HasSubstr("not valid before"));
}

TEST_F(CertificateCheckTest, WarnsFourteenDaysAhead) {
  auto request = Good();
  request.not_after_unix_s = kNow + 14 * kDay;
  EXPECT_THAT(Check(request)->warnings, IsEmpty());
  request.not_after_unix_s = kNow + 14 * kDay - 1;
  EXPECT_THAT(Check(request)->warnings, ElementsAre(HasSubstr("expires on")));
}

TEST_F(CertificateCheckTest, WarnsOfAddressesItDoesNotName) {
  auto request = Good();
  request.subject_alternative_names = "IP:10.90.0.2";
  EXPECT_THAT(Check(request)->warnings, ElementsAre(HasSubstr("https://[fd90::2]:443")));
  request.subject_alternative_names = "";
  EXPECT_EQ(Check(request)->warnings.size(), 2u);
  request.subject_alternative_names = "DNS:phone.example.com";
  EXPECT_THAT(Check(request)->warnings, IsEmpty());
}

TEST_F(CertificateCheckTest, ChainOutOfOrderIsRefused) {
  const auto leaf = test::MakeTestCertificate(Good()), stranger = test::MakeTestCertificate(Good());
  EXPECT_TRUE(Check(leaf.certificate_pem + leaf.certificate_pem,
                    leaf.private_key_pem));  // self-signed: issued by itself
  const auto facts = Check(leaf.certificate_pem + stranger.certificate_pem, leaf.private_key_pem);
  ASSERT_FALSE(facts);
  EXPECT_THAT(facts.error().what, HasSubstr("certificate 2 of the file did not issue certificate 1"));
}

}  // namespace
}  // namespace linegate::ops
