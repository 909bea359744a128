#pragma once
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdint>
#include <ctime>
#include <string>

namespace linegate::test {

struct CertificateRequest {
  std::string subject_alternative_names =
      "IP:127.0.0.1,IP:::1,DNS:localhost";  ///< as in openssl.cnf; empty: none
  int64_t not_before_unix_s = time(nullptr) - 3600;
  int64_t not_after_unix_s = time(nullptr) + 365 * 86400;
};

struct TestCertificate {
  std::string certificate_pem;
  std::string private_key_pem;
};

/// A self-signed ECDSA P-256 certificate, made in about a millisecond.
inline TestCertificate MakeTestCertificate(const CertificateRequest& request = {}) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  ASN1_TIME_set(X509_getm_notBefore(certificate), time_t(request.not_before_unix_s));
  ASN1_TIME_set(X509_getm_notAfter(certificate), time_t(request.not_after_unix_s));
  X509_NAME* name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("linegate test"), -1, -1, 0);
  X509_set_issuer_name(certificate, name);
  X509_set_pubkey(certificate, key);
  if (!request.subject_alternative_names.empty()) {
    X509_EXTENSION* names = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name,
                                                request.subject_alternative_names.c_str());
    X509_add_ext(certificate, names, -1);
    X509_EXTENSION_free(names);
  }
  X509_sign(certificate, key, EVP_sha256());

  const auto text_of = [](BIO* memory) {
    char* data = nullptr;
    const long length = BIO_get_mem_data(memory, &data);
    std::string text(data, size_t(length));
    BIO_free(memory);
    return text;
  };
  TestCertificate made;
  BIO* certificate_out = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(certificate_out, certificate);
  made.certificate_pem = text_of(certificate_out);
  BIO* key_out = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(key_out, key, nullptr, nullptr, 0, nullptr, nullptr);
  made.private_key_pem = text_of(key_out);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return made;
}

}  // namespace linegate::test
