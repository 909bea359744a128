#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "dataplane/base/net_address.h"
#include "dataplane/base/result.h"

namespace linegate::ops {

/// What is wrong with a certificate or key file, and which of the two the operator must look at.
struct CertificateError {
  enum class File : uint8_t { kCertificate, kPrivateKey } file;
  std::string what;
};

struct CertificateFacts {
  int64_t expires_unix_s = 0;
  std::vector<std::string> names;  ///< DNS names and addresses of the subjectAltName extension
  std::vector<std::string>
      warnings;  ///< works now, or works for some: soon to expire, names none of our addresses
};

/// Checks PEM files as browsers will, before a browser does. Errors: a file is missing or unreadable; no
/// certificate or key in it; the key is encrypted, or belongs to another certificate; expired or not yet
/// valid at `now_unix_s`; a certificate of the chain does not carry the signature of the next one.
/// `addresses` are those browsers connect to.
Result<CertificateFacts, CertificateError> CheckCertificate(const std::string& certificate_path,
                                                            const std::string& private_key_path,
                                                            const std::vector<IpAddress>& addresses,
                                                            int64_t now_unix_s);

}  // namespace linegate::ops
