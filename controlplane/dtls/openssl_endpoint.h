#pragma once
#include <openssl/ssl.h>

#include <deque>

#include "controlplane/dtls/certificate.h"
#include "controlplane/dtls/dtls_endpoint.h"

namespace linegate::dtls {

/// DtlsEndpoint on one SSL object. Theory of operation: incoming datagrams are put one by one into a BIO that keeps
/// datagram borders and handed to OpenSSL at once; outgoing ones are collected by the same BIO, one write = one datagram.
/// OpenSSL's own clock decides when a flight is due again; since the caller's clock is virtual in tests, NextTimeout
/// asks OpenSSL how long is left and adds it to the `now` of the last call.
class OpenSslEndpoint final : public DtlsEndpoint {
 public:
  OpenSslEndpoint(SSL_CTX* context, Role role, Fingerprint expected, const OpenSslDtlsOptions& options);
  ~OpenSslEndpoint() override;
  OpenSslEndpoint(const OpenSslEndpoint&) = delete;
  OpenSslEndpoint& operator=(const OpenSslEndpoint&) = delete;

  void Start(TimePoint now) override;
  void HandleDatagram(TimePoint now, ByteView datagram) override;
  void HandleTimeout(TimePoint now) override;
  std::optional<TimePoint> NextTimeout() const override;
  bool PollTransmit(std::vector<uint8_t>& datagram) override;
  State state() const override { return state_; }
  const std::string& failure() const override { return failure_; }
  const SrtpKeys* keys() const override { return state_ == State::kConnected ? &keys_ : nullptr; }
  void Close(TimePoint now) override;

  // For the BIO callbacks in openssl_endpoint.cc.
  std::deque<std::vector<uint8_t>>& outgoing() { return outgoing_; }
  ByteView& incoming() { return incoming_; }
  unsigned first_retransmit_us() const {
    return unsigned(options_.first_retransmit / std::chrono::microseconds(1));
  }

 private:
  void Advance(TimePoint now);
  void FinishHandshake();
  void ReadApplicationData();
  void Fail(std::string why);
  bool PeerCertificateMatches() const;
  bool ExportKeys();

  SSL* ssl_ = nullptr;
  Role role_;
  Fingerprint expected_;
  OpenSslDtlsOptions options_;
  State state_ = State::kIdle;
  std::string failure_;
  SrtpKeys keys_;
  TimePoint now_{};
  std::optional<TimePoint> handshake_deadline_;
  std::deque<std::vector<uint8_t>> outgoing_;
  ByteView incoming_;
};

}  // namespace linegate::dtls
