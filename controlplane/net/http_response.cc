#include "controlplane/net/http_response.h"

namespace linegate::net {

std::string_view HttpReason(unsigned status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    default:
      return "Error";
  }
}

std::string FormatHttpResponseHead(const HttpResponseHead& head) {
  std::string text = "HTTP/1.1 " + std::to_string(head.status) + " ";
  text += HttpReason(head.status);
  text += "\r\nServer: Linegate\r\nContent-Length: " + std::to_string(head.content_length) + "\r\n";
  if (!head.content_type.empty()) {
    text += "Content-Type: ";
    text += head.content_type;
    text += "\r\n";
  }
  text +=
      "Cache-Control: no-cache\r\n"
      "Content-Security-Policy: default-src 'self'; connect-src 'self' wss:; media-src 'self' blob: "
      "mediastream:; "
      "img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors "
      "'none'\r\n"
      "Permissions-Policy: microphone=(self), camera=(self)\r\n"
      "Referrer-Policy: no-referrer\r\n"
      "X-Content-Type-Options: nosniff\r\n";
  text += head.extra_fields;
  text += head.connection == HttpResponseHead::Connection::kClose ? "Connection: close\r\n\r\n"
                                                                  : "Connection: keep-alive\r\n\r\n";
  return text;
}

}  // namespace linegate::net
