#pragma once
#include <openssl/ssl.h>

#include <optional>
#include <string>
#include <string_view>

#include "dataplane/base/net_address.h"

namespace linegate::test {

/// A WebSocket client that can misbehave: TLS by OpenSSL, everything above it written by hand. Blocking;
/// every read gives up after five seconds.
class TlsClient {
 public:
  enum class Masking { kMasked, kUnmasked };
  struct Frame {
    int opcode = 0;
    std::string payload;
    int close_code() const {
      return payload.size() < 2
                 ? 0
                 : (static_cast<unsigned char>(payload[0]) << 8 | static_cast<unsigned char>(payload[1]));
    }
  };
  static constexpr int kContinuation = 0, kText = 1, kBinary = 2, kClose = 8, kPing = 9, kPong = 10;

  /// Connects TCP only.
  explicit TlsClient(const Endpoint& server);
  ~TlsClient();
  TlsClient(const TlsClient&) = delete;

  bool Handshake();
  void Write(std::string_view bytes);
  /// Until `end` was seen, the peer closed, or time ran out.
  std::string ReadUntil(std::string_view end);
  /// Head and, by Content-Length, body.
  std::string Request(std::string_view request, std::string_view method = "GET");
  /// Waits for the peer to close; true if it did.
  bool WaitForClose();

  /// GET with the usual upgrade headers; returns the response's head.
  std::string Upgrade(std::string_view path = "/",
                      std::string_view extra_fields = "Sec-WebSocket-Protocol: sip\r\n");
  void SendFrame(int opcode, std::string_view payload, Masking masking = Masking::kMasked,
                 bool is_final = true);
  std::optional<Frame> ReadFrame();
  std::string certificate_fingerprint() const;
  std::string tls_version() const { return SSL_get_version(ssl_); }
  SSL_CTX* context() { return context_; }

 private:
  bool Fill();
  std::string buffer_;
  int fd_ = -1;
  SSL_CTX* context_ = nullptr;
  SSL* ssl_ = nullptr;
};

}  // namespace linegate::test
