#include "controlplane/net/dtls_association.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/time.h>

#include <algorithm>
#include <cstring>

#include "dataplane/base/check.h"
#include "dataplane/base/secret.h"

namespace linegate::net {
namespace {

/// Fits every path without fragmentation (IPv6 minimum 1,280 less IP and UDP headers).
constexpr long kHandshakeMtu = 1200;
/// A message of TURN leaves as one record, whatever the path; the kernel fragments it if it must.
constexpr size_t kMostMessageBytes = 2048;
constexpr size_t kMostOutgoing = 16;

DtlsAssociation::Wire& WireOf(BIO* bio) { return *static_cast<DtlsAssociation::Wire*>(BIO_get_data(bio)); }

int ReadDatagram(BIO* bio, char* out, int length) {
  BIO_clear_retry_flags(bio);
  ByteView& incoming = WireOf(bio).incoming;
  if (incoming.empty()) {
    BIO_set_retry_read(bio);
    return -1;
  }
  const size_t bytes = std::min(incoming.size(), size_t(std::max(length, 0)));
  std::memcpy(out, incoming.data(), bytes);
  incoming = {};  // a datagram is read whole or its rest is lost, as from a socket
  return int(bytes);
}

int WriteDatagram(BIO* bio, const char* data, int length) {
  auto& outgoing = WireOf(bio).outgoing;
  if (length > 0 && outgoing.size() < kMostOutgoing) outgoing.emplace_back(data, data + length);
  return length;
}

long Control(BIO*, int command, long, void*) {
  switch (command) {
    case BIO_CTRL_FLUSH:
    case BIO_CTRL_DGRAM_SET_NEXT_TIMEOUT:
      return 1;
    case BIO_CTRL_DGRAM_QUERY_MTU:
    case BIO_CTRL_DGRAM_GET_FALLBACK_MTU:
      return kHandshakeMtu;
    default:
      return 0;
  }
}

BIO_METHOD* DatagramMethod() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "linegate turn datagram");
    BIO_meth_set_read(m, ReadDatagram);
    BIO_meth_set_write(m, WriteDatagram);
    BIO_meth_set_ctrl(m, Control);
    return m;
  }();
  return method;
}

int MakeCookie(SSL* ssl, unsigned char* out, unsigned* length) {
  const auto& cookie = WireOf(SSL_get_rbio(ssl)).cookie;
  std::copy(cookie.begin(), cookie.end(), out);
  *length = unsigned(cookie.size());
  return 1;
}

int CheckCookie(SSL* ssl, const unsigned char* given, unsigned length) {
  return ConstantTimeEqual(WireOf(SSL_get_rbio(ssl)).cookie, ByteView(given, length)) ? 1 : 0;
}

}  // namespace

void SslFree::operator()(SSL* ssl) const { SSL_free(ssl); }

DtlsAssociation::DtlsAssociation(SSL_CTX* context, const std::array<uint8_t, 16>& cookie)
    : wire_{{}, {}, cookie}, ssl_(SSL_new(context)) {
  BIO* bio = BIO_new(DatagramMethod());
  LG_FATAL(ssl_ != nullptr && bio != nullptr);
  BIO_set_data(bio, &wire_);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_mtu(ssl_.get(), kHandshakeMtu);
  SSL_set_accept_state(ssl_.get());
}

DtlsAssociation::~DtlsAssociation() = default;

DtlsAssociation::Hello DtlsAssociation::Listen(SSL_CTX* context, const std::array<uint8_t, 16>& cookie,
                                               ByteView datagram) {
  constexpr uint8_t kHandshake = 22;
  Hello hello;
  if (datagram.empty() || datagram[0] != kHandshake) return hello;
  std::unique_ptr<DtlsAssociation> candidate(new DtlsAssociation(context, cookie));
  candidate->wire_.incoming = datagram;
  BIO_ADDR* peer = BIO_ADDR_new();
  const int outcome = DTLSv1_listen(candidate->ssl_.get(), peer);
  BIO_ADDR_free(peer);
  ERR_clear_error();
  candidate->wire_.incoming = {};
  hello.datagrams = std::exchange(candidate->wire_.outgoing, {});
  if (outcome == 1) hello.association = std::move(candidate);
  return hello;
}

DtlsAssociation::Progress DtlsAssociation::HandleDatagram(ByteView datagram) {
  wire_.incoming = datagram;
  Progress progress = Advance();
  wire_.incoming = {};
  return progress;
}

DtlsAssociation::Progress DtlsAssociation::HandleTimeout() {
  const bool failed = DTLSv1_handle_timeout(ssl_.get()) < 0;
  ERR_clear_error();
  Progress progress;
  progress.state = failed ? Progress::State::kEnded
                   : up_  ? Progress::State::kUp
                          : Progress::State::kHandshaking;
  progress.datagrams = std::exchange(wire_.outgoing, {});
  return progress;
}

DtlsAssociation::Progress DtlsAssociation::Advance() {
  Progress progress;
  bool ended = false;
  if (!up_) {
    const int outcome = SSL_do_handshake(ssl_.get());
    up_ = outcome == 1;
    ended = !up_ && SSL_get_error(ssl_.get(), outcome) != SSL_ERROR_WANT_READ;
  }
  while (up_ && !ended) {
    std::vector<uint8_t> message(kMostMessageBytes);
    const int length = SSL_read(ssl_.get(), message.data(), int(message.size()));
    if (length <= 0) {
      ended = SSL_get_error(ssl_.get(), length) != SSL_ERROR_WANT_READ;
      break;
    }
    message.resize(size_t(length));
    progress.messages.push_back(std::move(message));
  }
  ERR_clear_error();
  progress.state = ended ? Progress::State::kEnded
                   : up_ ? Progress::State::kUp
                         : Progress::State::kHandshaking;
  progress.datagrams = std::exchange(wire_.outgoing, {});
  return progress;
}

std::optional<Duration> DtlsAssociation::timeout() const {
  timeval left = {};
  if (DTLSv1_get_timeout(ssl_.get(), &left) != 1) return std::nullopt;
  return std::chrono::seconds(left.tv_sec) + std::chrono::microseconds(left.tv_usec);
}

std::vector<std::vector<uint8_t>> DtlsAssociation::Seal(ByteView message) {
  if (up_) SSL_write(ssl_.get(), message.data(), int(message.size()));
  ERR_clear_error();
  return std::exchange(wire_.outgoing, {});
}

std::vector<std::vector<uint8_t>> DtlsAssociation::Close() {
  if (up_) SSL_shutdown(ssl_.get());
  ERR_clear_error();
  return std::exchange(wire_.outgoing, {});
}

Result<SslContext> MakeDtlsServerContext(const std::string& certificate_path,
                                         const std::string& private_key_path) {
  SslContext context(SSL_CTX_new(DTLS_server_method()));
  if (!context) return Fail("DTLS context cannot be made");
  SSL_CTX* raw = context.get();
  SSL_CTX_set_min_proto_version(raw, DTLS1_2_VERSION);
  SSL_CTX_set_options(
      raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_QUERY_MTU | SSL_OP_COOKIE_EXCHANGE);
  SSL_CTX_set_cipher_list(raw, "ECDHE+AESGCM:ECDHE+CHACHA20");
  SSL_CTX_set_cookie_generate_cb(raw, MakeCookie);
  SSL_CTX_set_cookie_verify_cb(raw, CheckCookie);
  if (auto used = UseCertificate(raw, certificate_path, private_key_path); !used)
    return MakeUnexpected(std::move(used).error());
  return context;
}

}  // namespace linegate::net
