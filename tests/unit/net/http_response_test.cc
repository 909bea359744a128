#include "controlplane/net/http_response.h"

#include <gmock/gmock.h>

namespace linegate::net {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST(HttpResponse, CarriesLengthTypeAndEnd) {
  HttpResponseHead head;
  head.content_type = "text/html";
  head.content_length = 7;
  const std::string text = FormatHttpResponseHead(head);
  EXPECT_THAT(text, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(text, HasSubstr("\r\nContent-Length: 7\r\n"));
  EXPECT_THAT(text, HasSubstr("\r\nContent-Type: text/html\r\n"));
  EXPECT_THAT(text, EndsWith("Connection: keep-alive\r\n\r\n"));
}

TEST(HttpResponse, ProtectsThePageWithoutHsts) {
  const std::string text = FormatHttpResponseHead({});
  EXPECT_THAT(text, HasSubstr("\r\nContent-Security-Policy: default-src 'self';"));
  EXPECT_THAT(text, HasSubstr("\r\nX-Content-Type-Options: nosniff\r\n"));
  EXPECT_THAT(text, HasSubstr("\r\nCache-Control: no-cache\r\n"));
  EXPECT_THAT(text, Not(HasSubstr("Strict-Transport-Security")));
}

TEST(HttpResponse, ExtraFieldsStandInTheHead) {
  HttpResponseHead head;
  head.status = 405;
  head.extra_fields = "Allow: GET, HEAD\r\n";
  head.connection = HttpResponseHead::Connection::kClose;
  EXPECT_THAT(FormatHttpResponseHead(head), EndsWith("Allow: GET, HEAD\r\nConnection: close\r\n\r\n"));
}

}  // namespace
}  // namespace linegate::net
