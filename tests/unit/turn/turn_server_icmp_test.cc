// ICMP errors about relayed datagrams: RFC 8656 section 11.5.
#include <gtest/gtest.h>

#include "controlplane/turn/turn_server.h"
#include "tests/support/turn_bench.h"

namespace linegate::turn {
namespace {

using test::TurnBench;
using wire::StunAttribute;

const TurnClient kClient = TurnBench::Client(1);
const RelayIcmpError kUnreachable{*Endpoint::Parse("198.51.100.1:5000"), 3, 3, {}};

class TurnServerIcmp : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(bench_.Allocate(kClient), 0);
    bench_.server().ForEachAllocation([this](const AllocationView& view) { id_ = view.id; });
  }
  /// What the client is told; empty: nothing.
  std::vector<uint8_t> Told(AllocationId id, const RelayIcmpError& error) {
    bench_.server().HandleIcmpError(id, error);
    const auto output = bench_.server().PollOutput();
    return output ? std::get<SendToClient>(*output).message : std::vector<uint8_t>();
  }
  TurnBench bench_;
  AllocationId id_;
};

TEST_F(TurnServerIcmp, IsTellingAboutPermittedPeersOnly) {
  EXPECT_TRUE(Told(id_, kUnreachable).empty());
  ASSERT_EQ(bench_.Permit(kClient, {"198.51.100.1"}), 0);
  const auto message = Told(id_, kUnreachable);
  const auto view = wire::StunMessageView::Parse(message);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->message_class(), wire::StunClass::kIndication);
  EXPECT_EQ(view->method(), wire::StunMethod::kData);
  EXPECT_EQ(view->FindXorAddress(StunAttribute::kXorPeerAddress), kUnreachable.peer);
  EXPECT_FALSE(view->Has(StunAttribute::kData));
  const auto icmp = view->Find(StunAttribute::kIcmp);
  ASSERT_TRUE(icmp);
  // Type in 7 bits, code in 9.
  EXPECT_EQ(std::vector<uint8_t>(icmp->begin(), icmp->end()),
            (std::vector<uint8_t>{0, 0, 0x06, 0x03, 0, 0, 0, 0}));
}

TEST_F(TurnServerIcmp, CarriesTheMtu) {
  ASSERT_EQ(bench_.Permit(kClient, {"198.51.100.1"}), 0);
  const auto message = Told(id_, {kUnreachable.peer, 3, 4, {0, 0, 0x05, 0x00}});
  const auto icmp = wire::StunMessageView::Parse(message)->Find(StunAttribute::kIcmp);
  EXPECT_EQ((*icmp)[3], 4);
  EXPECT_EQ((*icmp)[6], 5);
}

TEST_F(TurnServerIcmp, UnknownOrEndedAllocationsAreIgnored) {
  ASSERT_EQ(bench_.Permit(kClient, {"198.51.100.1"}), 0);
  EXPECT_TRUE(Told(AllocationId(99), kUnreachable).empty());
  ASSERT_EQ(bench_.Refresh(kClient, 0), 0);
  EXPECT_TRUE(Told(id_, kUnreachable).empty());
}

}  // namespace
}  // namespace linegate::turn
