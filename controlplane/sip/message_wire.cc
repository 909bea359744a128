#include "controlplane/sip/message_wire.h"

#include <utility>

#include "controlplane/sip/sip_text.h"

namespace linegate::sip {
namespace {

constexpr std::string_view kVersion = "SIP/2.0";

/// RFC 3261 section 25.1 `token`.
bool IsToken(std::string_view text) {
  constexpr std::string_view kMarks = "-.!%*_+`'~";
  if (text.empty()) return false;
  for (const char c : text) {
    const bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!alphanumeric && kMarks.find(c) == std::string_view::npos) return false;
  }
  return true;
}

/// Folded lines become one: each line break with the blanks around it is one space (RFC 3261 section 7.3.1).
std::string Unfold(std::string_view value) {
  std::string result;
  result.reserve(value.size());
  for (size_t i = 0; i < value.size(); ++i) {
    if (value[i] != '\r' && value[i] != '\n') {
      result.push_back(value[i]);
      continue;
    }
    while (!result.empty() && (result.back() == ' ' || result.back() == '\t')) result.pop_back();
    while (i + 1 < value.size() && std::string_view(" \t\r\n").find(value[i + 1]) != std::string_view::npos)
      ++i;
    result.push_back(' ');
  }
  return result;
}

/// Works through one message; what it has understood when it fails is what an answer can be built from.
class Splitter {
 public:
  Splitter(std::string_view bytes, const WireLimits& limits) : rest_(bytes), limits_(limits) {}

  ParseResult Run() {
    if (rest_.size() > limits_.message_bytes) {
      rest_ = rest_.substr(0, limits_.message_bytes);
      Refuse(513, "Message Too Large");
    }
    // RFC 3261 section 7.5: empty lines before the start line are skipped.
    while (rest_.starts_with("\r\n")) rest_.remove_prefix(2);
    if (StartLine() && Headers()) Body();
    Complete();
    if (status_ == 0) return std::move(parsed_);
    return MakeUnexpected(Error());
  }

 private:
  void Refuse(int status, std::string reason) {
    if (status_ == 0) status_ = status, reason_ = std::move(reason);
  }

  /// Next line without its CRLF; nullopt at the end of the bytes.
  std::optional<std::string_view> Line() {
    const size_t end = rest_.find("\r\n");
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(end + 2);
    return line;
  }

  bool StartLine() {
    const auto line = Line();
    if (!line) return Refuse(400, "No Start Line"), false;
    if (line->find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos) {
      return Refuse(400, "Bad Start Line"), false;
    }
    const size_t first = line->find(' ');
    const size_t second = first == std::string_view::npos ? first : line->find(' ', first + 1);
    if (second == std::string_view::npos) return Refuse(400, "Bad Start Line"), false;
    const std::string_view a = line->substr(0, first), b = line->substr(first + 1, second - first - 1);
    const std::string_view c = line->substr(second + 1);
    return a.starts_with("SIP/") ? StatusLine(a, b, c) : RequestLine(a, b, c, line->size());
  }

  bool StatusLine(std::string_view version, std::string_view code, std::string_view reason) {
    const auto status = ParseNumber(code, 699);
    if (!EqualsIgnoreCase(version, kVersion) || code.size() != 3 || !status || *status < 100) {
      return Refuse(400, "Bad Status Line"), false;
    }
    parsed_.message.status = int(*status);
    parsed_.message.reason = std::string(reason);
    return true;
  }

  bool RequestLine(std::string_view method, std::string_view uri, std::string_view version,
                   size_t line_bytes) {
    // Blanks around or inside the URI make more than three words (RFC 4475 sections 3.1.2.2 and 3.1.2.7).
    if (!IsToken(method) || uri.empty() || !version.starts_with("SIP/") ||
        version.find(' ') != std::string_view::npos) {
      return Refuse(400, "Bad Request Line"), false;
    }
    parsed_.message.method = std::string(method);
    if (line_bytes > limits_.header_line_bytes) {
      Refuse(414, "Request-URI Too Long");
    } else {
      parsed_.message.request_uri = std::string(uri);
    }
    if (!EqualsIgnoreCase(version, kVersion)) Refuse(505, "Version Not Supported");
    return true;
  }

