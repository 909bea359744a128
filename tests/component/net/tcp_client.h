#pragma once
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "dataplane/base/net_address.h"

namespace linegate::test {

/// Blocking TCP; every read gives up after five seconds.
class TcpClient {
 public:
  explicit TcpClient(const Endpoint& server, int receive_buffer_bytes = 0) {
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer_bytes > 0)
      setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(server.port);
    std::copy_n(server.address.bytes().begin(), 4, reinterpret_cast<uint8_t*>(&address.sin_addr));
    EXPECT_EQ(connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  explicit TcpClient(int connected_fd) : fd_(connected_fd) {}
  ~TcpClient() { close(fd_); }
  TcpClient(const TcpClient&) = delete;

  void Write(std::string_view bytes) {
    EXPECT_EQ(send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL), ssize_t(bytes.size()));
  }
  void EndOutput() { shutdown(fd_, SHUT_WR); }
  std::string Read(size_t bytes) {
    std::string text;
    while (text.size() < bytes) {
      char chunk[65536];
      pollfd readable{fd_, POLLIN, 0};
      if (poll(&readable, 1, 5000) <= 0) break;
      const ssize_t length = recv(fd_, chunk, std::min(sizeof chunk, bytes - text.size()), 0);
      if (length <= 0) break;
      text.append(chunk, size_t(length));
    }
    return text;
  }
  bool WaitForClose() {
    pollfd readable{fd_, POLLIN, 0};
    char byte;
    return poll(&readable, 1, 5000) > 0 && recv(fd_, &byte, 1, 0) <= 0;
  }

 private:
  int fd_;
};

}  // namespace linegate::test
