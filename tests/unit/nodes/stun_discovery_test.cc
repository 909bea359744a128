// RFC 5780 on the listeners of a realm that has an other_realm, and what each answer costs a victim of a forged source.
#include <gtest/gtest.h>

#include "tests/support/turn_client.h"

namespace linegate::test {
namespace {

using abi::Counter;
using abi::DropReason;
using wire::StunAttribute;
using wire::StunClass;
using wire::StunMessageView;
using wire::StunMethod;

constexpr uint16_t kPublic = DataplaneBench::kPublic;

template <typename Add>
std::vector<uint8_t> Binding(Add&& add) {
  return StunOf(StunClass::kRequest, StunMethod::kBinding, add);
}

/// The form of MAPPED-ADDRESS.
Endpoint PlainAddress(const StunMessageView& message, StunAttribute attribute) {
  const auto value = message.Find(attribute);
  if (!value || value->size() < 8) return {};
  const uint8_t* address = value->data() + 4;
  const IpAddress ip = value->size() == 8 ? IpAddress::V4(std::span<const uint8_t, 4>(address, 4))
                                          : IpAddress::V6(std::span<const uint8_t, 16>(address, 16));
  return {ip, LoadBe16(value->data() + 2)};
}

struct Row {
  const char* description;
  Endpoint from, to;
  uint32_t change;  ///< 0xffffffff: no CHANGE-REQUEST
  uint16_t response_port;
  Endpoint source, destination, origin, other;
};

TEST(StunDiscovery, AnswersFromEveryAddressAndPort) {
  const Endpoint client = At("10.90.1.2:5000"), client6 = At("[fd90:1::2]:5000");
  const Endpoint other = At("10.90.1.6:3479");
  const Row rows[] = {
      {"plain", client, At("10.90.1.5:3478"), ~0u, 0, At("10.90.1.5:3478"), client, At("192.0.2.5:3478"),
       other},
      {"to the alternate port", client, At("10.90.1.5:3479"), ~0u, 0, At("10.90.1.5:3479"), client,
       At("192.0.2.5:3479"), At("10.90.1.6:3478")},
      {"no change", client, At("10.90.1.5:3478"), 0, 0, At("10.90.1.5:3478"), client, At("192.0.2.5:3478"),
       other},
      {"other port", client, At("10.90.1.5:3478"), 2, 0, At("10.90.1.5:3479"), client, At("192.0.2.5:3479"),
       other},
      {"other address", client, At("10.90.1.5:3478"), 4, 0, At("10.90.1.6:3478"), client,
       At("10.90.1.6:3478"), other},
      {"other address and port", client, At("10.90.1.5:3478"), 6, 0, At("10.90.1.6:3479"), client, other,
       other},
      {"from the alternate side back", client, At("10.90.1.6:3479"), 6, 0, At("10.90.1.5:3478"), client,
       At("192.0.2.5:3478"), At("192.0.2.5:3478")},
      {"IPv6", client6, At("[fd90:1::5]:3478"), 6, 0, At("[fd90:1::6]:3479"), client6, At("[fd90:1::6]:3479"),
       At("[fd90:1::6]:3479")},
      {"to another port of the client", client, At("10.90.1.5:3478"), ~0u, 777, At("10.90.1.5:3478"),
       At("10.90.1.2:777"), At("192.0.2.5:3478"), other},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.description);
    DataplaneBench bench;
    bench.Receive(kPublic, row.from, row.to, Binding([&](auto& writer) {
                    if (row.change != ~0u) writer.AddU32(StunAttribute::kChangeRequest, row.change);
                    if (row.response_port != 0)
                      writer.AddU32(StunAttribute::kResponsePort, uint32_t(row.response_port) << 16);
                  }));
    bench.Run();
    const auto sent = bench.Sent(kPublic);
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].source, row.source);
    EXPECT_EQ(sent[0].destination, row.destination);
    const auto response = StunMessageView::Parse(sent[0].payload);
    ASSERT_TRUE(response);
    EXPECT_EQ(response->message_class(), StunClass::kSuccess);
    EXPECT_EQ(response->xor_mapped_address(), row.from);
    EXPECT_EQ(PlainAddress(*response, StunAttribute::kResponseOrigin), row.origin);
    EXPECT_EQ(PlainAddress(*response, StunAttribute::kOtherAddress), row.other);
  }
}

