#include "controlplane/dtls/openssl_endpoint.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include <algorithm>
#include <cstring>

#include "dataplane/base/secret.h"

namespace linegate::dtls {
namespace {

/// More than one flight of ours never waits to be sent (a flight is at most five datagrams).
constexpr size_t kMaxOutgoing = 32;
/// Fits every path we send on without fragmentation (IPv6 minimum 1,280 less IP and UDP headers).
constexpr long kLinkMtu = 1200;
constexpr char kExporterLabel[] = "EXTRACTOR-dtls_srtp";  // RFC 5764 section 4.2

OpenSslEndpoint& Owner(BIO* bio) { return *static_cast<OpenSslEndpoint*>(BIO_get_data(bio)); }

int BioRead(BIO* bio, char* out, int length) {
  BIO_clear_retry_flags(bio);
  ByteView& incoming = Owner(bio).incoming();
  if (incoming.empty()) {
    BIO_set_retry_read(bio);
    return -1;
  }
  const size_t bytes = std::min(incoming.size(), size_t(std::max(length, 0)));
  std::memcpy(out, incoming.data(), bytes);
  incoming = {};  // a datagram is read whole or its rest is lost, as from a socket
  return int(bytes);
}

int BioWrite(BIO* bio, const char* data, int length) {
  auto& outgoing = Owner(bio).outgoing();
  if (length > 0 && outgoing.size() < kMaxOutgoing) outgoing.emplace_back(data, data + length);
  return length;
}

long BioControl(BIO*, int command, long, void*) {
  switch (command) {
    case BIO_CTRL_FLUSH:
    case BIO_CTRL_DGRAM_SET_NEXT_TIMEOUT:
      return 1;
    case BIO_CTRL_DGRAM_QUERY_MTU:
    case BIO_CTRL_DGRAM_GET_FALLBACK_MTU:
      return kLinkMtu;
    case BIO_CTRL_DGRAM_GET_MTU_OVERHEAD:
      return 0;
    default:
      return 0;
  }
}

BIO_METHOD* DatagramBio() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "linegate datagram");
    BIO_meth_set_read(m, BioRead);
    BIO_meth_set_write(m, BioWrite);
    BIO_meth_set_ctrl(m, BioControl);
    return m;
  }();
  return method;
}

std::string OpenSslError() {
  char text[160] = "unknown error";
  if (const unsigned long code = ERR_peek_last_error(); code != 0)
    ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return text;
}

const EVP_MD* DigestOf(const std::string& hash) {
  if (hash == "sha-384") return EVP_sha384();
  if (hash == "sha-512") return EVP_sha512();
  return EVP_sha256();
}

/// DTLS timers start at our own value, not at OpenSSL's one second: media set-up is judged by it.
unsigned RetransmitTimer(SSL* ssl, unsigned current_us) {
  constexpr unsigned kMaxUs = 60'000'000;
  if (current_us == 0) return static_cast<OpenSslEndpoint*>(SSL_get_app_data(ssl))->first_retransmit_us();
  return std::min(current_us * 2, kMaxUs);
}

}  // namespace

OpenSslEndpoint::OpenSslEndpoint(SSL_CTX* context, Role role, Fingerprint expected,
                                 const OpenSslDtlsOptions& options)
    : ssl_(SSL_new(context)), role_(role), expected_(std::move(expected)), options_(options) {
  BIO* bio = BIO_new(DatagramBio());
  LG_FATAL(ssl_ != nullptr && bio != nullptr);
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_, bio, bio);
  SSL_set_options(ssl_, SSL_OP_NO_QUERY_MTU | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
  SSL_set_mtu(ssl_, kLinkMtu);
  SSL_set_app_data(ssl_, this);
  DTLS_set_timer_cb(ssl_, RetransmitTimer);
  if (role_ == Role::kServer) {
    SSL_set_accept_state(ssl_);
  } else {
    SSL_set_connect_state(ssl_);
  }
}

OpenSslEndpoint::~OpenSslEndpoint() { SSL_free(ssl_); }

void OpenSslEndpoint::Start(TimePoint now) {
  if (state_ != State::kIdle) return;
  state_ = State::kHandshaking;
  handshake_deadline_ = now + options_.handshake_timeout;
  if (role_ == Role::kClient) Advance(now);
}

void OpenSslEndpoint::HandleDatagram(TimePoint now, ByteView datagram) {
  if (state_ == State::kIdle) Start(now);
  if (state_ == State::kFailed || state_ == State::kClosed) return;
  incoming_ = datagram;
  Advance(now);
  incoming_ = {};
}

