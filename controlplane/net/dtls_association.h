#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/net/tls_server_context.h"
#include "dataplane/base/byte_view.h"
#include "dataplane/base/result.h"
#include "dataplane/base/time.h"

typedef struct ssl_st SSL;

namespace linegate::net {

struct SslFree {
  void operator()(SSL* ssl) const;
};

/// One DTLS 1.2 association of a server, fed with datagrams. Theory of operation: a ClientHello is answered with a cookie
/// (HelloVerifyRequest, RFC 6347 section 4.2.1) and forgotten, so that a forged source costs us no memory and is sent less
/// than it sent; only a ClientHello that brings the cookie back becomes an association.
class DtlsAssociation {
 public:
  struct Hello {
    std::unique_ptr<DtlsAssociation> association;  ///< null: no valid cookie; else HandleDatagram follows
    std::vector<std::vector<uint8_t>> datagrams;   ///< for the peer
  };
  /// A datagram from an address without association. `cookie` is what this peer must bring back. `context` outlives all.
  static Hello Listen(SSL_CTX* context, const std::array<uint8_t, 16>& cookie, ByteView datagram);
  ~DtlsAssociation();
  DtlsAssociation(const DtlsAssociation&) = delete;

  struct Progress {
    enum class State : uint8_t { kHandshaking, kUp, kEnded } state = State::kHandshaking;
    std::vector<std::vector<uint8_t>> datagrams;  ///< to send
    std::vector<std::vector<uint8_t>> messages;   ///< received: what each record carried
  };
  /// The ClientHello that Listen accepted is the first.
  Progress HandleDatagram(ByteView datagram);
  /// Sends the last flight again when it is time.
  Progress HandleTimeout();
  /// Until HandleTimeout; nullopt: nothing to send again.
  std::optional<Duration> timeout() const;
  /// One record; none if the association has ended.
  std::vector<std::vector<uint8_t>> Seal(ByteView message);
  /// The close_notify.
  std::vector<std::vector<uint8_t>> Close();

  /// What OpenSSL reads from and writes to.
  struct Wire {
    ByteView incoming;
    std::vector<std::vector<uint8_t>> outgoing;
    std::array<uint8_t, 16> cookie;
  };

 private:
  DtlsAssociation(SSL_CTX* context, const std::array<uint8_t, 16>& cookie);
  Progress Advance();

  Wire wire_;
  std::unique_ptr<SSL, SslFree> ssl_;
  bool up_ = false;
};

/// Errors as MakeTlsServerContext.
Result<SslContext> MakeDtlsServerContext(const std::string& certificate_path,
                                         const std::string& private_key_path);

}  // namespace linegate::net
