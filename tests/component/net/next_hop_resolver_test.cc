#include "controlplane/net/next_hop_resolver.h"

#include <gmock/gmock.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <functional>

namespace linegate::net {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

IpAddress Ip(std::string_view text) { return *IpAddress::Parse(text); }

/// Two network namespaces of this test alone, joined by a veth pair: ours (gateway side, lgn-near) and a
/// child process's (lgn-far). Both are nameless and go when the processes go, however they end.
class NextHopResolverTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(unshare(CLONE_NEWNET), 0) << "needs root";
    int ready[2];
    ASSERT_EQ(pipe(ready), 0);
    peer_ = fork();
    if (peer_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      const bool is_apart = unshare(CLONE_NEWNET) == 0 && write(ready[1], "x", 1) == 1;
      while (is_apart) pause();
      _exit(1);
    }
    char byte;
    ASSERT_EQ(read(ready[0], &byte, 1), 1);
    close(ready[0]), close(ready[1]);
    Near("link set lo up");
    Near("link add lgn-near type veth peer name lgn-far");
    Near("link set lgn-far netns " + std::to_string(peer_));
    for (const char* command : {"addr add 10.99.0.1/24 dev lgn-near",
                                "addr add fd99::1/64 dev lgn-near nodad", "link set lgn-near up"}) {
      Near(command);
    }
    for (const char* command : {"addr add 10.99.0.2/24 dev lgn-far", "addr add 10.99.0.3/24 dev lgn-far",
                                "addr add fd99::2/64 dev lgn-far nodad",
                                "link set lgn-far address 02:00:00:00:00:01", "link set lgn-far up"}) {
      Far(command);
    }
    auto opened =
        NextHopResolver::Open(runtime_, [this](const IpAddress& destination, std::optional<MacAddress> mac) {
          changes_.push_back(destination.ToString() + " " + (mac ? mac->ToString() : "unknown"));
          if (done_ && done_()) runtime_.Stop();
        });
    ASSERT_TRUE(opened) << opened.error().message();
    resolver_ = std::move(*opened);
  }
  void TearDown() override {
    resolver_.reset();
    if (peer_ > 0) {
      kill(peer_, SIGKILL);
      waitpid(peer_, nullptr, 0);
    }
  }

  static void Near(const std::string& command) { EXPECT_EQ(system(("ip " + command).c_str()), 0) << command; }
  void Far(const std::string& command) {
    const std::string enter = "nsenter -t " + std::to_string(peer_) + " -n ip ";
    EXPECT_EQ(system((enter + command).c_str()), 0) << command;
  }
  static std::string Neighbours() {
    FILE* pipe = popen("ip neigh show", "r");
    std::string text;
    std::array<char, 1024> chunk;
    for (size_t length; (length = fread(chunk.data(), 1, chunk.size(), pipe)) > 0;)
      text.append(chunk.data(), length);
    pclose(pipe);
    return text;
  }
  /// Runs the loop until `done` holds after a change, five seconds at most.
  bool RunUntil(std::function<bool()> done) {
    if (done()) return true;
    done_ = std::move(done);
    bool timed_out = false;
    const TimerId watchdog = runtime_.CallAfter(seconds(5), [&] {
      timed_out = true;
      runtime_.Stop();
    });
    runtime_.Run();
    runtime_.Cancel(watchdog);
    done_ = nullptr;
    return !timed_out;
  }
  std::optional<std::string> MacOf(const std::string& destination) {
    const auto hop = resolver_->Resolve(Ip(destination));
    return hop && hop->mac ? std::optional(hop->mac->ToString()) : std::nullopt;
  }
  bool LearnsMac(const std::string& destination, const std::string& mac) {
    return RunUntil([&, destination, mac] { return MacOf(destination) == mac; });
  }

  Runtime runtime_;
  std::unique_ptr<NextHopResolver> resolver_;
  std::vector<std::string> changes_;
  std::function<bool()> done_;
  pid_t peer_ = -1;
};

TEST_F(NextHopResolverTest, ResolvesANeighbourOnTheLink) {
  const auto hop = resolver_->Resolve(Ip("10.99.0.2"));
  ASSERT_TRUE(hop) << hop.error().message();
  EXPECT_EQ(hop->kind, RouteFacts::Kind::kUnicast);
  EXPECT_EQ(hop->interface, "lgn-near");
  EXPECT_NE(hop->interface_mac, MacAddress());
  EXPECT_EQ(hop->source, Ip("10.99.0.1"));
  EXPECT_EQ(hop->neighbour, Ip("10.99.0.2"));
  EXPECT_TRUE(LearnsMac("10.99.0.2", "02:00:00:00:00:01"));
  EXPECT_THAT(Neighbours(), HasSubstr("managed"));
  EXPECT_TRUE(LearnsMac("fd99::2", "02:00:00:00:00:01"));
}

