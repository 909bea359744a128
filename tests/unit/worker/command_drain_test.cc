#include <gtest/gtest.h>

#include "tests/support/dataplane_calls.h"

namespace linegate::test {
namespace {

using abi::CommandStatus;
using abi::CommandType;
using abi::Counter;

class Commands : public testing::Test {
 protected:
  abi::FlowConfig RtpConfig(uint16_t port = 40000) {
    abi::FlowConfig config = BaseConfig();
    config.ingress = RtpIngress(port, At("10.90.2.2:6000"));
    config.egress = RtpEgress(port, At("10.90.2.2:6000"));
    return config;
  }
  abi::InstallKeys KeyCommand(const abi::FlowRef& flow) {
    abi::InstallKeys command;
    command.header.flow = flow;
    command.profile = uint16_t(srtp::Profile::kAes128CmHmacSha1_80);
    command.key_bytes = 16;
    command.salt_bytes = 14;
    std::fill_n(command.key, 16, 0xc7);
    std::fill_n(command.salt, 14, 0x3a);
    return command;
  }
  DataplaneBench bench_;
};

TEST_F(Commands, AreAnsweredOncePerDelivery) {
  EXPECT_EQ(bench_.Program(Flow(1), RtpConfig()), CommandStatus::kDone);
  EXPECT_EQ(bench_.counter(Counter::kCommandsDone), 1u);
  EXPECT_EQ(bench_.counter(Counter::kActiveFlows), 1u);
  EXPECT_EQ(bench_.link().header().last_command_sequence.load(), 1u);
}

TEST_F(Commands, RefuseSlotsThatDoNotExist) {
  EXPECT_EQ(bench_.Program(Flow(DataplaneBench::kFlows), RtpConfig()), CommandStatus::kBadSlot);
  EXPECT_EQ(bench_.Program(Flow(1, 0), RtpConfig()), CommandStatus::kBadSlot);
  abi::ProgramFlow stray;
  stray.header.flow = Flow(1, 1, 3);
  stray.header.sequence = 77;
  stray.config = RtpConfig();
  bench_.WriteCommand(0, uint32_t(CommandType::kProgramFlow),
                      {reinterpret_cast<const uint8_t*>(&stray), sizeof stray});
  bench_.Run();
  EXPECT_EQ(bench_.counter(Counter::kCommandsRefused), 3u);
  EXPECT_EQ(bench_.counter(Counter::kActiveFlows), 0u);
}

TEST_F(Commands, RefuseAnotherGenerationOfALiveSlot) {
  ASSERT_EQ(bench_.Program(Flow(1, 5), RtpConfig()), CommandStatus::kDone);
  EXPECT_EQ(bench_.Program(Flow(1, 6), RtpConfig()), CommandStatus::kStaleFlow);
  abi::InstallKeys key = KeyCommand(Flow(1, 6));
  EXPECT_EQ(bench_.Do(CommandType::kInstallKeys, key), CommandStatus::kStaleFlow);
  EXPECT_EQ(bench_.Remove(Flow(1, 4)), CommandStatus::kDone) << "nothing to do";
  EXPECT_EQ(bench_.counter(Counter::kActiveFlows), 1u);
  EXPECT_EQ(bench_.Remove(Flow(1, 5)), CommandStatus::kDone);
  EXPECT_EQ(bench_.Program(Flow(1, 6), RtpConfig()), CommandStatus::kDone);
}

TEST_F(Commands, ARepeatChangesNothingAndIsAnsweredAlike) {
  abi::ProgramFlow command;
  command.header.flow = Flow(1);
  command.header.sequence = 9;
  command.config = RtpConfig();
  ASSERT_EQ(bench_.Do(CommandType::kProgramFlow, command), CommandStatus::kDone);
  command.config.send_rtp = 0;
  EXPECT_EQ(bench_.Do(CommandType::kProgramFlow, command), CommandStatus::kDone);
  EXPECT_EQ(bench_.slot(Flow(1)).config.send_rtp, 1) << "the same sequence: carried out once";
  command.header.sequence = 10;
  EXPECT_EQ(bench_.Do(CommandType::kProgramFlow, command), CommandStatus::kDone);
  EXPECT_EQ(bench_.slot(Flow(1)).config.send_rtp, 0);
}

TEST_F(Commands, APortBelongsToOneFlow) {
  ASSERT_EQ(bench_.Program(Flow(1), RtpConfig(40000)), CommandStatus::kDone);
  EXPECT_EQ(bench_.Program(Flow(2), RtpConfig(40000)), CommandStatus::kPortTaken);
  EXPECT_EQ(bench_.Program(Flow(2), RtpConfig(40002)), CommandStatus::kDone);
  EXPECT_EQ(bench_.Program(Flow(2), RtpConfig(40000)), CommandStatus::kPortTaken);
  EXPECT_EQ(bench_.Program(Flow(1), RtpConfig(40004)), CommandStatus::kDone) << "moved";
  EXPECT_EQ(bench_.Program(Flow(2), RtpConfig(40000)), CommandStatus::kDone);
}

TEST_F(Commands, KeysAreWipedFromTheRingWhateverBecomesOfThem) {
  ASSERT_EQ(bench_.Program(Flow(1), RtpConfig()), CommandStatus::kDone);
  const auto ring = [&] {
    const auto* base = reinterpret_cast<const uint8_t*>(bench_.link().command_ring(0));
    return std::vector<uint8_t>(base, base + abi::RingBytes(abi::kCommandRingBytes));
  };
  const auto count_key = [&] {
    size_t found = 0;
    const auto bytes = ring();
    for (size_t i = 0; i + 8 <= bytes.size(); ++i) {
      found += std::all_of(bytes.begin() + long(i), bytes.begin() + long(i) + 8,
                           [](uint8_t b) { return b == 0xc7; });
    }
    return found;
  };
  abi::InstallKeys key = KeyCommand(Flow(1));
  EXPECT_EQ(bench_.Do(CommandType::kInstallKeys, key), CommandStatus::kDone);
  EXPECT_EQ(count_key(), 0u);
  key.header.flow = Flow(1, 99);
  EXPECT_EQ(bench_.Do(CommandType::kInstallKeys, key), CommandStatus::kStaleFlow);
  EXPECT_EQ(count_key(), 0u);
  // A record of the wrong size, too.
  key.header.sequence = 500;
  bench_.WriteCommand(0, uint32_t(CommandType::kInstallKeys),
                      {reinterpret_cast<const uint8_t*>(&key), sizeof key - 8});
  bench_.Run();
  EXPECT_EQ(count_key(), 0u);
  EXPECT_EQ(bench_.slot(Flow(1)).receive_key.key[0], 0xc7) << "the vault holds it";
  ASSERT_EQ(bench_.Remove(Flow(1)), CommandStatus::kDone);
  const auto* slot = reinterpret_cast<const uint8_t*>(&bench_.slot(Flow(1)));
  EXPECT_EQ(std::count(slot, slot + sizeof(abi::FlowSlot), 0xc7), 0) << "and forgets it";
}

TEST_F(Commands, RefuseKeysOfWrongLengthOrProfile) {
  ASSERT_EQ(bench_.Program(Flow(1), RtpConfig()), CommandStatus::kDone);
  abi::InstallKeys key = KeyCommand(Flow(1));
  key.key_bytes = 32;
  EXPECT_EQ(bench_.Do(CommandType::kInstallKeys, key), CommandStatus::kKeyRefused);
  key = KeyCommand(Flow(1));
  key.profile = 3;  // nobody's
  EXPECT_EQ(bench_.Do(CommandType::kInstallKeys, key), CommandStatus::kKeyRefused);
  key = KeyCommand(Flow(1));
  key.use = abi::KeyUse(9);
  EXPECT_EQ(bench_.Do(CommandType::kInstallKeys, key), CommandStatus::kKeyRefused);
  key = KeyCommand(Flow(1));
  key.use = abi::KeyUse::kSend;
  EXPECT_EQ(bench_.Do(CommandType::kInstallKeys, key), CommandStatus::kBadConfig)
      << "it is joined with no leg";
  EXPECT_EQ(bench_.slot(Flow(1)).receive_key.installed, 0u);
}

TEST_F(Commands, RemoveAllStartsClean) {
  ASSERT_EQ(bench_.Program(Flow(1), RtpConfig(40000)), CommandStatus::kDone);
  ASSERT_EQ(bench_.Program(Flow(2), RtpConfig(40002)), CommandStatus::kDone);
  abi::RemoveAllFlows command;
  EXPECT_EQ(bench_.Do(CommandType::kRemoveAllFlows, command), CommandStatus::kDone);
  EXPECT_EQ(bench_.counter(Counter::kActiveFlows), 0u);
  EXPECT_EQ(bench_.Program(Flow(3), RtpConfig(40000)), CommandStatus::kDone);
}

TEST_F(Commands, WaitWhileTheirAnswersHaveNoRoom) {
  // Nobody reads events: 24-byte answers in 32-byte records fill 256 KiB.
  abi::RemoveFlow command;
  command.header.flow = Flow(1);
  constexpr uint64_t kCommands = 9000;
  abi::RingProducer producer(bench_.link().command_ring(0), abi::kCommandRingBytes);
  uint64_t written = 0;
  for (int round = 0; round < 10 && written < kCommands; ++round) {
    for (; written < kCommands; ++written) {
      command.header.sequence = written + 1;
      if (!producer.TryWrite(uint32_t(CommandType::kRemoveFlow),
                             {reinterpret_cast<const uint8_t*>(&command), sizeof command})) {
        break;
      }
    }
    bench_.Run();
  }
  EXPECT_EQ(written, kCommands);
  EXPECT_EQ(bench_.counter(Counter::kEventsLost), 0u);
  EXPECT_LT(bench_.counter(Counter::kCommandsDone), kCommands);
  bench_.Events();
  bench_.Run();
  EXPECT_EQ(bench_.counter(Counter::kCommandsDone), kCommands) << "they were late, none was lost";
}

TEST_F(Commands, ATornConfigurationWaitsForItsCommand) {
  // The process died while the configuration was being replaced: life word kUpdating, the command comes
  // again.
  crypto::NullTransform transform;
  DataplaneBench bench(1, &transform);
  GatewayCall call(bench, transform, Flow(0), Flow(1));
  call.Program();
  call.Connect(At("10.90.1.2:5000"));
  call.InstallKeys();
  call.FromPhone(Rtp(0, 7, 1, 0xfe, {}));
  bench.Run();
  abi::FlowSlot& slot = bench.slot(call.out);
  slot.set_life({abi::SlotState::kUpdating, 0, call.out.generation});
  slot.config.ingress.kind = abi::SideKind(99);
  bench.Restart();
  ASSERT_EQ(bench.Program(call.out, call.out_config), CommandStatus::kDone);
  bench.Sent(DataplaneBench::kPublic);
  call.Connect(At("10.90.1.2:5000"));
  call.FromPhone(Rtp(0, 7, 1, 0xfe, {}));
  bench.Run();
  EXPECT_TRUE(bench.Sent(DataplaneBench::kPublic).empty()) << "index 7 is used up, also across that";
  call.FromPhone(Rtp(0, 8, 1, 0xfe, {}));
  bench.Run();
  EXPECT_EQ(bench.Sent(DataplaneBench::kPublic).size(), 1u);
}

}  // namespace
}  // namespace linegate::test
