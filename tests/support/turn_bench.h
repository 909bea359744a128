#pragma once
#include <array>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "controlplane/turn/turn_server.h"
#include "drivers/crypto/openssl_hmac_sha1.h"

namespace linegate::test {

/// The TURN server's cryptography on OpenSSL, apart from the product's own, and the sealing side of tokens.
class TurnTestCrypto final : public turn::TurnCrypto {
 public:
  wire::HmacSha1& hmac_sha1() override { return sha1_; }
  wire::HmacSha256& hmac_sha256() override { return sha256_; }
  std::array<uint8_t, 16> Md5(ByteView bytes) override;
  std::array<uint8_t, 32> Sha256(ByteView bytes) override;
  std::optional<std::vector<uint8_t>> OpenAesGcm(ByteView key, ByteView nonce, ByteView associated_data,
                                                 ByteView sealed) override;
  std::vector<uint8_t> SealAesGcm(ByteView key, ByteView nonce, ByteView associated_data, ByteView plain);

 private:
  struct Sha256Hmac final : wire::HmacSha256 {
    void Compute(ByteView key, ByteView first, ByteView second,
                 std::span<uint8_t, kTagBytes> tag) noexcept override;
  };
  crypto::OpensslHmacSha1 sha1_;
  Sha256Hmac sha256_;
};

/// Counts, so that every run sees the same bytes.
class CountingRng final : public Rng {
 public:
  void Fill(std::span<uint8_t> out) override {
    for (uint8_t& byte : out)
      byte = uint8_t((state_ = state_ * 6364136223846793005u + 1442695040888963407u) >> 56);
  }

 private:
  uint64_t state_ = 1;
};

/// A TURN server on a virtual clock, clients that know how to authenticate, and workers that confirm when told
/// to. Outputs are shown as text, so that a test compares exact lists:
///
///   "program 1 change 1 worker 0 udp 198.51.100.1:5000 relayed 192.0.2.1:49160"
///   "answer 198.51.100.1:5000 Allocate ok relayed 192.0.2.1:49160 lifetime 600 mapped 198.51.100.1:5000"
class TurnBench {
 public:
  using Add = std::function<void(wire::StunMessageWriter&)>;
  enum class Proof { kNone, kSha1, kSha256, kSha256Truncated };
  /// Realm lab.example, user lab/lab, secret lab-secret, IPv4 and IPv6, one worker, ports 49160 to 49175.
  static turn::TurnConfig Config();
  static turn::TurnClient Client(int number, turn::ClientTransport transport = turn::ClientTransport::kUdp);

  explicit TurnBench(turn::TurnConfig config = Config());

  turn::TurnServer& server() { return *server_; }
  turn::TurnTime time() const { return {now_, unix_s_}; }
  TimePoint now() const { return now_; }
  /// Moves the clock and lets the server act.
  void Pass(Duration duration);

  // What the next request says of itself.
  std::string user = "lab", password = "lab", realm = "lab.example";
  Proof proof = Proof::kSha1;
  bool fingerprint = false;
  std::optional<std::vector<uint8_t>> key;             ///< instead of the password's
  std::optional<std::array<uint8_t, 12>> transaction;  ///< instead of a fresh one
  turn::PasswordAlgorithm algorithm = turn::PasswordAlgorithm::kMd5;
  bool names_algorithm = false;  ///< PASSWORD-ALGORITHM(S)

  /// The nonce of a challenge to `client`.
  std::string Nonce(const turn::TurnClient& client);
  /// A complete request with credentials.
  std::vector<uint8_t> Request(const turn::TurnClient& client, wire::StunMethod method, const Add& add = {});
  void Deliver(const turn::TurnClient& client, ByteView message) {
    server_->HandleMessage(time(), client, message);
  }
  /// Request and Deliver.
  void Ask(const turn::TurnClient& client, wire::StunMethod method, const Add& add = {}) {
    Deliver(client, Request(client, method, add));
  }
  /// Ask, let workers confirm everything; the error code, 0 for success, -1 for silence.
  int Code(const turn::TurnClient& client, wire::StunMethod method, const Add& add = {});
  /// Code of an Allocate with REQUESTED-TRANSPORT UDP and `add`.
  int Allocate(const turn::TurnClient& client, const Add& add = {});
  int Permit(const turn::TurnClient& client, std::initializer_list<const char*> peers);
  int Bind(const turn::TurnClient& client, uint16_t channel, const char* peer);
  int Refresh(const turn::TurnClient& client, uint32_t lifetime, const Add& add = {});

  /// All outputs so far, as text; nothing is confirmed.
  std::vector<std::string> Outputs();
  /// Confirms what the outputs ask of workers and kernel until nothing is left; the text of everything.
  std::vector<std::string> Settle();
  /// The newest message to a client.
  const std::vector<uint8_t>& last_message() const { return last_message_; }
  wire::StunMessageView last_answer() const { return *wire::StunMessageView::Parse(last_message_); }
  /// The key that proves requests now.
  std::vector<uint8_t> Key();

  TurnTestCrypto crypto;

 private:
  std::string Text(const turn::Output& output);
  void Confirm(const turn::Output& output);
  /// The next output: those first that a Nonce found in its way.
  std::optional<turn::Output> Next();
  CountingRng rng_;
  std::deque<turn::Output> held_;
  std::unique_ptr<turn::TurnServer> server_;
  TimePoint now_ = TimePoint(std::chrono::hours(1));
  int64_t unix_s_ = 1'764'000'000;
  uint64_t next_transaction_ = 1;
  std::vector<uint8_t> last_message_;
};

}  // namespace linegate::test
