#pragma once
#include "tests/support/sdp_data.h"

namespace linegate::sdp::testing {

using test::ReadSdp;
using test::Replace;

inline constexpr const char* kCaptures[] = {"chromium_offer_audio",
                                            "chromium_offer_audio_video",
                                            "chromium_offer_audio_video_data",
                                            "firefox_offer_audio",
                                            "baresip_offer",
                                            "baresip_answer"};

}  // namespace linegate::sdp::testing
