#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace linegate::ops {

/// How linegatectl shows a result to people: a list of objects as a table (nested lists below it), an object
/// as lines of "key  value" (nested objects as sections), "none" for an empty list. Zeroes of counter
/// sections are left out.
std::string FormatResult(const nlohmann::json& result);

}  // namespace linegate::ops
