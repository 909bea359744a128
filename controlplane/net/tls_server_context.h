#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "dataplane/base/result.h"

typedef struct ssl_ctx_st SSL_CTX;

namespace linegate::net {

struct SslContextFree {
  void operator()(SSL_CTX* context) const;
};
using SslContext = std::unique_ptr<SSL_CTX, SslContextFree>;

/// What ALPN (RFC 7301) may agree on.
enum class TlsApplications : uint8_t { kHttp, kTurn /* RFC 7443 */, kHttpAndTurn };

/// A server context: TLS 1.2 or higher, forward-secret AEAD suites, no renegotiation. A client that offers none of the
/// application protocols is served all the same. `certificate_path` holds the leaf and its chain in PEM,
/// `private_key_path` the unencrypted key. Errors: a file cannot be read or parsed; the key does not belong to the
/// certificate.
Result<SslContext> MakeTlsServerContext(const std::string& certificate_path,
                                        const std::string& private_key_path, TlsApplications applications);

/// Gives `context` the two files. Errors as above.
Status UseCertificate(SSL_CTX* context, const std::string& certificate_path,
                      const std::string& private_key_path);

}  // namespace linegate::net