  /// True when the empty line at the end was reached and framing can be trusted.
  bool Headers() {
    size_t count = 0;
    for (;;) {
      const size_t start_size = rest_.size();
      const char* const start = rest_.data();
      auto line = Line();
      if (!line) return Refuse(400, "Header Not Ended"), false;
      if (line->empty()) return true;
      while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t')) {  // folded
        if (!Line()) return Refuse(400, "Header Not Ended"), false;
      }
      const std::string_view field(start, start_size - rest_.size() - 2);
      if (++count > limits_.headers) return Refuse(400, "Too Many Header Fields"), false;
      if (field.size() > limits_.header_line_bytes) {
        Refuse(400, "Header Field Too Long");
      } else if (!Field(field)) {
        Refuse(400, "Bad Header Field");
      }
    }
  }

  bool Field(std::string_view field) {
    const size_t colon = field.find(':');
    if (colon == std::string_view::npos) return false;
    const std::string_view raw_name = field.substr(0, colon);
    // Blanks between name and colon are allowed (RFC 3261 section 7.3.1), in front of the name they are not.
    if (!IsToken(Trim(raw_name)) || raw_name.front() == ' ' || raw_name.front() == '\t') return false;
    if (raw_name.find_first_of("\r\n") != std::string_view::npos) return false;
    const std::string_view raw_value = field.substr(colon + 1);
    for (size_t i = 0; i < raw_value.size(); ++i) {
      if (raw_value[i] == '\0') return false;
      if (raw_value[i] == '\n') return false;
      if (raw_value[i] == '\r' && (i + 2 >= raw_value.size() || raw_value[++i] != '\n')) return false;
    }
    const std::string_view name = ExpandCompactName(Trim(raw_name));
    std::string value = Unfold(Trim(raw_value));
    if (EqualsIgnoreCase(name, "Via")) {
      parsed_.vias.push_back(std::move(value));
    } else if (EqualsIgnoreCase(name, "Content-Length")) {
      const auto length = ParseNumber(value, 0xffffffff);
      if (!length || content_length_) return Refuse(400, "Bad Content-Length"), true;
      content_length_ = size_t(*length);
    } else {
      parsed_.message.headers.push_back({std::string(name), std::move(value)});
    }
    return true;
  }

  void Body() {
    const size_t length = content_length_.value_or(rest_.size());
    if (length > rest_.size()) return Refuse(400, "Message Shorter Than Content-Length");
    if (length < rest_.size()) return Refuse(400, "Bytes After The Message");
    parsed_.message.body = std::string(rest_);
  }

  /// Mandatory headers and the topmost Via; also decides whether a refused request can be answered.
  void Complete() {
    const Message& message = parsed_.message;
    answerable_ = !message.method.empty() && message.method != "ACK";
    for (const char* name : {"From", "To", "Call-ID", "CSeq"}) {
      if (message.Has(name)) continue;
      answerable_ = false;
      Refuse(400, std::string("Missing ") + name);
    }
    const auto elements =
        parsed_.vias.empty() ? std::vector<std::string_view>() : SplitCommas(parsed_.vias.front());
    const auto via = elements.empty() ? std::nullopt : ParseVia(elements.front());
    if (!via) {
      answerable_ = false;
      return Refuse(400, "Bad Via");
    }
    parsed_.top_via = *via;
    const auto cseq = ParseCSeq(message.Get("CSeq").value_or(""));
    if (!cseq) return Refuse(400, "Bad CSeq");
    if (message.is_request() && cseq->method != message.method) return Refuse(400, "CSeq Method Mismatch");
    if (message.is_request() && !message.Has("Max-Forwards")) parsed_.message.Add("Max-Forwards", "70");
  }

  ParseError Error() {
    ParseError error{status_, std::move(reason_), std::nullopt};
    if (answerable_) error.request = std::move(parsed_);
    return error;
  }

