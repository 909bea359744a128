#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "controlplane/dtls/certificate.h"

namespace linegate::dtls {
namespace {

using ::testing::HasSubstr;
using Datagram = std::vector<uint8_t>;

class DtlsEndpointTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/linegate_dtls.XXXXXX";
    ASSERT_NE(mkdtemp(pattern), nullptr);
    root_ = pattern;
    server_factory_ = MakeFactory("server");
    client_factory_ = MakeFactory("client");
    server_ = server_factory_->Create(Role::kServer, client_factory_->fingerprint());
    client_ = client_factory_->Create(Role::kClient, server_factory_->fingerprint());
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  std::unique_ptr<DtlsFactory> MakeFactory(const std::string& name) {
    std::filesystem::create_directory(root_ + "/" + name);
    OpenSslDtlsOptions options;
    options.first_retransmit = std::chrono::milliseconds(1);
    auto factory = MakeOpenSslDtlsFactory(root_ + "/" + name, options);
    EXPECT_TRUE(factory) << factory.error().message();
    return std::move(factory).value();
  }
  static std::vector<Datagram> Drain(DtlsEndpoint& endpoint) {
    std::vector<Datagram> all;
    Datagram one;
    while (endpoint.PollTransmit(one)) all.push_back(one);
    return all;
  }
  /// What `endpoint` sends when its flight is due again. OpenSSL's retransmission timer runs on the real clock (1 ms
  /// here); the handshake deadline on ours.
  std::vector<Datagram> Retransmission(DtlsEndpoint& endpoint) {
    std::vector<Datagram> again;
    for (const TimePoint start = MonotonicNow();
         again.empty() && MonotonicNow() - start < std::chrono::seconds(5);) {
      endpoint.HandleTimeout(now_);
      again = Drain(endpoint);
    }
    EXPECT_FALSE(again.empty());
    return again;
  }
  /// Carries datagrams both ways until nothing moves.
  void Run() {
    for (bool moved = true; moved;) {
      moved = false;
      for (auto& d : Drain(*client_)) server_->HandleDatagram(now_, d), moved = true;
      for (auto& d : Drain(*server_)) client_->HandleDatagram(now_, d), moved = true;
    }
  }

  std::string root_;
  TimePoint now_ = FromNanoseconds(1'000'000'000);
  std::unique_ptr<DtlsFactory> server_factory_, client_factory_;
  std::unique_ptr<DtlsEndpoint> server_, client_;
};

TEST_F(DtlsEndpointTest, BothSidesExportTheSameKeys) {
  client_->Start(now_);
  Run();
  ASSERT_EQ(client_->state(), State::kConnected) << client_->failure();
  ASSERT_EQ(server_->state(), State::kConnected) << server_->failure();
  EXPECT_EQ(client_->keys()->send.profile, srtp::Profile::kAeadAes128Gcm);
  EXPECT_TRUE(ConstantTimeEqual(client_->keys()->send.key.view(), server_->keys()->receive.key.view()));
  EXPECT_TRUE(ConstantTimeEqual(client_->keys()->send.salt.view(), server_->keys()->receive.salt.view()));
  EXPECT_TRUE(ConstantTimeEqual(client_->keys()->receive.key.view(), server_->keys()->send.key.view()));
  EXPECT_EQ(client_->keys()->send.key.view().size(), 16u);
  EXPECT_EQ(client_->keys()->send.salt.view().size(), 12u);
}

TEST_F(DtlsEndpointTest, DatagramsFitTheMtu) {
  client_->Start(now_);
  size_t largest = 0;
  for (bool moved = true; moved;) {
    moved = false;
    for (auto& d : Drain(*client_))
      largest = std::max(largest, d.size()), server_->HandleDatagram(now_, d), moved = true;
    for (auto& d : Drain(*server_))
      largest = std::max(largest, d.size()), client_->HandleDatagram(now_, d), moved = true;
  }
  EXPECT_LE(largest, 1200u);
  EXPECT_EQ(client_->state(), State::kConnected);
}

TEST_F(DtlsEndpointTest, AnotherCertificateThanAnnouncedFails) {
  auto stranger = MakeFactory("stranger");
  client_ = stranger->Create(Role::kClient, server_factory_->fingerprint());
  client_->Start(now_);
  Run();
  EXPECT_EQ(server_->state(), State::kFailed);
  EXPECT_EQ(server_->failure(), "fingerprint mismatch");
  EXPECT_EQ(server_->keys(), nullptr);
}

TEST_F(DtlsEndpointTest, ALostFlightIsSentAgain) {
  client_->Start(now_);
  Drain(*client_);  // lost
  ASSERT_TRUE(client_->NextTimeout());
  for (auto& d : Retransmission(*client_)) server_->HandleDatagram(now_, d);
  Run();
  EXPECT_EQ(client_->state(), State::kConnected);
}

TEST_F(DtlsEndpointTest, ARepeatedLastFlightOfThePeerIsAnsweredAgain) {
  client_->Start(now_);
  for (auto& d : Drain(*client_)) server_->HandleDatagram(now_, d);
  for (auto& d : Drain(*server_)) client_->HandleDatagram(now_, d);
  for (auto& d : Drain(*client_)) server_->HandleDatagram(now_, d);
  ASSERT_EQ(server_->state(), State::kConnected);
  Drain(*server_);  // the server's Finished is lost
  for (auto& d : Retransmission(*client_)) server_->HandleDatagram(now_, d);
  for (auto& d : Drain(*server_)) client_->HandleDatagram(now_, d);
  EXPECT_EQ(client_->state(), State::kConnected);
}

TEST_F(DtlsEndpointTest, GivesUpWhenThePeerIsSilent) {
  client_->Start(now_);
  now_ += std::chrono::seconds(21);
  client_->HandleTimeout(now_);
  EXPECT_EQ(client_->state(), State::kFailed);
  EXPECT_THAT(client_->failure(), HasSubstr("timed out"));
  EXPECT_FALSE(client_->NextTimeout());
}

TEST_F(DtlsEndpointTest, GarbageAndTruncationsChangeNothing) {
  client_->Start(now_);
  const auto hello = Drain(*client_);
  for (size_t n = 0; n < hello[0].size(); n += 7) server_->HandleDatagram(now_, ByteView(hello[0]).first(n));
  const uint8_t garbage[] = {22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 9, 255, 255, 1, 2, 3};
  server_->HandleDatagram(now_, garbage);
  for (auto& d : hello) server_->HandleDatagram(now_, d);
  Run();
  EXPECT_EQ(server_->state(), State::kConnected) << server_->failure();
  server_->HandleDatagram(now_, garbage);
  EXPECT_EQ(server_->state(), State::kConnected);
}

TEST_F(DtlsEndpointTest, CertificateIsKeptWithMode0600) {
  const Fingerprint first = server_factory_->fingerprint();
  EXPECT_EQ(MakeFactory("server")->fingerprint(), first);
  struct stat st;
  ASSERT_EQ(stat((root_ + "/server/dtls.pem").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0600u);
}

TEST_F(DtlsEndpointTest, ABrokenCertificateFileIsAnError) {
  std::filesystem::create_directory(root_ + "/broken");
  std::ofstream(root_ + "/broken/dtls.pem") << "nonsense";
  auto factory = MakeOpenSslDtlsFactory(root_ + "/broken");
  ASSERT_FALSE(factory);
  EXPECT_THAT(factory.error().message(), HasSubstr("dtls.pem"));
}

}  // namespace
}  // namespace linegate::dtls
