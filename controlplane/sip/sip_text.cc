#include "controlplane/sip/sip_text.h"

#include <algorithm>
#include <array>
#include <utility>

#include "dataplane/base/net_address.h"

namespace linegate::sip {
namespace {

constexpr char Lower(char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; }
constexpr bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = Lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/// Walks a header value and tells for each character whether it separates, i.e. stands outside quoted strings
/// (RFC 3261 section 25.1, with quoted-pair) and outside <>. Quotes mean nothing inside <>: a URI has none.
class SeparatorScan {
 public:
  bool Separates(char c) {
    if (escaped_) {
      escaped_ = false;
      return false;
    }
    if (quoted_) {
      if (c == '\\') escaped_ = true;
      if (c == '"') quoted_ = false;
      return false;
    }
    if (angle_) {
      if (c == '>') angle_ = false;
      return false;
    }
    if (c == '"') quoted_ = true;
    if (c == '<') angle_ = true;
    return !quoted_ && !angle_;
  }

 private:
  bool quoted_ = false, angle_ = false, escaped_ = false;
};

/// Position of the first `wanted` outside quotes and <> at or after `from` (which must itself be outside), or
/// npos.
size_t FindOutside(std::string_view text, char wanted, size_t from) {
  SeparatorScan scan;
  for (size_t i = from; i < text.size(); ++i) {
    if (scan.Separates(text[i]) && text[i] == wanted) return i;
  }
  return std::string_view::npos;
}

/// Position of the '<' that opens the URI of a name-addr: the first one outside a quoted display name; or
/// npos.
size_t FindOpenAngle(std::string_view text) {
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (quoted && text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      quoted = !quoted;
    } else if (text[i] == '<' && !quoted) {
      return i;
    }
  }
  return std::string_view::npos;
}

/// One parameter with the place where it stands, for editing.
struct PlacedParam {
  Param param;
  size_t begin;  ///< of the ';'
  size_t end;    ///< of the next ';' or the end of the text
};

std::vector<PlacedParam> PlacedParams(std::string_view value) {
  std::vector<PlacedParam> result;
  size_t begin = FindOutside(value, ';', 0);
  while (begin != std::string_view::npos) {
    const size_t next = FindOutside(value, ';', begin + 1);
    const size_t end = next == std::string_view::npos ? value.size() : next;
    const std::string_view text = value.substr(begin + 1, end - begin - 1);
    const size_t equals = FindOutside(text, '=', 0);
    Param param{Trim(text.substr(0, equals)), std::nullopt};
    if (equals != std::string_view::npos) param.value = Trim(text.substr(equals + 1));
    if (!param.name.empty()) result.push_back({param, begin, end});
    begin = next;
  }
  return result;
}

/// The URI's own parameters are separated by plain ';' (no quoting inside a URI).
std::optional<std::string_view> FindUriParam(std::string_view params, std::string_view name) {
  while (!params.empty()) {
    params.remove_prefix(1);  // the ';'
    const size_t end = params.find(';');
    const std::string_view param = params.substr(0, end);
    const size_t equals = param.find('=');
    if (EqualsIgnoreCase(param.substr(0, equals), name)) {
      return equals == std::string_view::npos ? std::string_view() : param.substr(equals + 1);
    }
    params = end == std::string_view::npos ? std::string_view() : params.substr(end);
  }
  return std::nullopt;
}

bool IsScheme(std::string_view text) {
  const auto alpha = [](char c) { return Lower(c) >= 'a' && Lower(c) <= 'z'; };
  return !text.empty() && alpha(text[0]) && std::all_of(text.begin(), text.end(), [alpha](char c) {
    return alpha(c) || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
  });
}

/// host[:port] with [IPv6]. False when malformed.
bool ParseHostPort(std::string_view text, Uri& uri) {
  size_t host_end;
  if (!text.empty() && text[0] == '[') {
    const size_t close = text.find(']');
    if (close == std::string_view::npos) return false;
    host_end = close + 1;
  } else {
    host_end = std::min(text.find(':'), text.size());
  }
  uri.host = text.substr(0, host_end);
  if (uri.host.empty()) return false;
  if (host_end == text.size()) return true;
  if (text[host_end] != ':') return false;
  const auto port = ParseNumber(text.substr(host_end + 1), 65535);
  if (!port) return false;
  uri.port = uint16_t(*port);
  return true;
}

}  // namespace

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return Lower(x) == Lower(y); });
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && IsBlank(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsBlank(text.back())) text.remove_suffix(1);
  return text;
}

