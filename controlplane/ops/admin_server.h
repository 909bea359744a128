#pragma once
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "controlplane/net/asio_runtime.h"
#include "dataplane/base/result.h"

namespace linegate::ops {

/// Answers one request. `request` is the whole object, {"command": ..., further arguments}.
using AdminHandler = std::function<nlohmann::json(const nlohmann::json& request)>;

/// Theory of operation
/// The operator's socket: a Unix stream socket of mode 0600, so that root and Linegate's own user alone may
/// ask.
///   request   {"command":"status"}\n
///   response  {"ok":true,"result":...}\n   or   {"ok":false,"error":"unknown command 'x'"}\n
/// Any number of requests per connection, answered in order. Bounded: connections, request size, one unsent
/// response per connection, idle time. Runs on the Runtime's thread, so handlers may look at everything
/// without locks.
class AdminServer {
 public:
  static constexpr size_t kMaxConnections = 16;
  static constexpr size_t kMaxRequestBytes = 64 * 1024;

  /// Takes over a socket file that nobody serves any more. Errors: somebody does; the folder is missing or
  /// not writable.
  static Result<std::unique_ptr<AdminServer>> Start(net::Runtime& runtime, const std::string& socket_path,
                                                    Duration idle_timeout = std::chrono::seconds(60));
  /// Closes all and removes the socket file.
  ~AdminServer();
  AdminServer(const AdminServer&) = delete;

  void Register(std::string command, AdminHandler handler);

 private:
  struct Connection;
  AdminServer(net::Runtime& runtime, std::string socket_path, int listen_fd, Duration idle_timeout);
  void Listen();
  void Accept();
  void OnReadable(Connection& connection);
  void OnWritable(Connection& connection);
  /// Answers complete lines until one response waits for the socket.
  void AnswerRequests(Connection& connection);
  std::string Answer(const std::string& line) const;
  void WaitFor(Connection& connection, net::FdEvent event);
  void Drop(Connection& connection);

  net::Runtime& runtime_;
  std::string socket_path_;
  int listen_fd_;
  Duration idle_timeout_;
  net::WatchId listen_watch_;
  net::TimerId accept_pause_;
  std::map<std::string, AdminHandler, std::less<>> handlers_;
  std::map<int, std::unique_ptr<Connection>> connections_;
};

}  // namespace linegate::ops
