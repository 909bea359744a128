#include "controlplane/ops/admin_server.h"

#include <gmock/gmock.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "tests/support/temporary_folder.h"

namespace linegate::ops {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::StartsWith;

/// A blocking client of the socket.
class Client {
 public:
  explicit Client(const std::string& path) : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    const timeval timeout{.tv_sec = 5, .tv_usec = 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    is_connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~Client() { close(fd_); }
  bool is_connected() const { return is_connected_; }
  void Write(std::string_view text) {
    EXPECT_EQ(send(fd_, text.data(), text.size(), MSG_NOSIGNAL), ssize_t(text.size()));
  }
  /// Empty when the server closed.
  std::string ReadLine() {
    size_t end;
    while ((end = buffer_.find('\n')) == std::string::npos) {
      char chunk[65536];
      const ssize_t length = read(fd_, chunk, sizeof chunk);
      if (length <= 0) return {};
      buffer_.append(chunk, size_t(length));
    }
    std::string line = buffer_.substr(0, end);
    buffer_.erase(0, end + 1);
    return line;
  }

 private:
  int fd_;
  bool is_connected_;
  std::string buffer_;
};

class AdminServerTest : public ::testing::Test {
 protected:
  void Start(Duration idle_timeout = std::chrono::seconds(60)) {
    auto started = AdminServer::Start(runtime_, path_, idle_timeout);
    ASSERT_TRUE(started) << started.error().message();
    server_ = std::move(*started);
    server_->Register("status", [](const json&) { return json{{"calls", 0}, {"dataplane", "up"}}; });
    server_->Register("echo", [](const json& request) { return request; });
    server_->Register("calls", [](const json&) { return json::parse(R"([{"call":1,"caller":"1001"}])"); });
    server_->Register("large", [](const json&) { return json(std::string(4 << 20, 'x')); });
    server_->Register("throws", [](const json& request) { return request.at("absent"); });
    server_->Register("binary", [](const json&) { return json("\xff\xfe"); });
    thread_ = std::thread([this] { runtime_.Run(); });
  }
  void Stop() {
    runtime_.Post([this] {
      server_.reset();
      runtime_.Stop();
    });
    thread_.join();
  }
  ~AdminServerTest() override {
    if (thread_.joinable()) Stop();
  }

  struct Output {
    int status;
    std::string text;  ///< stdout and stderr
  };
  Output Ctl(const std::string& arguments) {
    FILE* pipe = popen((std::string(LINEGATECTL) + " " + arguments + " 2>&1").c_str(), "r");
    Output output;
    char chunk[4096];
    for (size_t length; (length = fread(chunk, 1, sizeof chunk, pipe)) > 0;)
      output.text.append(chunk, length);
    output.status = WEXITSTATUS(pclose(pipe));
    return output;
  }