std::optional<uint64_t> ParseNumber(std::string_view text, uint64_t max) {
  if (text.empty() || text.size() > 19) return std::nullopt;
  uint64_t number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + uint64_t(c - '0');
  }
  if (number > max) return std::nullopt;
  return number;
}

std::string_view ExpandCompactName(std::string_view name) {
  // The registered compact forms (IANA "Header Fields" of "Session Initiation Protocol (SIP) Parameters").
  static constexpr std::array<std::pair<char, std::string_view>, 20> kCompact = {{
      {'a', "Accept-Contact"},
      {'b', "Referred-By"},
      {'c', "Content-Type"},
      {'d', "Request-Disposition"},
      {'e', "Content-Encoding"},
      {'f', "From"},
      {'i', "Call-ID"},
      {'j', "Reject-Contact"},
      {'k', "Supported"},
      {'l', "Content-Length"},
      {'m', "Contact"},
      {'n', "Identity-Info"},
      {'o', "Event"},
      {'r', "Refer-To"},
      {'s', "Subject"},
      {'t', "To"},
      {'u', "Allow-Events"},
      {'v', "Via"},
      {'x', "Session-Expires"},
      {'y', "Identity"},
  }};
  if (name.size() != 1) return name;
  for (const auto& [letter, full] : kCompact) {
    if (Lower(name[0]) == letter) return full;
  }
  return name;
}

std::optional<std::string> PercentDecode(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = HexDigit(text[i + 1]), low = HexDigit(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      c = char(high * 16 + low);
      i += 2;
    }
    if (c == '\0' || c == '\r' || c == '\n') return std::nullopt;
    result.push_back(c);
  }
  return result;
}

std::vector<std::string_view> SplitCommas(std::string_view value) {
  std::vector<std::string_view> elements;
  SeparatorScan scan;
  size_t begin = 0;
  for (size_t i = 0; i <= value.size(); ++i) {
    if (i < value.size() && !(scan.Separates(value[i]) && value[i] == ',')) continue;
    const std::string_view element = Trim(value.substr(begin, i - begin));
    if (!element.empty()) elements.push_back(element);
    begin = i + 1;
  }
  return elements;
}

std::vector<std::string_view> ListValues(const Message& message, std::string_view name) {
  std::vector<std::string_view> elements;
  for (const std::string_view value : message.GetAll(name)) {
    for (const std::string_view element : SplitCommas(value)) elements.push_back(element);
  }
  return elements;
}

bool ListHas(const Message& message, std::string_view name, std::string_view token) {
  const auto elements = ListValues(message, name);
  return std::any_of(elements.begin(), elements.end(), [token](std::string_view element) {
    return EqualsIgnoreCase(WithoutParams(element), token);
  });
}

std::string WithoutTokens(std::string_view value, const std::vector<std::string_view>& tokens) {
  const auto unwanted = [&tokens](std::string_view element) {
    return std::any_of(tokens.begin(), tokens.end(),
                       [element](std::string_view token) { return EqualsIgnoreCase(element, token); });
  };
  const auto elements = SplitCommas(value);
  if (std::none_of(elements.begin(), elements.end(), unwanted)) return std::string(value);
  std::string result;
  for (const std::string_view element : elements) {
    if (unwanted(element)) continue;
    if (!result.empty()) result += ", ";
    result += element;
  }
  return result;
}

std::vector<Param> Params(std::string_view header_value) {
  std::vector<Param> params;
  for (const PlacedParam& placed : PlacedParams(header_value)) params.push_back(placed.param);
  return params;
}

std::optional<std::string_view> GetParam(std::string_view header_value, std::string_view name) {
  for (const PlacedParam& placed : PlacedParams(header_value)) {
    if (EqualsIgnoreCase(placed.param.name, name)) return placed.param.value.value_or(std::string_view());
  }
  return std::nullopt;
}

std::string SetParam(std::string_view header_value, std::string_view name, std::string_view value) {
  std::string param = ";" + std::string(name);
  if (!value.empty()) param += "=" + std::string(value);
  for (const PlacedParam& placed : PlacedParams(header_value)) {
    if (!EqualsIgnoreCase(placed.param.name, name)) continue;
    return std::string(header_value.substr(0, placed.begin)) + param +
           std::string(header_value.substr(placed.end));
  }
  return std::string(header_value) + param;
}

