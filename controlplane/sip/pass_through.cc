#include "controlplane/sip/pass_through.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "controlplane/sip/digest.h"
#include "controlplane/sip/sip_text.h"

namespace linegate::sip {
namespace {

constexpr std::pair<std::string_view, Treatment> kTreatments[] = {
    {"Via", Treatment::kOwn},
    {"From", Treatment::kOwn},
    {"To", Treatment::kOwn},
    {"Call-ID", Treatment::kOwn},
    {"CSeq", Treatment::kOwn},
    {"Contact", Treatment::kOwn},
    {"Route", Treatment::kOwn},
    {"Record-Route", Treatment::kOwn},
    {"Max-Forwards", Treatment::kOwn},
    {"Content-Length", Treatment::kOwn},
    {"Proxy-Require", Treatment::kOwn},
    // RFC 3327, 3608, 5626: they describe the path between registrar and browser, which ends here.
    {"Path", Treatment::kOwn},
    {"Service-Route", Treatment::kOwn},
    {"Flow-Timer", Treatment::kOwn},
    // RFC 3262: reliable provisional responses are numbered per early dialog, and the caller sees only one.
    {"RSeq", Treatment::kOwn},
    {"RAck", Treatment::kOwn},
    {"Replaces", Treatment::kReference},
    {"Join", Treatment::kReference},
    {"Target-Dialog", Treatment::kReference},
    {"Refer-To", Treatment::kReference},
    {"In-Reply-To", Treatment::kReference},
    {"Supported", Treatment::kOptions},
    {"Require", Treatment::kOptions},
    {"Authorization", Treatment::kCredential},
    {"Proxy-Authorization", Treatment::kCredential},
};

// RFC 5626, 3327, 5627 and 5768: properties of the hop that ends here.
const std::vector<std::string_view> kHopOptions = {"outbound", "path", "gruu", "ice"};

bool IsContentHeader(std::string_view name) {
  return name.size() > 8 && EqualsIgnoreCase(name.substr(0, 8), "Content-");
}

}  // namespace

Treatment TreatmentOf(std::string_view header_name) {
  for (const auto& [name, treatment] : kTreatments)
    if (EqualsIgnoreCase(name, header_name)) return treatment;
  return Treatment::kCopy;
}

void CopyHeaders(const Message& from, Message& to, Credentials credentials) {
  for (const HeaderField& field : from.headers) {
    switch (TreatmentOf(field.name)) {
      case Treatment::kCopy:
        to.headers.push_back(field);
        break;
      case Treatment::kCredential:
        if (credentials == Credentials::kCross) to.headers.push_back(field);
        break;
      case Treatment::kOptions:
        if (std::string kept = WithoutTokens(field.value, kHopOptions); !kept.empty() || field.value.empty())
          to.headers.push_back({field.name, std::move(kept)});
        break;
      case Treatment::kOwn:
      case Treatment::kReference:
        break;
    }
  }
}

BodyKind BodyKindOf(const Message& message) {
  if (message.body.empty()) return BodyKind::kNone;
  const std::string_view type = WithoutParams(message.Get("Content-Type").value_or(""));
  if (EqualsIgnoreCase(type, "application/sdp")) return BodyKind::kSdp;
  if (type.size() > 10 && EqualsIgnoreCase(type.substr(0, 10), "multipart/")) {
    static constexpr std::string_view kSdpType = "application/sdp";
    const auto found =
        std::search(message.body.begin(), message.body.end(), kSdpType.begin(), kSdpType.end(),
                    [](char a, char b) { return (a >= 'A' && a <= 'Z' ? char(a + 32) : a) == b; });
    if (found != message.body.end()) return BodyKind::kMultipartWithSdp;
  }
  return BodyKind::kOther;
}

void SetSdpBody(Message& message, std::string sdp) {
  if (BodyKindOf(message) != BodyKind::kSdp) {
    RemoveBody(message);
    message.Set("Content-Type", "application/sdp");
  }
  message.body = std::move(sdp);
}

void RemoveBody(Message& message) {
  message.body.clear();
  std::erase_if(message.headers, [](const HeaderField& field) { return IsContentHeader(field.name); });
}

void RemoveAuthInt(Message& response) {
  for (HeaderField& field : response.headers)
    if (EqualsIgnoreCase(field.name, "WWW-Authenticate") ||
        EqualsIgnoreCase(field.name, "Proxy-Authenticate"))
      field.value = WithoutAuthInt(field.value);
}

}  // namespace linegate::sip