  test::TemporaryFolder folder_;
  std::string path_ = folder_.path() / "control.sock";
  net::Runtime runtime_;
  std::unique_ptr<AdminServer> server_;
  std::thread thread_;
};

TEST_F(AdminServerTest, AnswersRequestsInOrderOnOneConnection) {
  Start();
  Client client(path_);
  client.Write("{\"command\":\"status\"}\n{\"command\":\"echo\",\"x\":[1]}\n{\"comm");
  EXPECT_EQ(client.ReadLine(), R"({"ok":true,"result":{"calls":0,"dataplane":"up"}})");
  EXPECT_EQ(client.ReadLine(), R"({"ok":true,"result":{"command":"echo","x":[1]}})");
  client.Write("and\":\"status\"}\n");
  EXPECT_THAT(client.ReadLine(), StartsWith(R"({"ok":true)"));
}

TEST_F(AdminServerTest, BadRequestsGetAnErrorAndTheConnectionStays) {
  Start();
  Client client(path_);
  for (const char* bad : {"", "nonsense", "[]", "{}", "{\"command\":7}", "{\"command\":\"fly\"}",
                          "{\"command\":\"throws\"}", "\xff"}) {
    client.Write(std::string(bad) + "\n");
    EXPECT_THAT(client.ReadLine(), HasSubstr(R"("ok":false)")) << bad;
  }
  client.Write("{\"command\":\"binary\"}\n");
  EXPECT_THAT(client.ReadLine(), StartsWith(R"({"ok":true)"));
}

TEST_F(AdminServerTest, LargeAnswersArriveWhole) {
  Start();
  Client client(path_);
  client.Write("{\"command\":\"large\"}\n{\"command\":\"status\"}\n");
  EXPECT_EQ(client.ReadLine().size(), (4u << 20) + std::string(R"({"ok":true,"result":""})").size());
  EXPECT_THAT(client.ReadLine(), StartsWith(R"({"ok":true)"));
}

TEST_F(AdminServerTest, WithoutFreeDescriptorsAClientWaitsUntilThereAreSome) {
  Start();
  std::optional<Client> first(std::in_place, path_);
  first->Write("{\"command\":\"status\"}\n");
  first->ReadLine();
  const int waiting = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none = {.rlim_cur = rlim_t(waiting) + 1, .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path_.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(connect(waiting, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  // The server lives on: who is connected is served.
  first->Write("{\"command\":\"status\"}\n");
  EXPECT_THAT(first->ReadLine(), StartsWith(R"({"ok":true)"));
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(send(waiting, "{}\n", 3, MSG_NOSIGNAL), 3);
  char answer[16];
  EXPECT_GT(read(waiting, answer, sizeof answer), 0);
  close(waiting);
}

TEST_F(AdminServerTest, EndlessRequestIsCut) {
  Start();
  Client client(path_);
  client.Write(std::string(AdminServer::kMaxRequestBytes + 1, 'x'));
  EXPECT_EQ(client.ReadLine(), "");
}

TEST_F(AdminServerTest, IdleConnectionIsCut) {
  Start(std::chrono::milliseconds(20));
  Client client(path_);
  EXPECT_EQ(client.ReadLine(), "");
}

TEST_F(AdminServerTest, ConnectionsAreLimited) {
  Start();
  std::vector<std::unique_ptr<Client>> clients;
  for (size_t i = 0; i < AdminServer::kMaxConnections; ++i) {
    clients.push_back(std::make_unique<Client>(path_));
    clients.back()->Write("{\"command\":\"status\"}\n");
    EXPECT_NE(clients.back()->ReadLine(), "");
  }
  Client one_more(path_);
  EXPECT_EQ(one_more.ReadLine(), "");
}

TEST_F(AdminServerTest, SocketIsForTheOwnerAndGoesWithTheServer) {
  Start();
  struct stat facts = {};
  ASSERT_EQ(stat(path_.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600u);
  Stop();
  EXPECT_NE(stat(path_.c_str(), &facts), 0);
}

TEST_F(AdminServerTest, StaleSocketIsTakenOverAServedOneIsNot) {
  const int stale = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path_.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(bind(stale, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  close(stale);
  Start();
  EXPECT_TRUE(Client(path_).is_connected());
  net::Runtime other;
  const auto second = AdminServer::Start(other, path_);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message(), HasSubstr("another control plane answers there"));
  EXPECT_TRUE(Client(path_).is_connected());
}

TEST_F(AdminServerTest, AnotherKindOfFileIsNeverRemoved) {
  folder_.Write("control.sock", "precious");
  EXPECT_FALSE(AdminServer::Start(runtime_, path_));
  EXPECT_TRUE(std::filesystem::is_regular_file(path_));
}

TEST_F(AdminServerTest, LinegatectlShowsTextAndJson) {
  Start();
  const Output text = Ctl("--socket " + path_ + " status");
  EXPECT_EQ(text.status, 0);
  EXPECT_EQ(text.text, "calls      0\ndataplane  up\n");
  const Output as_json = Ctl("status --json --socket " + path_);
  EXPECT_EQ(as_json.status, 0);
  EXPECT_EQ(json::parse(as_json.text), (json{{"calls", 0}, {"dataplane", "up"}}));
  EXPECT_EQ(Ctl("--socket " + path_ + " calls").text, "call  caller\n1     1001\n");
}

TEST_F(AdminServerTest, LinegatectlExitStatusTellsWhatFailed) {
  Start();
  EXPECT_EQ(Ctl("--socket " + path_ + " drops").status, 1);
  EXPECT_EQ(Ctl("--socket /nonexistent/control.sock status").status, 2);
  EXPECT_THAT(Ctl("--socket /nonexistent/control.sock status").text,
              HasSubstr("is linegate-controlplane running?"));
  EXPECT_GE(Ctl("fly").status, 64);
  EXPECT_GE(Ctl("").status, 64);
}

}  // namespace
}  // namespace linegate::ops