std::string RemoveParam(std::string_view header_value, std::string_view name) {
  std::string result;
  size_t kept_from = 0;
  for (const PlacedParam& placed : PlacedParams(header_value)) {
    if (!EqualsIgnoreCase(placed.param.name, name)) continue;
    result += header_value.substr(kept_from, placed.begin - kept_from);
    kept_from = placed.end;
  }
  result += header_value.substr(kept_from);
  return result;
}

std::string_view WithoutParams(std::string_view header_value) {
  return Trim(header_value.substr(0, FindOutside(header_value, ';', 0)));
}

std::optional<NameAddr> ParseNameAddr(std::string_view element) {
  element = Trim(element);
  if (element.empty()) return std::nullopt;
  NameAddr result;
  const size_t params = FindOutside(element, ';', 0);
  if (params != std::string_view::npos) result.params = element.substr(params);
  const std::string_view head = Trim(element.substr(0, params));
  const size_t open = FindOpenAngle(head);
  if (open == std::string_view::npos) {
    result.uri = head;
    return head.empty() ? std::nullopt : std::optional(result);
  }
  const size_t close = head.find('>', open);
  if (close == std::string_view::npos || close + 1 != head.size()) return std::nullopt;
  result.display = Trim(head.substr(0, open));
  result.uri = Trim(head.substr(open + 1, close - open - 1));
  return result.uri.empty() ? std::nullopt : std::optional(result);
}

std::string WithUri(std::string_view element, std::string_view uri) {
  const auto parsed = ParseNameAddr(element);
  std::string result;
  if (parsed && !parsed->display.empty()) result = std::string(parsed->display) + " ";
  result += "<" + std::string(uri) + ">";
  if (parsed) result += parsed->params;
  return result;
}

std::optional<std::string_view> GetTag(std::string_view from_or_to) { return GetParam(from_or_to, "tag"); }

std::optional<Uri> ParseUri(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos || !IsScheme(text.substr(0, colon))) return std::nullopt;
  Uri uri;
  uri.scheme = text.substr(0, colon);
  std::string_view rest = text.substr(colon + 1);
  if (!uri.is_sip()) {
    uri.user = rest;
    return uri;
  }
  // The user part may hold ';' and '?' (RFC 3261 section 25.1 user-unreserved), so '@' is looked for first;
  // it cannot stand unescaped anywhere else before the headers.
  if (const size_t at = rest.find('@'); at != std::string_view::npos) {
    const std::string_view userinfo = rest.substr(0, at);
    uri.user = userinfo.substr(0, userinfo.find(':'));
    if (uri.user.empty()) return std::nullopt;
    rest.remove_prefix(at + 1);
  }
  if (const size_t question = rest.find('?'); question != std::string_view::npos) {
    uri.headers = rest.substr(question + 1);
    rest = rest.substr(0, question);
  }
  if (const size_t semicolon = rest.find(';'); semicolon != std::string_view::npos) {
    uri.params = rest.substr(semicolon);
    rest = rest.substr(0, semicolon);
  }
  if (!ParseHostPort(rest, uri)) return std::nullopt;
  return uri;
}

std::optional<std::string_view> GetUriParam(std::string_view uri, std::string_view name) {
  const auto parsed = ParseUri(uri);
  return parsed ? FindUriParam(parsed->params, name) : std::nullopt;
}

bool SameHost(std::string_view a, std::string_view b) {
  const auto address = [](std::string_view host) {
    if (host.size() >= 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
    return IpAddress::Parse(host);
  };
  if (const auto address_a = address(a)) return address_a == address(b);
  return EqualsIgnoreCase(a, b);
}

std::optional<CSeq> ParseCSeq(std::string_view value) {
  value = Trim(value);
  const size_t blank = value.find_first_of(" \t");
  if (blank == std::string_view::npos) return std::nullopt;
  const auto number = ParseNumber(value.substr(0, blank), 0x7fffffff);
  const std::string_view method = Trim(value.substr(blank));
  if (!number || method.empty() || method.find_first_of(" \t") != std::string_view::npos) return std::nullopt;
  return CSeq{uint32_t(*number), method};
}

}  // namespace linegate::sip
