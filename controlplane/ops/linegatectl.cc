// The operator's command line: asks the running control plane over its Unix socket.
// Exit status: 0 answered; 1 the control plane refused or failed; 2 it cannot be reached; 64 and above: wrong
// usage.
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "controlplane/ops/ctl_format.h"
#include "dataplane/base/result.h"

namespace linegate::ops {
namespace {

using nlohmann::json;

constexpr int kAnswered = 0, kRefused = 1, kUnreachable = 2;
constexpr int kAnswerTimeout_s = 5;

/// One request line out, one response line back.
Result<std::string> Ask(const std::string& socket_path, const std::string& request) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (socket_path.size() >= sizeof address.sun_path)
    return Fail(socket_path + ": longer than a socket path may be");
  std::memcpy(address.sun_path, socket_path.data(), socket_path.size());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval timeout{.tv_sec = kAnswerTimeout_s, .tv_usec = 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    auto error = Fail(socket_path + ": " + std::strerror(errno) + " (is linegate-controlplane running?)");
    close(fd);
    return error;
  }
  std::string response;
  ssize_t length = send(fd, request.data(), request.size(), MSG_NOSIGNAL);
  char chunk[65536];
  while (length > 0 && !response.ends_with('\n')) {
    length = read(fd, chunk, sizeof chunk);
    if (length > 0) response.append(chunk, size_t(length));
  }
  close(fd);
  if (!response.ends_with('\n')) return Fail(socket_path + ": no complete answer");
  return response;
}

enum class OutputForm { kText, kJson };

int Run(const std::string& socket_path, const std::string& command, OutputForm form) {
  const auto answer = Ask(socket_path, json{{"command", command}}.dump() + "\n");
  if (!answer) {
    std::cerr << "linegatectl: " << answer.error().message() << "\n";
    return kUnreachable;
  }
  const json response = json::parse(*answer, nullptr, false);
  if (!response.is_object() || !response.value("ok", false) || !response.contains("result")) {
    const std::string why =
        response.is_object() ? response.value("error", "no result") : "the answer is not JSON";
    std::cerr << "linegatectl: " << why << "\n";
    return kRefused;
  }
  const json& result = response["result"];
  std::cout << (form == OutputForm::kJson ? result.dump(2) + "\n" : FormatResult(result));
  return kAnswered;
}

}  // namespace
}  // namespace linegate::ops

int main(int argc, char** argv) {
  CLI::App app("Asks a running Linegate.", "linegatectl");
  std::string socket_path = "/run/linegate/control.sock";
  bool as_json = false;
  app.add_option("--socket", socket_path, "the control plane's socket ([admin] socket)")
      ->capture_default_str();
  app.add_flag("--json", as_json, "print JSON instead of text");
  app.require_subcommand(1);
  app.fallthrough();  // options may stand behind the command, too
  app.add_subcommand("status", "how many calls, legs and flows there are, and whether the dataplane runs");
  app.add_subcommand("calls", "calls with their legs");
  app.add_subcommand("flows", "one direction of media per line, with packet counts");
  app.add_subcommand("registrations", "who is registered, and whether the browser is connected");
  app.add_subcommand("turn", "TURN allocations: client, relayed address, peers, bytes, seconds left");
  app.add_subcommand("drops", "what was refused, by reason");
  CLI11_PARSE(app, argc, argv);
  return linegate::ops::Run(socket_path, app.get_subcommands().front()->get_name(),
                            as_json ? linegate::ops::OutputForm::kJson : linegate::ops::OutputForm::kText);
}
