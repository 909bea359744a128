// Two memif ports in one process, server and client: frames cross both ways, a client that went away is
// followed by another.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <string>
#include <vector>

#include "dataplane/app/eal_setup.h"
#include "dataplane/base/time.h"
#include "drivers/net/dpdk_port.h"
#include "drivers/net/memif_socket.h"

namespace linegate::drivers {
namespace {

using Role = MemifDevice::Role;

/// The connection is made by DPDK's interrupt thread: waits for it, for ten seconds at most.
template <typename Condition>
bool Eventually(Condition&& condition) {
  const TimePoint end = MonotonicNow() + std::chrono::seconds(10);
  while (!condition()) {
    if (MonotonicNow() > end) return false;
  }
  return true;
}

class MemifPortTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    ASSERT_TRUE(app::StartEal(settings::HugepageMode::kOff, DpdkPool::MegabytesFor(1)));
    ASSERT_TRUE(app::RegisterWorkerThread());
    auto pool = DpdkPool::Create(kBuffers);
    ASSERT_TRUE(pool) << pool.error().message();
    pool_ = std::make_unique<DpdkPool>(std::move(*pool));
  }
  static void TearDownTestSuite() {
    pool_.reset();
    app::StopEal();
  }
  void TearDown() override { EXPECT_EQ(pool_->free_count(), kBuffers) << "buffers leaked"; }
  std::unique_ptr<DpdkPort> Open(uint16_t port_id, Role role) {
    auto port = DpdkPort::Open(*pool_, port_id, MemifDevice{.socket = socket_, .id = 0, .role = role});
    EXPECT_TRUE(port) << port.error().message();
    return std::move(*port);
  }
  static void Send(DpdkPort& port, uint8_t content, uint16_t bytes) {
    io::Packet packet;
    ASSERT_TRUE(port.Allocate(packet));
    packet.length = bytes;
    std::fill_n(packet.data, bytes, content);
    EXPECT_EQ(port.Send({&packet, 1}), 1u);
  }
  static std::vector<std::vector<uint8_t>> Receive(DpdkPort& port) {
    std::array<io::Packet, io::kMaxBurst> burst;
    size_t count = 0;
    EXPECT_TRUE(Eventually([&] { return (count = port.Receive(burst)) != 0; }));
    std::vector<std::vector<uint8_t>> frames;
    for (const io::Packet& packet : std::span(burst).first(count))
      frames.emplace_back(packet.bytes().begin(), packet.bytes().end());
    port.Free(std::span(burst).first(count));
    return frames;
  }
  static void Exchange(DpdkPort& server, DpdkPort& client) {
    ASSERT_TRUE(Eventually([&] { return server.link_up() && client.link_up(); }));
    // A client offers the buffers that the server sends into when it looks for packets.
    std::array<io::Packet, io::kMaxBurst> none;
    ASSERT_EQ(client.Receive(none), 0u);
    Send(client, 0x11, 60);
    EXPECT_THAT(Receive(server), ::testing::ElementsAre(std::vector<uint8_t>(60, 0x11)));
    Send(server, 0x22, 1514);
    EXPECT_THAT(Receive(client), ::testing::ElementsAre(std::vector<uint8_t>(1514, 0x22)));
  }
  static constexpr size_t kBuffers = 1023;
  static std::unique_ptr<DpdkPool> pool_;
  const std::string socket_ = ::testing::TempDir() + "memif_port_test_" + std::to_string(getpid());
};
std::unique_ptr<DpdkPool> MemifPortTest::pool_;

TEST_F(MemifPortTest, FramesCrossBothWays) {
  auto server = Open(0, Role::kServer);
  EXPECT_FALSE(server->link_up());
  auto client = Open(1, Role::kClient);
  Exchange(*server, *client);
}

TEST_F(MemifPortTest, ServerTakesAnotherClient) {
  auto server = Open(0, Role::kServer);
  {
    auto client = Open(1, Role::kClient);
    Exchange(*server, *client);
  }
  EXPECT_TRUE(Eventually([&] { return !server->link_up(); }));
  auto client = Open(1, Role::kClient);
  Exchange(*server, *client);
}

TEST_F(MemifPortTest, ClientConnectsAgainWhenRestarted) {
  auto server = Open(0, Role::kServer);
  auto client = Open(1, Role::kClient);
  Exchange(*server, *client);
  ASSERT_TRUE(client->Restart());
  Exchange(*server, *client);
}

TEST_F(MemifPortTest, SocketInUseIsRefused) {
  auto server = Open(0, Role::kServer);
  const Status claimed = ClaimMemifSocket(socket_);
  ASSERT_FALSE(claimed);
  EXPECT_THAT(claimed.error().message(), ::testing::HasSubstr(socket_));
}

}  // namespace
}  // namespace linegate::drivers