  std::string_view rest_;
  const WireLimits& limits_;
  ParsedMessage parsed_;
  std::optional<size_t> content_length_;
  int status_ = 0;  ///< of the refusal; 0: none so far
  std::string reason_;
  bool answerable_ = false;
};

}  // namespace

ParseResult SplitMessage(std::string_view bytes, const WireLimits& limits) {
  return Splitter(bytes, limits).Run();
}

std::string Serialise(const Message& message, const std::vector<std::string>& vias) {
  size_t size = 128 + message.request_uri.size() + message.reason.size() + message.body.size();
  for (const std::string& via : vias) size += via.size() + 8;
  for (const HeaderField& field : message.headers) size += field.name.size() + field.value.size() + 4;
  std::string bytes;
  bytes.reserve(size);
  if (message.is_request()) {
    bytes.append(message.method).append(" ").append(message.request_uri).append(" SIP/2.0\r\n");
  } else {
    bytes.append("SIP/2.0 ")
        .append(std::to_string(message.status))
        .append(" ")
        .append(message.reason)
        .append("\r\n");
  }
  for (const std::string& via : vias) bytes.append("Via: ").append(via).append("\r\n");
  for (const HeaderField& field : message.headers) {
    bytes.append(field.name).append(": ").append(field.value).append("\r\n");
  }
  bytes.append("Content-Length: ").append(std::to_string(message.body.size())).append("\r\n\r\n");
  bytes.append(message.body);
  return bytes;
}

Message MakeResponse(const Message& request, int status, std::string_view reason) {
  Message response;
  response.status = status;
  response.reason = std::string(reason);
  for (const char* name : {"From", "To", "Call-ID", "CSeq", "Timestamp"}) {
    if (status != 100 && name == std::string_view("Timestamp")) continue;
    if (const auto value = request.Get(name)) response.Add(name, std::string(*value));
  }
  return response;
}

std::string InviteIdentity(const Message& message) {
  const auto cseq = ParseCSeq(message.Get("CSeq").value_or(""));
  return std::string(message.Get("Call-ID").value_or("")) + "\n" + std::to_string(cseq ? cseq->number : 0) +
         "\n" + std::string(GetTag(message.Get("From").value_or("")).value_or(""));
}

Message MakeCompanion(const Message& invite, std::string_view method, std::string_view to) {
  Message request;
  request.method = std::string(method);
  request.request_uri = invite.request_uri;
  for (const std::string_view route : invite.GetAll("Route")) request.Add("Route", std::string(route));
  request.Add("Max-Forwards", "70");
  request.Add("From", std::string(invite.Get("From").value_or("")));
  request.Add("To", std::string(to));
  request.Add("Call-ID", std::string(invite.Get("Call-ID").value_or("")));
  const auto cseq = ParseCSeq(invite.Get("CSeq").value_or(""));
  request.Add("CSeq", std::to_string(cseq ? cseq->number : 0) + " " + std::string(method));
  return request;
}

std::optional<TopVia> ParseVia(std::string_view element) {
  // sent-protocol = name SLASH version SLASH transport, blanks allowed around each slash (RFC 3261
  // section 25.1).
  element = Trim(element);
  const size_t first = element.find('/');
  const size_t second = first == std::string_view::npos ? first : element.find('/', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  if (!EqualsIgnoreCase(Trim(element.substr(0, first)), "SIP")) return std::nullopt;
  if (Trim(element.substr(first + 1, second - first - 1)) != "2.0") return std::nullopt;
  const std::string_view rest = Trim(element.substr(second + 1));
  const size_t blank = rest.find_first_of(" \t");
  if (blank == std::string_view::npos) return std::nullopt;
  const std::string_view sent_by = WithoutParams(rest.substr(blank));
  if (!IsToken(rest.substr(0, blank)) || sent_by.empty()) return std::nullopt;
  return TopVia{std::string(rest.substr(0, blank)), std::string(sent_by),
                std::string(GetParam(element, "branch").value_or(""))};
}

}  // namespace linegate::sip
