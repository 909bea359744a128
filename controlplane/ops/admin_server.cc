#include "controlplane/ops/admin_server.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <nlohmann/json.hpp>
#include <optional>

#include "dataplane/base/check.h"

namespace linegate::ops {
namespace {

using nlohmann::json;

constexpr int kBacklog = 8;
/// Without a free descriptor the waiting client keeps the socket readable: we look away for this long.
constexpr Duration kAcceptPause = std::chrono::milliseconds(200);

Unexpected<Error> SystemError(const std::string& path) { return Fail(path + ": " + std::strerror(errno)); }

std::string Dump(const json& value) {
  // A stranger's bytes may stand in a value: they must not throw here.
  return value.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

std::string ErrorLine(const std::string& what) { return Dump({{"ok", false}, {"error", what}}); }

/// Binds `fd`, taking over the file of a server that is gone.
Status BindSocket(int fd, const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return Fail(path + ": longer than a socket path may be");
  std::memcpy(address.sun_path, path.data(), path.size());
  const auto* raw = reinterpret_cast<const sockaddr*>(&address);
  if (bind(fd, raw, sizeof address) == 0) return {};
  if (errno != EADDRINUSE) return SystemError(path);
  struct stat facts = {};
  if (lstat(path.c_str(), &facts) != 0 || !S_ISSOCK(facts.st_mode))
    return Fail(path + ": exists and is no socket");
  const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool is_served = probe >= 0 && connect(probe, raw, sizeof address) == 0;
  if (probe >= 0) close(probe);
  if (is_served) return Fail(path + ": another control plane answers there");
  if (unlink(path.c_str()) != 0 || bind(fd, raw, sizeof address) != 0) return SystemError(path);
  return {};
}

}  // namespace

struct AdminServer::Connection {
  int fd;
  net::WatchId watch;
  net::TimerId idle_timer;
  std::string input;
  std::string output;
};

Result<std::unique_ptr<AdminServer>> AdminServer::Start(net::Runtime& runtime, const std::string& socket_path,
                                                        Duration idle_timeout) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return SystemError(socket_path);
  if (auto bound = BindSocket(fd, socket_path); !bound) {
    close(fd);
    return MakeUnexpected(std::move(bound).error());
  }
  // Nobody can connect before listen(): the mode is right from the first moment.
  if (chmod(socket_path.c_str(), 0600) != 0 || listen(fd, kBacklog) != 0) {
    auto error = SystemError(socket_path);
    close(fd);
    return error;
  }
  return std::unique_ptr<AdminServer>(new AdminServer(runtime, socket_path, fd, idle_timeout));
}

AdminServer::AdminServer(net::Runtime& runtime, std::string socket_path, int listen_fd, Duration idle_timeout)
    : runtime_(runtime),
      socket_path_(std::move(socket_path)),
      listen_fd_(listen_fd),
      idle_timeout_(idle_timeout) {
  Listen();
}

AdminServer::~AdminServer() {
  while (!connections_.empty()) Drop(*connections_.begin()->second);
  runtime_.Unwatch(listen_watch_);
  runtime_.Cancel(accept_pause_);
  close(listen_fd_);
  unlink(socket_path_.c_str());
}

void AdminServer::Register(std::string command, AdminHandler handler) {
  handlers_.insert_or_assign(std::move(command), std::move(handler));
}

void AdminServer::Listen() {
  listen_watch_ = runtime_.Watch(listen_fd_, net::FdEvent::kReadable, [this] { Accept(); });
}

void AdminServer::Accept() {
  const int fd = accept4(listen_fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) {
    if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM) return;
    runtime_.Unwatch(listen_watch_);
    accept_pause_ = runtime_.CallAfter(kAcceptPause, [this] { Listen(); });
    return;
  }
  if (connections_.size() >= kMaxConnections) {
    close(fd);
    return;
  }
  auto& connection = *connections_.emplace(fd, std::make_unique<Connection>()).first->second;
  connection.fd = fd;
  WaitFor(connection, net::FdEvent::kReadable);
}

void AdminServer::WaitFor(Connection& connection, net::FdEvent event) {
  runtime_.Unwatch(connection.watch);
  runtime_.Cancel(connection.idle_timer);
  connection.idle_timer = runtime_.CallAfter(idle_timeout_, [this, &connection] { Drop(connection); });
  connection.watch = runtime_.Watch(connection.fd, event, [this, &connection, event] {
    event == net::FdEvent::kReadable ? OnReadable(connection) : OnWritable(connection);
  });
}

void AdminServer::Drop(Connection& connection) {
  runtime_.Unwatch(connection.watch);
  runtime_.Cancel(connection.idle_timer);
  const int fd = connection.fd;
  connections_.erase(fd);
  close(fd);
}

void AdminServer::OnReadable(Connection& connection) {
  char chunk[4096];
  const ssize_t length = read(connection.fd, chunk, sizeof chunk);
  if (length < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (length <= 0) return Drop(connection);
  connection.input.append(chunk, size_t(length));
  if (connection.input.size() > kMaxRequestBytes) return Drop(connection);
  AnswerRequests(connection);
}

void AdminServer::AnswerRequests(Connection& connection) {
  while (connection.output.empty()) {
    const size_t end = connection.input.find('\n');
    if (end == std::string::npos) return WaitFor(connection, net::FdEvent::kReadable);
    connection.output = Answer(connection.input.substr(0, end));
    connection.input.erase(0, end + 1);
    const ssize_t sent =
        send(connection.fd, connection.output.data(), connection.output.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) return Drop(connection);
    if (sent > 0) connection.output.erase(0, size_t(sent));
  }
  WaitFor(connection, net::FdEvent::kWritable);
}

void AdminServer::OnWritable(Connection& connection) {
  const ssize_t sent = send(connection.fd, connection.output.data(), connection.output.size(), MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN && errno != EINTR) return Drop(connection);
  if (sent > 0) connection.output.erase(0, size_t(sent));
  if (connection.output.empty()) AnswerRequests(connection);
}

std::string AdminServer::Answer(const std::string& line) const {
  const json request = json::parse(line, nullptr, false);
  if (!request.is_object() || !request.contains("command") || !request["command"].is_string()) {
    return ErrorLine("a request is an object with a \"command\"");
  }
  const auto& command = request["command"].get_ref<const std::string&>();
  const auto found = handlers_.find(command);
  if (found == handlers_.end()) return ErrorLine("unknown command '" + command + "'");
  try {
    return Dump({{"ok", true}, {"result", found->second(request)}});
  } catch (const std::exception& failure) {  // the JSON library's own, from a handler
    return ErrorLine("command '" + command + "' failed: " + failure.what());
  }
}

}  // namespace linegate::ops