void OpenSslEndpoint::HandleTimeout(TimePoint now) {
  now_ = now;
  if (state_ != State::kHandshaking) return;
  if (handshake_deadline_ && now >= *handshake_deadline_) {
    Fail("handshake timed out");
    return;
  }
  if (DTLSv1_handle_timeout(ssl_) < 0) Fail("handshake timed out: " + OpenSslError());
}

std::optional<TimePoint> OpenSslEndpoint::NextTimeout() const {
  if (state_ != State::kHandshaking) return std::nullopt;
  std::optional<TimePoint> next = handshake_deadline_;
  timeval left = {};
  if (DTLSv1_get_timeout(ssl_, &left) == 1) {
    const TimePoint due = now_ + std::chrono::seconds(left.tv_sec) + std::chrono::microseconds(left.tv_usec);
    if (!next || due < *next) next = due;
  }
  return next;
}

bool OpenSslEndpoint::PollTransmit(std::vector<uint8_t>& datagram) {
  if (outgoing_.empty()) return false;
  datagram = std::move(outgoing_.front());
  outgoing_.pop_front();
  return true;
}

void OpenSslEndpoint::Close(TimePoint now) {
  now_ = now;
  if (state_ == State::kConnected) SSL_shutdown(ssl_);
  ERR_clear_error();
  state_ = State::kClosed;
}

void OpenSslEndpoint::Advance(TimePoint now) {
  now_ = now;
  if (state_ == State::kConnected) {
    ReadApplicationData();
    return;
  }
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_);
  if (result == 1) {
    FinishHandshake();
    return;
  }
  const int error = SSL_get_error(ssl_, result);
  if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
    Fail("handshake failed: " + OpenSslError());
}

/// Nothing is expected: no data channels. Reading makes OpenSSL answer a retransmitted last flight and see close_notify.
void OpenSslEndpoint::ReadApplicationData() {
  ERR_clear_error();
  char scratch[256];
  int n;
  do n = SSL_read(ssl_, scratch, sizeof scratch);
  while (n > 0);
  const int error = SSL_get_error(ssl_, n);
  if (error == SSL_ERROR_ZERO_RETURN) state_ = State::kClosed;
  // Anything else (a forged record, say) changes nothing: the keys in use stay as they are.
  ERR_clear_error();
}

void OpenSslEndpoint::FinishHandshake() {
  if (!PeerCertificateMatches()) {
    Fail("fingerprint mismatch");
    return;
  }
  if (!ExportKeys()) {
    Fail("no common SRTP profile");
    return;
  }
  handshake_deadline_.reset();
  state_ = State::kConnected;
}

void OpenSslEndpoint::Fail(std::string why) {
  failure_ = std::move(why);
  state_ = State::kFailed;
  handshake_deadline_.reset();
}

bool OpenSslEndpoint::PeerCertificateMatches() const {
  X509* certificate = SSL_get1_peer_certificate(ssl_);
  if (certificate == nullptr) return false;
  uint8_t digest[EVP_MAX_MD_SIZE];
  unsigned bytes = 0;
  const bool hashed = X509_digest(certificate, DigestOf(expected_.hash), digest, &bytes) == 1;
  X509_free(certificate);
  return hashed && ConstantTimeEqual({digest, bytes}, expected_.digest);
}

/// RFC 5764 section 4.2: client key | server key | client salt | server salt.
bool OpenSslEndpoint::ExportKeys() {
  const SRTP_PROTECTION_PROFILE* chosen = SSL_get_selected_srtp_profile(ssl_);
  if (chosen == nullptr) return false;
  const auto profile = srtp::Profile(chosen->id);
  const auto traits = srtp::TraitsOf(profile);
  if (!traits) return false;
  uint8_t material[2 * (srtp::kMaxKeyBytes + srtp::kMaxSaltBytes)];
  const size_t key = traits->key_bytes, salt = traits->salt_bytes;
  if (SSL_export_keying_material(ssl_, material, 2 * (key + salt), kExporterLabel, sizeof kExporterLabel - 1,
                                 nullptr, 0, 0) != 1) {
    return false;
  }
  const ByteView all(material, 2 * (key + salt));
  srtp::MasterKey client, server;
  client.profile = server.profile = profile;
  client.key.Assign(all.subspan(0, key));
  server.key.Assign(all.subspan(key, key));
  client.salt.Assign(all.subspan(2 * key, salt));
  server.salt.Assign(all.subspan(2 * key + salt, salt));
  Wipe(material, sizeof material);
  keys_.send = role_ == Role::kClient ? client : server;
  keys_.receive = role_ == Role::kClient ? server : client;
  return true;
}

}  // namespace linegate::dtls