TEST_F(NextHopResolverTest, FollowsTheGateway) {
  Near("route add 198.51.100.0/24 via 10.99.0.2");
  const auto hop = resolver_->Resolve(Ip("198.51.100.7"));
  ASSERT_TRUE(hop) << hop.error().message();
  EXPECT_EQ(hop->neighbour, Ip("10.99.0.2"));
  EXPECT_TRUE(LearnsMac("198.51.100.7", "02:00:00:00:00:01"));
  Near("route replace 198.51.100.0/24 via 10.99.0.3");
  EXPECT_TRUE(RunUntil([&] { return resolver_->Resolve(Ip("198.51.100.7"))->neighbour == Ip("10.99.0.3"); }));
  EXPECT_TRUE(LearnsMac("198.51.100.7", "02:00:00:00:00:01"));
}

TEST_F(NextHopResolverTest, ReachesIpv4OverAnIpv6Gateway) {
  Near("route add 198.51.100.0/24 via inet6 fd99::2");
  EXPECT_EQ(resolver_->Resolve(Ip("198.51.100.7"))->neighbour, Ip("fd99::2"));
  EXPECT_TRUE(LearnsMac("198.51.100.7", "02:00:00:00:00:01"));
}

TEST_F(NextHopResolverTest, TellsWhenTheMacChanges) {
  ASSERT_TRUE(LearnsMac("10.99.0.2", "02:00:00:00:00:01"));
  Near("neigh replace 10.99.0.2 lladdr 02:00:00:00:00:02 dev lgn-near nud reachable");
  EXPECT_TRUE(LearnsMac("10.99.0.2", "02:00:00:00:00:02"));
  EXPECT_EQ(changes_.back(), "10.99.0.2 02:00:00:00:00:02");
}

TEST_F(NextHopResolverTest, FlushedEntryIsAskedForAgain) {
  ASSERT_TRUE(LearnsMac("10.99.0.2", "02:00:00:00:00:01"));
  Far("link set lgn-far address 02:00:00:00:00:09");
  Near("neigh del 10.99.0.2 dev lgn-near");
  EXPECT_TRUE(LearnsMac("10.99.0.2", "02:00:00:00:00:09"));
}

TEST_F(NextHopResolverTest, PermanentEntryIsUsedAndLeftAlone) {
  Near("neigh add 10.99.0.50 lladdr 02:00:00:00:00:50 dev lgn-near nud permanent");
  EXPECT_EQ(MacOf("10.99.0.50"), "02:00:00:00:00:50");
  resolver_->Forget(Ip("10.99.0.50"));
  EXPECT_THAT(Neighbours(), HasSubstr("10.99.0.50 dev lgn-near lladdr 02:00:00:00:00:50 PERMANENT"));
}

TEST_F(NextHopResolverTest, MissingRouteIsAnErrorUntilThereIsOne) {
  const auto none = resolver_->Resolve(Ip("203.0.113.1"));
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().message(), HasSubstr("203.0.113.1"));
  Near("route add 203.0.113.0/24 via 10.99.0.2");
  EXPECT_TRUE(RunUntil([&] { return bool(resolver_->Resolve(Ip("203.0.113.1"))); }));
  EXPECT_TRUE(LearnsMac("203.0.113.1", "02:00:00:00:00:01"));
  Near("route del 203.0.113.0/24");
  EXPECT_TRUE(RunUntil([&] { return !resolver_->Resolve(Ip("203.0.113.1")); }));
}

TEST_F(NextHopResolverTest, LinkThatComesBackIsFollowed) {
  ASSERT_TRUE(LearnsMac("10.99.0.2", "02:00:00:00:00:01"));
  Near("link set lgn-near down");
  EXPECT_TRUE(RunUntil([&] { return !MacOf("10.99.0.2"); }));
  Near("link set lgn-near up");
  EXPECT_TRUE(LearnsMac("10.99.0.2", "02:00:00:00:00:01"));
}

TEST_F(NextHopResolverTest, OwnAddressIsLocal) {
  const auto hop = resolver_->Resolve(Ip("10.99.0.1"));
  ASSERT_TRUE(hop);
  EXPECT_EQ(hop->kind, RouteFacts::Kind::kLocal);
  EXPECT_FALSE(hop->mac);
}

TEST_F(NextHopResolverTest, ForgottenAndDestroyedLeaveNoManagedEntries) {
  ASSERT_TRUE(LearnsMac("10.99.0.2", "02:00:00:00:00:01"));
  EXPECT_TRUE(resolver_->Resolve(Ip("fd99::2")));
  resolver_->Forget(Ip("10.99.0.2"));
  EXPECT_EQ(resolver_->destination_count(), 1u);
  resolver_.reset();
  EXPECT_THAT(Neighbours(), ::testing::Not(HasSubstr("managed")));
}

}  // namespace
}  // namespace linegate::net
