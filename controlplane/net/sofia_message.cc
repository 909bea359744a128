#include "controlplane/net/sofia_message.h"

#include <sofia-sip/msg_header.h>
#include <sofia-sip/sip_parser.h>
#include <sofia-sip/su_alloc.h>

#include <string_view>

namespace linegate::net {

SofiaMessage ToSofia(const std::string& bytes) {
  SofiaMessage message(
      msg_make(sip_default_mclass(), MSG_DO_EXTRACT_COPY, bytes.data(), ssize_t(bytes.size())));
  if (!message) return nullptr;
  const sip_t* const parsed = sip_object(message.get());
  const bool sound = parsed != nullptr && (parsed->sip_flags & MSG_FLG_ERROR) == 0 &&
                     (parsed->sip_request != nullptr || parsed->sip_status != nullptr) &&
                     parsed->sip_from != nullptr && parsed->sip_to != nullptr &&
                     parsed->sip_call_id != nullptr && parsed->sip_cseq != nullptr;
  return sound ? std::move(message) : nullptr;
}

sip::ParseResult FromSofia(const sip_t& message, const sip::WireLimits& limits) {
  const auto* const first = message.sip_request != nullptr
                                ? reinterpret_cast<const sip_header_t*>(message.sip_request)
                                : reinterpret_cast<const sip_header_t*>(message.sip_status);
  if (first == nullptr) return MakeUnexpected(sip::ParseError{400, "Bad Start Line", std::nullopt});
  std::string bytes;
  for (const sip_header_t* header = first; header != nullptr;
       header = reinterpret_cast<const sip_header_t*>(header->sh_succ)) {
    const msg_hclass_t* const kind = header->sh_class;
    if (kind == sip_separator_class || kind == sip_payload_class || kind == sip_via_class) continue;
    // Further elements of one line stand in the chain with no bytes of their own.
    if (header->sh_len > 0) bytes.append(static_cast<const char*>(header->sh_data), header->sh_len);
    if (header != first) continue;
    for (const std::string& via : ViasOf(message)) bytes.append("Via: ").append(via).append("\r\n");
  }
  bytes.append("\r\n");
  if (message.sip_payload != nullptr) bytes.append(message.sip_payload->pl_data, message.sip_payload->pl_len);
  return sip::SplitMessage(bytes, limits);
}

std::vector<std::string> ViasOf(const sip_t& message) {
  std::vector<std::string> vias;
  for (const sip_via_t* via = message.sip_via; via != nullptr; via = via->v_next) {
    su_home_t home[1] = {SU_HOME_INIT(home)};
    const char* const text = sip_header_as_string(home, reinterpret_cast<const sip_header_t*>(via));
    if (text != nullptr) vias.emplace_back(text);
    su_home_deinit(home);
  }
  return vias;
}

}  // namespace linegate::net
