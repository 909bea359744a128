#pragma once
#include <string>

namespace linegate::test {

/// A captured description, tests/data/sdp/`name`.sdp.
std::string ReadSdp(const std::string& name);

/// Every `from` replaced by `to`; it is an error of the test if there is none.
std::string Replace(std::string text, const std::string& from, const std::string& to);

}  // namespace linegate::test
