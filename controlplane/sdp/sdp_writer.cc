#include "controlplane/sdp/sdp_writer.h"

namespace linegate::sdp {
namespace {

void WriteLine(std::string& out, char type, std::string_view value) {
  out.push_back(type);
  out.append("=").append(value).append("\r\n");
}

std::string OriginValue(const Origin& origin) {
  return origin.username + " " + std::to_string(origin.session_id) + " " +
         std::to_string(origin.session_version) + " IN " + origin.address_type + " " + origin.address;
}

std::string MediaValue(const MediaSection& media) {
  std::string value = media.kind + " " + std::to_string(media.port);
  if (media.port_count) value += "/" + std::to_string(*media.port_count);
  value += " " + media.protocol;
  for (const std::string& format : media.formats) value += " " + format;
  return value;
}

}  // namespace

std::string Write(const SessionDescription& description) {
  std::string out = "v=0\r\n";
  WriteLine(out, 'o', OriginValue(description.origin));
  if (!description.First('s')) WriteLine(out, 's', "-");
  // Session lines in RFC 8866 order: everything that is not t=, k= or a= stands before t=.
  bool has_time = description.First('t').has_value();
  for (const Line& line : description.lines) {
    if (!has_time && (line.type == 'a' || line.type == 'k')) {
      WriteLine(out, 't', "0 0");
      has_time = true;
    }
    WriteLine(out, line.type, line.value);
  }
  if (!has_time) WriteLine(out, 't', "0 0");
  for (const MediaSection& media : description.media) {
    WriteLine(out, 'm', MediaValue(media));
    for (const Line& line : media.lines) WriteLine(out, line.type, line.value);
  }
  return out;
}

}  // namespace linegate::sdp
