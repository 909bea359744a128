#include "controlplane/session/flow_command_queue.h"

#include <gmock/gmock.h>

namespace linegate::session {
namespace {

using namespace std::chrono_literals;  // NOLINT: tests
using ::testing::ElementsAre;

const TimePoint kNow(100s);
constexpr abi::FlowRef kFlow{3, 9, 0, 0};
constexpr abi::FlowRef kOther{4, 9, 0, 0};

abi::FlowConfig Config(uint8_t send_rtp) {
  abi::FlowConfig config;
  config.send_rtp = send_rtp;
  return config;
}

srtp::MasterKey Key(uint8_t byte) {
  srtp::MasterKey key;
  key.profile = srtp::Profile::kAes128CmHmacSha1_80;
  key.key.Assign(std::vector<uint8_t>(16, byte));
  key.salt.Assign(std::vector<uint8_t>(14, byte));
  return key;
}

class FlowCommandQueueTest : public ::testing::Test {
 protected:
  /// "program 3 #1 rtp=0": type, slot, sequence, content.
  std::string Poll() {
    const auto command = queue.PollCommand(now);
    if (!command) return "none";
    if (const auto* program = std::get_if<abi::ProgramFlow>(&*command)) {
      return "program" + Header(program->header) + " rtp=" + std::to_string(program->config.send_rtp);
    }
    if (const auto* keys = std::get_if<abi::InstallKeys>(&*command)) {
      return (keys->use == abi::KeyUse::kReceive ? "receive" : "send") + Header(keys->header) +
             " key=" + std::to_string(keys->key[15]) +
             " bytes=" + std::to_string(keys->key_bytes + keys->salt_bytes);
    }
    return "remove" + Header(std::get<abi::RemoveFlow>(*command).header);
  }
  static std::string Header(const abi::CommandHeader& header) {
    return " " + std::to_string(header.flow.index) + " #" + std::to_string(header.sequence);
  }
  bool Done(uint64_t sequence, const abi::FlowRef& flow = kFlow) {
    return queue.HandleDone({sequence, flow, abi::CommandStatus::kDone}).has_value();
  }
  TimePoint now = kNow;
  FlowCommandQueue queue{1};
};

TEST_F(FlowCommandQueueTest, OneCommandPerFlowIsUnderWay) {
  queue.Program(kFlow, Config(0));
  queue.Program(kOther, Config(0));
  EXPECT_EQ(Poll(), "program 3 #1 rtp=0");
  EXPECT_EQ(Poll(), "program 4 #2 rtp=0");
  queue.Install(kFlow, abi::KeyUse::kSend, Key(5));
  queue.Install(kFlow, abi::KeyUse::kReceive, Key(6));
  EXPECT_EQ(Poll(), "none");
  EXPECT_TRUE(Done(1));
  EXPECT_EQ(Poll(), "receive 3 #3 key=6 bytes=30");
  EXPECT_TRUE(Done(3));
  EXPECT_EQ(Poll(), "send 3 #4 key=5 bytes=30");
  EXPECT_TRUE(Done(4));
  EXPECT_EQ(Poll(), "none");
}

TEST_F(FlowCommandQueueTest, ChangesWhileUnderWayAreMerged) {
  queue.Program(kFlow, Config(0));
  EXPECT_EQ(Poll(), "program 3 #1 rtp=0");
  queue.Program(kFlow, Config(1));
  queue.Program(kFlow, Config(2));
  queue.Program(kFlow, Config(2));
  EXPECT_TRUE(Done(1));
  EXPECT_EQ(Poll(), "program 3 #2 rtp=2");
  EXPECT_TRUE(Done(2));
  EXPECT_EQ(Poll(), "none");
}

TEST_F(FlowCommandQueueTest, SameContentAgainIsNoCommand) {
  queue.Program(kFlow, Config(1));
  Poll(), Done(1);
  queue.Program(kFlow, Config(1));
  queue.Install(kFlow, abi::KeyUse::kSend, Key(5));
  Poll(), Done(2);
  queue.Install(kFlow, abi::KeyUse::kSend, Key(5));
  EXPECT_EQ(Poll(), "none");
}

TEST_F(FlowCommandQueueTest, RemovalReplacesWhatWaits) {
  queue.Program(kFlow, Config(0));
  Poll();
  queue.Install(kFlow, abi::KeyUse::kSend, Key(5));
  queue.Remove(kFlow);
  queue.Program(kFlow, Config(1));  // too late
  EXPECT_TRUE(Done(1));
  EXPECT_EQ(Poll(), "remove 3 #2");
  EXPECT_TRUE(Done(2));
  EXPECT_FALSE(queue.Knows(kFlow));
  EXPECT_EQ(queue.flow_count(), 0u);
}

TEST_F(FlowCommandQueueTest, RepeatsWithDoublingAndKeepsTheSequence) {
  queue.Program(kFlow, Config(0));
  EXPECT_EQ(Poll(), "program 3 #1 rtp=0");
  now += 49ms;
  queue.HandleTimeout(now);
  EXPECT_EQ(Poll(), "none");
  now += 1ms;
  queue.HandleTimeout(now);
  EXPECT_EQ(Poll(), "program 3 #1 rtp=0");
  EXPECT_EQ(queue.NextTimeout(), now + 100ms);
  EXPECT_TRUE(Done(1));
  EXPECT_EQ(queue.NextTimeout(), std::nullopt);
}

TEST_F(FlowCommandQueueTest, RemovalIsRepeatedUntilItIsAnswered) {
  queue.Program(kFlow, Config(0));
  queue.Remove(kFlow);
  for (int attempt = 0; attempt < 20; ++attempt) {
    EXPECT_EQ(Poll(), "remove 3 #1");
    ASSERT_TRUE(queue.NextTimeout());
    EXPECT_LE(*queue.NextTimeout() - now, 6400ms);
    now = *queue.NextTimeout();
    queue.HandleTimeout(now);
  }
  EXPECT_TRUE(Done(1));
  EXPECT_EQ(queue.flow_count(), 0u);
  EXPECT_FALSE(queue.NextTimeout());
}

TEST_F(FlowCommandQueueTest, AnswerBetweenTimeoutAndPollCancelsTheRepetition) {
  queue.Program(kFlow, Config(0));
  Poll();
  now += 50ms;
  queue.HandleTimeout(now);
  EXPECT_TRUE(Done(1));
  EXPECT_EQ(Poll(), "none");
  queue.Program(kFlow, Config(1));
  EXPECT_EQ(Poll(), "program 3 #2 rtp=1");
}

TEST_F(FlowCommandQueueTest, LateRepeatedAndForeignAnswersAreIgnored) {
  queue.Program(kFlow, Config(0));
  Poll();
  EXPECT_FALSE(Done(2));
  EXPECT_FALSE(Done(1, {3, 8, 0, 0}));
  EXPECT_FALSE(Done(1, kOther));
  EXPECT_TRUE(Done(1));
  EXPECT_FALSE(Done(1));
}

TEST_F(FlowCommandQueueTest, SendKeysWaitForTheLegTheyBelongTo) {
  abi::FlowConfig joined = Config(1), back = Config(1);
  joined.reverse = kOther;
  back.reverse = kFlow;
  queue.Program(kFlow, joined);
  queue.Install(kFlow, abi::KeyUse::kSend, Key(5));
  queue.Program(kOther, back);
  EXPECT_EQ(Poll(), "program 3 #1 rtp=1");
  EXPECT_EQ(Poll(), "program 4 #2 rtp=1");
  EXPECT_TRUE(Done(1));
  EXPECT_EQ(Poll(), "none");
  EXPECT_TRUE(Done(2, kOther));
  EXPECT_EQ(Poll(), "send 3 #3 key=5 bytes=30");
}

TEST_F(FlowCommandQueueTest, ReprogramAllSendsEverythingUnderNewSequences) {
  queue.Program(kFlow, Config(1));
  Poll(), Done(1);
  queue.Install(kFlow, abi::KeyUse::kReceive, Key(6));
  Poll(), Done(2);
  queue.Program(kOther, Config(0));
  Poll(), Done(3, kOther);
  queue.Remove(kOther);
  Poll();
  queue.ReprogramAll();
  EXPECT_EQ(Poll(), "program 3 #5 rtp=1");
  EXPECT_EQ(Poll(), "remove 4 #6");
  EXPECT_TRUE(Done(5));
  EXPECT_EQ(Poll(), "receive 3 #7 key=6 bytes=30");
}

TEST_F(FlowCommandQueueTest, SlotIsUsableAgainAfterItsRemoval) {
  queue.Program(kFlow, Config(1));
  Poll(), Done(1);
  queue.Remove(kFlow);
  Poll(), Done(2);
  const abi::FlowRef next{kFlow.index, kFlow.generation + 1, 0, 0};
  queue.Program(next, Config(1));
  EXPECT_EQ(Poll(), "program 3 #3 rtp=1");
}

}  // namespace
}  // namespace linegate::session
