// A memif server and its peer, a process of its own: this program, run again with MemifPeer alone.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <vector>

#include "dataplane/app/eal_setup.h"
#include "dataplane/base/time.h"
#include "drivers/net/dpdk_port.h"
#include "drivers/net/memif_socket.h"

extern char** environ;

namespace linegate::drivers {
namespace {

constexpr char kSocketVariable[] = "LINEGATE_TEST_MEMIF_SOCKET";
constexpr char kFloodVariable[] = "LINEGATE_TEST_MEMIF_FLOOD";
constexpr char kReturnVariable[] = "LINEGATE_TEST_MEMIF_RETURN";
constexpr char kServeVariable[] = "LINEGATE_TEST_MEMIF_SERVE";
constexpr uint8_t kHello = 0x11;
constexpr uint8_t kQuestion = 0x22;
constexpr uint8_t kGoodBye = 0xff;
constexpr size_t kBuffers = 4095;
using Burst = std::array<io::Packet, io::kMaxBurst>;

/// The connection is made by DPDK's interrupt thread: waits for it, for thirty seconds at most.
template <typename Condition>
bool Eventually(Condition&& condition, Duration limit = std::chrono::seconds(30)) {
  const TimePoint end = MonotonicNow() + limit;
  while (!condition()) {
    if (MonotonicNow() > end) return false;
  }
  return true;
}

/// DPDK, a pool and one memif port, for as long as a process lives.
class Station {
 public:
  Station(const std::string& socket, MemifDevice::Role role) {
    LG_FATAL(app::StartEal(settings::HugepageMode::kOff, DpdkPool::MegabytesFor(1)));
    LG_FATAL(app::RegisterWorkerThread());
    pool_ = std::make_unique<DpdkPool>(*DpdkPool::Create(kBuffers));
    auto opened = DpdkPort::Open(*pool_, 0, MemifDevice{.socket = socket, .id = 0, .role = role});
    LG_FATAL(opened);
    port = *std::move(opened);
  }
  bool Send(uint8_t content, uint16_t bytes) {
    io::Packet packet;
    if (!port->Allocate(packet)) return false;
    packet.length = bytes;
    std::fill_n(packet.data, bytes, content);
    return port->Send({&packet, 1}) == 1;
  }
  /// The first frame that comes; empty when none does.
  std::vector<uint8_t> Receive() {
    io::Packet packet;
    if (!Eventually([&] { return port->Receive({&packet, 1}) != 0; })) return {};
    const std::vector<uint8_t> frame(packet.bytes().begin(), packet.bytes().end());
    port->Free({&packet, 1});
    return frame;
  }
  size_t free_count() const { return pool_->free_count(); }

  std::unique_ptr<DpdkPort> port;

