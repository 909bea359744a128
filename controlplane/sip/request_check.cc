#include "controlplane/sip/request_check.h"

#include "controlplane/sip/dialog.h"
#include "controlplane/sip/sip_text.h"

namespace linegate::sip {

std::optional<Defect> FindDefect(const Message& request, const B2buaLimits& limits) {
  if (request.headers.size() > limits.max_headers)
    return Defect{513, "Too Many Headers", &B2buaCounters::oversized};
  for (const HeaderField& field : request.headers)
    if (field.value.size() > limits.max_header_value_bytes)
      return Defect{513, "Header Too Long", &B2buaCounters::oversized};
  const auto from = request.Get("From");
  const auto cseq = ParseCSeq(request.Get("CSeq").value_or(""));
  const bool complete = from && GetTag(*from) && ParseNameAddr(*from) && request.Get("To") &&
                        ParseNameAddr(*request.Get("To")) && !request.Get("Call-ID").value_or("").empty();
  if (!complete || !cseq || cseq->method != request.method)
    return Defect{400, "Missing Or Malformed Header", &B2buaCounters::malformed};
  for (const std::string_view singleton : {"From", "To", "Call-ID", "CSeq", "Max-Forwards"})
    if (request.GetAll(singleton).size() > 1)
      return Defect{400, "Repeated Header", &B2buaCounters::malformed};
  if (request.method == "INVITE" && ContactUri(request).empty())
    return Defect{400, "Missing Contact", &B2buaCounters::malformed};
  return std::nullopt;
}

}  // namespace linegate::sip
