#include "controlplane/net/tls_server_context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

namespace linegate::net {
namespace {

std::string LastTlsError() {
  char text[256];
  ERR_error_string_n(ERR_peek_last_error(), text, sizeof text);
  ERR_clear_error();
  return text;
}

/// Protocol names of RFC 7301, each behind its length. The browser may offer h2 first; WebSocket over HTTP/2 (RFC 8441)
/// is not spoken here.
struct AlpnList {
  const unsigned char* bytes;
  unsigned length;
};
constexpr unsigned char kAlpnBytes[] = "\x08http/1.1\x09stun.turn";
constexpr unsigned kHttpLength = 9, kBothLength = sizeof kAlpnBytes - 1;
constexpr AlpnList kAlpnLists[] = {{kAlpnBytes, kHttpLength},
                                   {kAlpnBytes + kHttpLength, kBothLength - kHttpLength},
                                   {kAlpnBytes, kBothLength}};

int SelectApplication(SSL*, const unsigned char** out, unsigned char* out_length,
                      const unsigned char* offered, unsigned offered_length, void* list) {
  const auto& ours = *static_cast<const AlpnList*>(list);
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_length, ours.bytes, ours.length, offered, offered_length) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_NOACK;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

void SslContextFree::operator()(SSL_CTX* context) const { SSL_CTX_free(context); }

Result<SslContext> MakeTlsServerContext(const std::string& certificate_path,
                                        const std::string& private_key_path, TlsApplications applications) {
  SslContext context(SSL_CTX_new(TLS_server_method()));
  if (!context) return Fail("TLS context: " + LastTlsError());
  SSL_CTX* raw = context.get();
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  // An idle connection then keeps no 34 kB of record buffers: most of ten thousand phones are idle.
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_cipher_list(raw, "ECDHE+AESGCM:ECDHE+CHACHA20");
  SSL_CTX_set_session_id_context(raw, reinterpret_cast<const unsigned char*>("linegate"), 8);
  SSL_CTX_set_alpn_select_cb(raw, &SelectApplication,
                             const_cast<AlpnList*>(&kAlpnLists[size_t(applications)]));
  if (auto used = UseCertificate(raw, certificate_path, private_key_path); !used)
    return MakeUnexpected(std::move(used).error());
  return context;
}

Status UseCertificate(SSL_CTX* raw, const std::string& certificate_path,
                      const std::string& private_key_path) {
  if (SSL_CTX_use_certificate_chain_file(raw, certificate_path.c_str()) != 1) {
    return Fail("certificate " + certificate_path + ": " + LastTlsError());
  }
  if (SSL_CTX_use_PrivateKey_file(raw, private_key_path.c_str(), SSL_FILETYPE_PEM) != 1) {
    return Fail("private key " + private_key_path + ": " + LastTlsError());
  }
  if (SSL_CTX_check_private_key(raw) != 1) {
    return Fail("private key " + private_key_path + " does not belong to certificate " + certificate_path);
  }
  return {};
}

}  // namespace linegate::net
