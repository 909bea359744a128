#include "tests/support/sdp_data.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace linegate::test {

std::string ReadSdp(const std::string& name) {
  std::ifstream file(std::string(LINEGATE_TEST_DATA) + "/sdp/" + name + ".sdp", std::ios::binary);
  EXPECT_TRUE(file.good()) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string Replace(std::string text, const std::string& from, const std::string& to) {
  size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  for (; at != std::string::npos; at = text.find(from, at + to.size())) text.replace(at, from.size(), to);
  return text;
}

}  // namespace linegate::test