 private:
  std::unique_ptr<DpdkPool> pool_;
};

/// Until it is killed: as many frames as the ring takes.
[[noreturn]] void Flood(Station& station) {
  Burst burst;
  for (;;) {
    size_t count = 0;
    while (count < burst.size() && station.port->Allocate(burst[count])) burst[count++].length = 200;
    station.port->Send(std::span(burst).first(count));
    count = station.port->Receive(burst);
    station.port->Free(std::span(burst).first(count));
  }
}

/// Says hello, and once more when another server has taken the place of the one that died.
void SayHelloTwice(Station& station) {
  ASSERT_TRUE(station.Send(kHello, 60));
  ASSERT_TRUE(Eventually([&] { return !station.port->link_up(); }));
  ASSERT_TRUE(Eventually([&] {
    Burst none;
    EXPECT_EQ(station.port->Receive(none), 0u);
    return station.port->Reconnect() &&
           Eventually([&] { return station.port->link_up(); }, std::chrono::milliseconds(300));
  }));
  Burst none;
  ASSERT_EQ(station.port->Receive(none), 0u);
  ASSERT_TRUE(station.Send(kHello, 60));
  EXPECT_THAT(station.Receive(), ::testing::ElementsAre(kGoodBye));
}

/// A server that dies of its first hello, or says good-bye to it and waits until the client has gone.
void Serve(const std::string& socket, const std::string& how) {
  ASSERT_TRUE(ClaimMemifSocket(socket)) << "a dead server's socket is in nobody's way";
  Station station(socket, MemifDevice::Role::kServer);
  ASSERT_EQ(station.Receive(), std::vector<uint8_t>(60, kHello));
  if (how == "die") raise(SIGKILL);
  ASSERT_TRUE(Eventually([&] { return station.Send(kGoodBye, 1); }));
  EXPECT_TRUE(Eventually([&] { return !station.port->link_up(); }));
}

/// Says hello, answers one question, and waits for the good-bye. Run as such it has nothing to do.
TEST(MemifPeer, IsTheProcessOnTheOtherSide) {
  const char* const socket = std::getenv(kSocketVariable);
  if (socket == nullptr) return;
  if (const char* how = std::getenv(kServeVariable)) return Serve(socket, how);
  Station station(socket, MemifDevice::Role::kClient);
  ASSERT_TRUE(Eventually([&] { return station.port->link_up(); }));
  if (std::getenv(kFloodVariable) != nullptr) Flood(station);
  // Looking for packets is what gives the server buffers to send into.
  Burst none;
  ASSERT_EQ(station.port->Receive(none), 0u);
  if (std::getenv(kReturnVariable) != nullptr) return SayHelloTwice(station);
  ASSERT_TRUE(station.Send(kHello, 60));
  const auto question = station.Receive();
  ASSERT_FALSE(question.empty());
  ASSERT_TRUE(station.Send(question[0], uint16_t(question.size())));
  EXPECT_THAT(station.Receive(), ::testing::ElementsAre(kGoodBye));
}

/// False: nobody listens.
bool ConnectAndHangUp(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::ranges::copy(path, address.sun_path);
  const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  const bool connected = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  close(fd);
  return connected;
}

class MemifPortTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    socket_ = ::testing::TempDir() + "memif_port_test_" + std::to_string(getpid());
    station_ = new Station(socket_, MemifDevice::Role::kServer);  // DPDK starts once per process
  }
  static void TearDownTestSuite() { unlink(socket_.c_str()); }
  void TearDown() override {
    EXPECT_TRUE(Eventually([&] { return !port().link_up(); }));
    EXPECT_EQ(station_->free_count(), kBuffers) << "buffers leaked";
  }
  static DpdkPort& port() { return *station_->port; }
  /// This program again, as a peer on `socket`; `role` is a further variable of its environment.
  static pid_t Run(const std::string& socket, const std::string& role) {
    std::vector<std::string> environment = {std::string(kSocketVariable) + "=" + socket, role};
    std::vector<char*> variables;
    for (char** variable = environ; *variable != nullptr; ++variable) variables.push_back(*variable);
    for (std::string& variable : environment) variables.push_back(variable.data());
    variables.push_back(nullptr);
    std::string name = "memif_peer", filter = "--gtest_filter=MemifPeer.*";
    char* arguments[] = {name.data(), filter.data(), nullptr};
    pid_t pid = 0;
    EXPECT_EQ(posix_spawn(&pid, "/proc/self/exe", nullptr, nullptr, arguments, variables.data()), 0);
    return pid;
  }
  static pid_t Spawn(const char* role = "LINEGATE_TEST_MEMIF_PLAIN") {
    const pid_t pid = Run(socket_, std::string(role) + "=1");
    EXPECT_TRUE(Eventually([] { return port().link_up(); }));
    return pid;
  }
  static int StatusOf(pid_t pid) {
    int status = -1;
    waitpid(pid, &status, 0);
    return status;
  }
  static void Converse() {
    const pid_t peer = Spawn();
    EXPECT_EQ(station_->Receive(), std::vector<uint8_t>(60, kHello));
    ASSERT_TRUE(station_->Send(kQuestion, 1514));
    const auto answer = station_->Receive();
    ASSERT_EQ(answer.size(), 1514u);
    EXPECT_EQ(answer[0], kQuestion);
    ASSERT_TRUE(station_->Send(kGoodBye, 1));
    EXPECT_EQ(StatusOf(peer), 0);
  }
  static std::string socket_;
  static Station* station_;
};
std::string MemifPortTest::socket_;
Station* MemifPortTest::station_ = nullptr;

TEST_F(MemifPortTest, FramesCrossBothWays) { Converse(); }

TEST_F(MemifPortTest, TakesTheNextPeer) {
  for (int n = 0; n < 3; ++n) {
    Converse();
    EXPECT_TRUE(Eventually([] { return !port().link_up(); }));
  }
}

TEST_F(MemifPortTest, SurvivesPeersKilledAtFullRate) {
  for (int n = 0; n < 10; ++n) {
    const pid_t peer = Spawn(kFloodVariable);
    size_t frames = 0;
    bool killed = false;
    EXPECT_TRUE(Eventually([&] {
      Burst burst;
      const size_t count = port().Receive(burst);
      port().Send(std::span(burst).first(count));  // back to where they came from
      frames += count;
      if (frames > 20'000 && !killed) killed = kill(peer, SIGKILL) == 0;
      return killed && !port().link_up();
    }));
    EXPECT_TRUE(WIFSIGNALED(StatusOf(peer)));
  }
}

/// Three processes beside this one, whose own port only looks on.
TEST_F(MemifPortTest, AClientReturnsToAServerThatTookTheOldOnesPlace) {
  const std::string socket = socket_ + "_return", serve = kServeVariable;
  const pid_t first = Run(socket, serve + "=die");
  ASSERT_TRUE(Eventually([&] { return ConnectAndHangUp(socket); }));
  const pid_t client = Run(socket, std::string(kReturnVariable) + "=1");
  const int died = StatusOf(first);
  EXPECT_TRUE(WIFSIGNALED(died) && WTERMSIG(died) == SIGKILL) << died;
  const pid_t second = Run(socket, serve + "=answer");
  EXPECT_EQ(StatusOf(client), 0);
  EXPECT_EQ(StatusOf(second), 0);
  unlink(socket.c_str());
}

/// What connects and hangs up before the server's first message: DPDK alone panics (memif_guard.h).
TEST_F(MemifPortTest, SurvivesThoseWhoHangUpAtOnce) {
  for (int n = 0; n < 300; ++n) ASSERT_TRUE(ConnectAndHangUp(socket_)) << n;
  Converse();
}

TEST_F(MemifPortTest, SocketInUseIsRefused) {
  const Status claimed = ClaimMemifSocket(socket_);
  ASSERT_FALSE(claimed);
  EXPECT_THAT(claimed.error().message(), ::testing::HasSubstr(socket_));
  EXPECT_TRUE(Eventually([] { return !port().link_up(); })) << "the attempt to connect is over";
}

}  // namespace
}  // namespace linegate::drivers
