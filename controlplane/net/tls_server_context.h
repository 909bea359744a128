#pragma once
#include <memory>
#include <string>

#include "dataplane/base/result.h"

typedef struct ssl_ctx_st SSL_CTX;

namespace linegate::net {

struct SslContextFree {
  void operator()(SSL_CTX* context) const;
};
using SslContext = std::unique_ptr<SSL_CTX, SslContextFree>;

/// A server context for HTTPS and WSS: TLS 1.2 or higher, forward-secret AEAD suites, ALPN http/1.1, no
/// renegotiation. `certificate_path` holds the leaf and its chain in PEM, `private_key_path` the unencrypted
/// key. Errors: a file cannot be read or parsed; the key does not belong to the certificate.
Result<SslContext> MakeTlsServerContext(const std::string& certificate_path,
                                        const std::string& private_key_path);

}  // namespace linegate::net
