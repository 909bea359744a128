#pragma once
#include <memory>
#include <string>

#include "controlplane/dtls/dtls_endpoint.h"
#include "dataplane/base/result.h"

namespace linegate::dtls {

struct OpenSslDtlsOptions {
  Duration handshake_timeout = std::chrono::seconds(20);
  Duration first_retransmit =
      std::chrono::milliseconds(100);  ///< doubled each time (RFC 6347 section 4.2.4.1)
};

/// Endpoints on OpenSSL memory BIOs, all presenting one self-signed ECDSA P-256 certificate. The certificate is kept in
/// `state_directory`/dtls.pem (mode 0600) so that announced fingerprints survive a restart; it is made on first use and
/// replaced when it has less than 30 days to live. Errors: directory not writable, file not a certificate and key.
Result<std::unique_ptr<DtlsFactory>> MakeOpenSslDtlsFactory(const std::string& state_directory,
                                                            const OpenSslDtlsOptions& options = {});

}  // namespace linegate::dtls
