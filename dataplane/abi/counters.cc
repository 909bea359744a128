#include "dataplane/abi/counters.h"

namespace linegate::abi {

const CounterInfo kCounterInfo[] = {
#define LG_COUNTER(symbol, id, name, text) {id, name, text, ""},
#include "dataplane/abi/counters.def"
#undef LG_COUNTER
};
const uint32_t kCounterInfoCount = sizeof kCounterInfo / sizeof kCounterInfo[0];
static_assert(sizeof kCounterInfo / sizeof kCounterInfo[0] <= kMaxCounters);

const CounterInfo kDropReasonInfo[] = {
#define LG_DROP(symbol, id, name, text, reference) {id, name, text, reference},
#include "dataplane/abi/drop_reason.def"
#undef LG_DROP
};
const uint32_t kDropReasonInfoCount = sizeof kDropReasonInfo / sizeof kDropReasonInfo[0];
static_assert(sizeof kDropReasonInfo / sizeof kDropReasonInfo[0] <= kMaxDropReasons);

}  // namespace linegate::abi
