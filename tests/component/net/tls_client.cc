#include "tests/component/net/tls_client.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace linegate::test {

TlsClient::TlsClient(const Endpoint& server) {
  signal(SIGPIPE, SIG_IGN);  // the server may close while we write
  sockaddr_storage address = {};
  socklen_t length = 0;
  if (server.address.is_v4()) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&address);
    v4->sin_family = AF_INET, v4->sin_port = htons(server.port);
    std::memcpy(&v4->sin_addr, server.address.bytes().data(), 4), length = sizeof *v4;
  } else {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&address);
    v6->sin6_family = AF_INET6, v6->sin6_port = htons(server.port);
    std::memcpy(&v6->sin6_addr, server.address.bytes().data(), 16), length = sizeof *v6;
  }
  fd_ = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval timeout{.tv_sec = 5, .tv_usec = 0};
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&address), length), 0) << std::strerror(errno);
  context_ = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_options(context_, SSL_OP_IGNORE_UNEXPECTED_EOF);
}

TlsClient::~TlsClient() {
  SSL_free(ssl_);
  SSL_CTX_free(context_);
  close(fd_);
}

bool TlsClient::Handshake() {
  ssl_ = SSL_new(context_);
  SSL_set_fd(ssl_, fd_);
  return SSL_connect(ssl_) == 1;
}

void TlsClient::Write(std::string_view bytes) {
  if (!bytes.empty()) SSL_write(ssl_, bytes.data(), int(bytes.size()));
}

bool TlsClient::Fill() {
  char chunk[16384];
  const int length = SSL_read(ssl_, chunk, sizeof chunk);
  if (length <= 0) return false;
  buffer_.append(chunk, size_t(length));
  return true;
}

std::string TlsClient::ReadUntil(std::string_view end) {
  size_t found;
  while ((found = buffer_.find(end)) == std::string::npos) {
    if (!Fill()) return std::exchange(buffer_, {});
  }
  std::string text = buffer_.substr(0, found + end.size());
  buffer_.erase(0, text.size());
  return text;
}

std::string TlsClient::Request(std::string_view request, std::string_view method) {
  Write(request);
  std::string head = ReadUntil("\r\n\r\n");
  const size_t field = head.find("Content-Length: ");
  if (field == std::string::npos || method == "HEAD") return head;
  const size_t length = std::stoul(head.substr(field + 16));
  while (buffer_.size() < length && Fill()) {
  }
  head += buffer_.substr(0, length);
  buffer_.erase(0, length);
  return head;
}

bool TlsClient::WaitForClose() {
  for (;;) {
    char chunk[4096];
    errno = 0;
    const auto length = ssl_ ? ssize_t(SSL_read(ssl_, chunk, sizeof chunk)) : read(fd_, chunk, sizeof chunk);
    if (length <= 0) return errno != EAGAIN;
  }
}

std::string TlsClient::Upgrade(std::string_view path, std::string_view extra_fields) {
  Write("GET " + std::string(path) +
        " HTTP/1.1\r\nHost: gateway\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" +
        std::string(extra_fields) + "\r\n");
  return ReadUntil("\r\n\r\n");
}

void TlsClient::SendFrame(int opcode, std::string_view payload, Masking masking, bool is_final) {
  std::string frame(1, char((is_final ? 0x80 : 0) | opcode));
  const char mask_bit = masking == Masking::kMasked ? char(0x80) : 0;
  if (payload.size() < 126) {
    frame += char(mask_bit | char(payload.size()));
  } else if (payload.size() < 65536) {
    frame += char(mask_bit | 126);
    frame += char(payload.size() >> 8), frame += char(payload.size());
  } else {
    frame += char(mask_bit | 127);
    for (int shift = 56; shift >= 0; shift -= 8) frame += char(uint64_t(payload.size()) >> shift);
  }
  static constexpr char kMask[4] = {0x37, 0x1a, 0x5c, 0x09};
  if (masking == Masking::kMasked) frame.append(kMask, 4);
  for (size_t i = 0; i < payload.size(); ++i)
    frame += masking == Masking::kMasked ? char(payload[i] ^ kMask[i % 4]) : payload[i];
  Write(frame);
}

std::optional<TlsClient::Frame> TlsClient::ReadFrame() {
  const auto need = [this](size_t bytes) {
    while (buffer_.size() < bytes) {
      if (!Fill()) return false;
    }
    return true;
  };
  const auto octet = [this](size_t at) { return size_t(static_cast<unsigned char>(buffer_[at])); };
  if (!need(2)) return std::nullopt;
  size_t length = octet(1) & 0x7f, head = 2;
  if (length == 126) {
    if (!need(4)) return std::nullopt;
    length = octet(2) << 8 | octet(3), head = 4;
  } else if (length == 127) {
    if (!need(10)) return std::nullopt;
    length = 0, head = 10;
    for (size_t i = 2; i < 10; ++i) length = length << 8 | octet(i);
  }
  if (!need(head + length)) return std::nullopt;
  Frame frame{int(octet(0) & 0x0f), buffer_.substr(head, length)};
  buffer_.erase(0, head + length);
  return frame;
}

std::string TlsClient::certificate_fingerprint() const {
  X509* certificate = SSL_get1_peer_certificate(ssl_);
  unsigned char digest[32];
  unsigned length = 0;
  X509_digest(certificate, EVP_sha256(), digest, &length);
  X509_free(certificate);
  return {reinterpret_cast<char*>(digest), length};
}

}  // namespace linegate::test
