#pragma once
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

namespace linegate::sdp::testing {

/// A captured description from tests/data/sdp.
inline std::string ReadSdp(const std::string& name) {
  std::ifstream file(std::string(LINEGATE_TEST_DATA) + "/sdp/" + name + ".sdp", std::ios::binary);
  EXPECT_TRUE(file.good()) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

inline constexpr const char* kCaptures[] = {"chromium_offer_audio",
                                            "chromium_offer_audio_video",
                                            "chromium_offer_audio_video_data",
                                            "firefox_offer_audio",
                                            "baresip_offer",
                                            "baresip_answer"};

inline std::string Replace(std::string text, const std::string& from, const std::string& to) {
  size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  for (; at != std::string::npos; at = text.find(from, at + to.size())) text.replace(at, from.size(), to);
  return text;
}

}  // namespace linegate::sdp::testing
