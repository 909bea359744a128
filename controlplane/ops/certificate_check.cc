#include "controlplane/ops/certificate_check.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <memory>

namespace linegate::ops {
namespace {

constexpr int64_t kWarnBefore_s = 14 * 86400;

template <auto kFree>
struct Freeing {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using Certificate = std::unique_ptr<X509, Freeing<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freeing<EVP_PKEY_free>>;
using File = std::unique_ptr<BIO, Freeing<BIO_free_all>>;
using Names = std::unique_ptr<GENERAL_NAMES, Freeing<GENERAL_NAMES_free>>;

Unexpected<CertificateError> CertificateFault(std::string what) {
  return {{CertificateError::File::kCertificate, std::move(what)}};
}
Unexpected<CertificateError> KeyFault(std::string what) {
  return {{CertificateError::File::kPrivateKey, std::move(what)}};
}

int64_t UnixTime(const ASN1_TIME* time) {
  tm parts = {};
  ASN1_TIME_to_tm(time, &parts);
  return timegm(&parts);
}

std::string DateText(int64_t unix_s) {
  const time_t time = unix_s;
  tm parts = {};
  gmtime_r(&time, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts);
  return text;
}

/// Never asks on the terminal: an encrypted key is an error.
int NoPassword(char*, int, int, void*) { return 0; }

Result<std::vector<Certificate>, CertificateError> ReadChain(const std::string& path) {
  File file(BIO_new_file(path.c_str(), "r"));
  if (!file) return CertificateFault(path + ": " + std::strerror(errno));
  std::vector<Certificate> chain;
  while (Certificate next{PEM_read_bio_X509(file.get(), nullptr, &NoPassword, nullptr)})
    chain.push_back(std::move(next));
  ERR_clear_error();
  if (chain.empty()) return CertificateFault(path + ": no certificate in PEM form");
  return chain;
}

Result<Key, CertificateError> ReadKey(const std::string& path) {
  File file(BIO_new_file(path.c_str(), "r"));
  if (!file) return KeyFault(path + ": " + std::strerror(errno));
  Key key(PEM_read_bio_PrivateKey(file.get(), nullptr, &NoPassword, nullptr));
  ERR_clear_error();
  if (!key) return KeyFault(path + ": no private key in PEM form (an encrypted one does not serve)");
  return key;
}

std::vector<std::string> NamesOf(const X509* certificate) {
  std::vector<std::string> found;
  Names names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS) {
      found.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                         size_t(ASN1_STRING_length(name->d.dNSName)));
    } else if (name->type == GEN_IPADD) {
      const uint8_t* octets = ASN1_STRING_get0_data(name->d.iPAddress);
      const int length = ASN1_STRING_length(name->d.iPAddress);
      if (length == 4) found.push_back(IpAddress::V4(std::span<const uint8_t, 4>(octets, 4)).ToString());
      if (length == 16) found.push_back(IpAddress::V6(std::span<const uint8_t, 16>(octets, 16)).ToString());
    }
  }
  return found;
}

Status CheckIssuers(const std::vector<Certificate>& chain) {
  for (size_t i = 0; i + 1 < chain.size(); ++i) {
    if (X509_verify(chain[i].get(), X509_get0_pubkey(chain[i + 1].get())) != 1) {
      ERR_clear_error();
      return Fail("certificate " + std::to_string(i + 2) + " of the file did not issue certificate " +
                  std::to_string(i + 1) + " (the server's own must come first, each followed by its issuer)");
    }
  }
  return {};
}

void WarnAboutNames(const std::vector<IpAddress>& addresses, CertificateFacts& facts) {
  // A DNS name is the operator's business: whether it leads here cannot be seen from the file.
  const bool has_dns_name = std::any_of(facts.names.begin(), facts.names.end(),
                                        [](const std::string& name) { return !IpAddress::Parse(name); });
  if (has_dns_name) return;
  for (const IpAddress& address : addresses) {
    if (std::find(facts.names.begin(), facts.names.end(), address.ToString()) == facts.names.end()) {
      facts.warnings.push_back("subjectAltName has no DNS name and not the address " + address.ToString() +
                               ": browsers refuse https://" + Endpoint{address, 443}.ToString());
    }
  }
}

}  // namespace

Result<CertificateFacts, CertificateError> CheckCertificate(const std::string& certificate_path,
                                                            const std::string& private_key_path,
                                                            const std::vector<IpAddress>& addresses,
                                                            int64_t now_unix_s) {
  auto chain = ReadChain(certificate_path);
  if (!chain) return MakeUnexpected(std::move(chain).error());
  auto key = ReadKey(private_key_path);
  if (!key) return MakeUnexpected(std::move(key).error());
  const X509* leaf = chain->front().get();
  if (X509_check_private_key(leaf, key->get()) != 1) {
    ERR_clear_error();
    return KeyFault(private_key_path + ": does not belong to the certificate " + certificate_path);
  }
  if (auto issuers = CheckIssuers(*chain); !issuers)
    return CertificateFault(certificate_path + ": " + issuers.error().message());
  CertificateFacts facts;
  facts.expires_unix_s = UnixTime(X509_get0_notAfter(leaf));
  for (const Certificate& certificate : *chain) {
    const int64_t from = UnixTime(X509_get0_notBefore(certificate.get())),
                  to = UnixTime(X509_get0_notAfter(certificate.get()));
    if (now_unix_s < from) return CertificateFault(certificate_path + ": not valid before " + DateText(from));
    if (now_unix_s >= to) return CertificateFault(certificate_path + ": expired on " + DateText(to));
    if (to - now_unix_s < kWarnBefore_s) facts.warnings.push_back("expires on " + DateText(to));
  }
  facts.names = NamesOf(leaf);
  WarnAboutNames(addresses, facts);
  return facts;
}

}  // namespace linegate::ops
