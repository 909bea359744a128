#include "controlplane/ops/ctl_format.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace linegate::ops {
namespace {

using nlohmann::json;

TEST(CtlFormat, ListIsATableWithTheTellingColumnsFirst) {
  const json flows = json::parse(
      R"([{"received_pkts":5,"leg":2,"call":1},{"call":10,"leg":3,"received_pkts":null,"last":""}])");
  EXPECT_EQ(FormatResult(flows),
            "call  leg  last  received_pkts\n"
            "1     2    -     5\n"
            "10    3    -     -\n");
}

TEST(CtlFormat, EmptyListIsNone) { EXPECT_EQ(FormatResult(json::array()), "none\n"); }

TEST(CtlFormat, NestedListsFollowTheirRow) {
  const json calls = json::parse(R"([{"call":7,"legs":[{"leg":1,"kind":"webrtc"}]}])");
  EXPECT_EQ(FormatResult(calls),
            "call\n"
            "7\n"
            "\n"
            "legs of call 7\n"
            "  leg  kind\n"
            "  1    webrtc\n");
}

TEST(CtlFormat, ObjectIsKeysAndValuesAndKeepsItsZeroes) {
  EXPECT_EQ(FormatResult(json::parse(R"({"calls":0,"dataplane":"up","draining":false})")),
            "calls      0\n"
            "dataplane  up\n"
            "draining   no\n");
}

TEST(CtlFormat, CounterSectionsLeaveZeroesOut) {
  EXPECT_EQ(FormatResult(json::parse(R"({"packets":{"bad_tag":3,"replayed":0},"signalling":{"refused":0}})")),
            "packets\n"
            "  bad_tag  3\n"
            "\n"
            "signalling\n"
            "  none\n");
}

TEST(CtlFormat, ControlCharactersNeverReachTheTerminal) {
  EXPECT_EQ(FormatResult(json{{"aor", "a\x1b[31m\r\n"}}), "aor  a?[31m??\n");
}

}  // namespace
}  // namespace linegate::ops
