#include "controlplane/dtls/certificate.h"

#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "controlplane/dtls/openssl_endpoint.h"

namespace linegate::dtls {
namespace {

template <typename T, void (*kFree)(T*)>
struct Deleter {
  void operator()(T* p) const { kFree(p); }
};
using KeyPtr = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY, EVP_PKEY_free>>;
using CertificatePtr = std::unique_ptr<X509, Deleter<X509, X509_free>>;
using ContextPtr = std::unique_ptr<SSL_CTX, Deleter<SSL_CTX, SSL_CTX_free>>;

struct Identity {
  KeyPtr key;
  CertificatePtr certificate;
};

constexpr long kLifetimeSeconds = 365L * 24 * 3600;
constexpr int kRenewBeforeDays = 30;

/// The subject says nothing about the host: browsers check the fingerprint alone (RFC 8827 section 6.5).
Result<Identity> MakeIdentity() {
  Identity identity;
  identity.key.reset(EVP_EC_gen("P-256"));
  identity.certificate.reset(X509_new());
  X509* x = identity.certificate.get();
  if (!identity.key || x == nullptr) return Fail("cannot make an ECDSA key");
  uint8_t serial[8];
  if (RAND_bytes(serial, sizeof serial) != 1) return Fail("no randomness");
  serial[0] &= 0x7f;
  BIGNUM* number = BN_bin2bn(serial, sizeof serial, nullptr);
  BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x));
  BN_free(number);
  X509_set_version(x, X509_VERSION_3);
  X509_gmtime_adj(X509_getm_notBefore(x), -24 * 3600);
  X509_gmtime_adj(X509_getm_notAfter(x), kLifetimeSeconds);
  X509_set_pubkey(x, identity.key.get());
  X509_NAME* name = X509_get_subject_name(x);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const uint8_t*>("linegate"), -1, -1,
                             0);
  X509_set_issuer_name(x, name);
  if (X509_sign(x, identity.key.get(), EVP_sha256()) == 0) return Fail("cannot sign the DTLS certificate");
  return identity;
}

/// Written beside and renamed, so that a crash leaves the old file or the new one.
Status Save(const Identity& identity, const std::string& path) {
  const std::string temporary = path + ".new";
  unlink(temporary.c_str());
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return Fail(temporary + ": " + std::strerror(errno));
  FILE* file = fdopen(fd, "w");
  const bool written =
      PEM_write_PrivateKey(file, identity.key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1 &&
      PEM_write_X509(file, identity.certificate.get()) == 1 && fflush(file) == 0 && fsync(fd) == 0;
  fclose(file);
  if (!written) return Fail(temporary + ": cannot write");
  if (rename(temporary.c_str(), path.c_str()) != 0) return Fail(path + ": " + std::strerror(errno));
  return {};
}

/// An empty identity when there is no file or it expires soon.
Result<Identity> Load(const std::string& path) {
  FILE* file = fopen(path.c_str(), "re");
  if (file == nullptr) {
    if (errno == ENOENT) return Identity{};
    return Fail(path + ": " + std::strerror(errno));
  }
  Identity identity;
  identity.key.reset(PEM_read_PrivateKey(file, nullptr, nullptr, nullptr));
  identity.certificate.reset(PEM_read_X509(file, nullptr, nullptr, nullptr));
  fclose(file);
  if (!identity.key || !identity.certificate)
    return Fail(path + ": not a private key followed by a certificate");
  if (X509_check_private_key(identity.certificate.get(), identity.key.get()) != 1) {
    return Fail(path + ": key and certificate do not belong together");
  }
  int days = 0, seconds = 0;
  if (ASN1_TIME_diff(&days, &seconds, nullptr, X509_get0_notAfter(identity.certificate.get())) != 1 ||
      days < kRenewBeforeDays) {
    return Identity{};
  }
  return identity;
}

/// Peers' certificates are self-signed: accepted here, compared with the announced fingerprint after the handshake.
int AcceptAnyCertificate(int, X509_STORE_CTX*) { return 1; }

class OpenSslDtlsFactory final : public DtlsFactory {
 public:
  OpenSslDtlsFactory(ContextPtr context, Fingerprint fingerprint, const OpenSslDtlsOptions& options)
      : context_(std::move(context)), fingerprint_(std::move(fingerprint)), options_(options) {}
  const Fingerprint& fingerprint() const override { return fingerprint_; }
  std::unique_ptr<DtlsEndpoint> Create(Role role, const Fingerprint& expected) override {
    return std::make_unique<OpenSslEndpoint>(context_.get(), role, expected, options_);
  }

 private:
  ContextPtr context_;
  Fingerprint fingerprint_;
  OpenSslDtlsOptions options_;
};

}  // namespace

Result<std::unique_ptr<DtlsFactory>> MakeOpenSslDtlsFactory(const std::string& state_directory,
                                                            const OpenSslDtlsOptions& options) {
  const std::string path = state_directory + "/dtls.pem";
  auto identity = Load(path);
  if (!identity) return MakeUnexpected(std::move(identity).error());
  if (!identity->key) {
    identity = MakeIdentity();
    if (!identity) return MakeUnexpected(std::move(identity).error());
    if (auto saved = Save(*identity, path); !saved) return MakeUnexpected(std::move(saved).error());
  }
  ContextPtr context(SSL_CTX_new(DTLS_method()));
  SSL_CTX* c = context.get();
  if (c == nullptr || SSL_CTX_set_min_proto_version(c, DTLS1_2_VERSION) != 1 ||
      SSL_CTX_use_certificate(c, identity->certificate.get()) != 1 ||
      SSL_CTX_use_PrivateKey(c, identity->key.get()) != 1 ||
      SSL_CTX_set_cipher_list(c, "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL") != 1) {
    return Fail("cannot set up DTLS");
  }
  // Our preference: AEAD first (design D3: a third of the cost), RFC 7714 profiles before RFC 5764's. Returns 0 on success.
  if (SSL_CTX_set_tlsext_use_srtp(c, "SRTP_AEAD_AES_128_GCM:SRTP_AEAD_AES_256_GCM:SRTP_AES128_CM_SHA1_80") !=
      0) {
    return Fail("cannot set the SRTP profiles");
  }
  SSL_CTX_set_verify(c, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_cert_verify_callback(
      c, [](X509_STORE_CTX* store, void*) { return AcceptAnyCertificate(1, store); }, nullptr);
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);

  Fingerprint fingerprint{"sha-256", {}};
  uint8_t digest[EVP_MAX_MD_SIZE];
  unsigned bytes = 0;
  if (X509_digest(identity->certificate.get(), EVP_sha256(), digest, &bytes) != 1)
    return Fail("cannot hash the certificate");
  fingerprint.digest.assign(digest, digest + bytes);
  return std::unique_ptr<DtlsFactory>(
      std::make_unique<OpenSslDtlsFactory>(std::move(context), std::move(fingerprint), options));
}

}  // namespace linegate::dtls