TEST(StunDiscovery, RefusesWhatRfc5780Forbids) {
  DataplaneBench bench;
  const auto code = [&](const Endpoint& to, auto&& add) {
    bench.Receive(kPublic, At("10.90.1.2:5000"), to, Binding(add));
    bench.Run();
    const auto sent = bench.Sent(kPublic);
    EXPECT_EQ(sent.size(), 1u);
    return sent.empty() ? 0 : int(StunMessageView::Parse(sent[0].payload)->error_code()->code);
  };
  const auto padding_and_port = [](auto& writer) {
    writer.AddU32(StunAttribute::kResponsePort, 777u << 16);
    writer.AddBytes(StunAttribute::kPadding, std::vector<uint8_t>(16, 0));
  };
  EXPECT_EQ(code(At("10.90.1.5:3478"), padding_and_port), 400);
  EXPECT_EQ(code(At("10.90.1.5:3478"), [](auto& w) { w.AddU32(StunAttribute::kResponsePort, 0); }), 400);
  EXPECT_EQ(code(At("10.90.1.5:3478"), [](auto& w) { w.AddU32(StunAttribute(0x7777), 0); }), 420);
  // Where there is no other address, none of these attributes is known.
  EXPECT_EQ(code(At("10.90.1.1:443"), [](auto& w) { w.AddU32(StunAttribute::kChangeRequest, 4); }), 420);
  EXPECT_EQ(code(At("10.90.1.1:3478"), [](auto& w) { w.AddU32(StunAttribute::kResponsePort, 7 << 16); }),
            420);
}

/// Response bytes over request bytes, UDP payload, of everything that a worker answers by itself. docs/turn.md quotes it.
TEST(StunDiscovery, AmplifiesNoMoreThanTheTableSays) {
  struct Amplification {
    const char* request;
    Endpoint from, to;
    std::vector<uint8_t> message;
    size_t request_bytes, response_bytes;
  };
  const auto plain = Binding([](auto&) {});
  const auto fingerprint = Binding([](auto& writer) { writer.AddFingerprint(); });
  const auto unknown = Binding([](auto& writer) { writer.AddU32(StunAttribute(0x7777), 0); });
  const auto padding =
      Binding([](auto& writer) { writer.AddBytes(StunAttribute::kPadding, std::vector<uint8_t>(1000, 0)); });
  const Endpoint client = At("10.90.1.2:5000"), client6 = At("[fd90:1::2]:5000");
  const Amplification rows[] = {
      {"Binding, IPv4", client, kTurnListener4, plain, 20, 32},
      {"Binding, IPv6", client6, kTurnListener6, plain, 20, 44},
      {"Binding with FINGERPRINT, IPv4", client, kTurnListener4, fingerprint, 28, 40},
      {"Binding with FINGERPRINT, IPv6", client6, kTurnListener6, fingerprint, 28, 52},
      {"unknown attribute, 420", client, kTurnListener4, unknown, 28, 56},
      {"Binding with other_realm, IPv4", client, At("10.90.1.5:3478"), plain, 20, 56},
      {"Binding with other_realm, IPv6", client6, At("[fd90:1::5]:3478"), plain, 20, 92},
      {"Binding with PADDING and other_realm, IPv4", client, At("10.90.1.5:3478"), padding, 1024, 1060},
  };
  for (const Amplification& row : rows) {
    SCOPED_TRACE(row.request);
    DataplaneBench bench;
    bench.Receive(kPublic, row.from, row.to, row.message);
    bench.Run();
    const auto sent = bench.Sent(kPublic);
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(row.message.size(), row.request_bytes);
    EXPECT_EQ(sent[0].payload.size(), row.response_bytes);
  }
}

}  // namespace
}  // namespace linegate::test
