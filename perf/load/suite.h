#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "dataplane/srtp/profile.h"

namespace linegate::load {

/// What the generator sends and what it expects to come back.
enum class Suite : uint8_t {
  kSrtpToRtp,    ///< browsers speak, phones hear
  kRtpToSrtp,    ///< phones speak, browsers hear
  kSrtpToSrtp,   ///< browsers speak to browsers
  kRtpToRtp,     ///< phones speak to phones
  kStunBinding,  ///< plain Binding requests, answered
  kTurnChannel,  ///< TURN clients send ChannelData, peers hear it as UDP
  kTurnPeer,     ///< the other way round
};
inline constexpr size_t kSuiteCount = 7;
inline constexpr uint32_t kMostCalls = 1 << 17;

struct LoadOptions {
  std::string config;  ///< the linegate.toml that the dataplane runs with
  /// A file of calls that somebody else has set up (perf/peers), instead of `config`: CallPlan::Read.
  std::string plan;
  std::string interface;  ///< sends on this kernel interface by AF_XDP; empty: on the memif ports of `config`
  std::string name;       ///< of the result; empty: ResultName
  Suite suite = Suite::kSrtpToRtp;
  srtp::Profile profile = srtp::Profile::kAes128CmHmacSha1_80;
  uint32_t calls = 4096;
  uint32_t payload_bytes = 160;
  /// One packet in `rtcp_every` is SRTCP (RTCP), one in `check_every` a connectivity check; 0: none.
  uint32_t rtcp_every = 0;
  uint32_t check_every = 0;
  int core = 0;
  double trial_seconds = 1;
  double confirm_seconds = 5;
  uint32_t core_distance = 0;  ///< linegate-core-distance just before, for the result; 0: not measured
  double loss_limit = 1e-4;
  /// Of each memif ring, 2 to this power: with fewer the short stalls of a virtual machine lose packets, with more the ring
  /// leaves the cache. Of 1,024, 2,048 and 4,096 this one passed most at 0.01 % loss.
  uint32_t log2_ring_slots = 11;
  /// Packets per second of one single trial; 0: search for the highest rate.
  double rate = 0;
  bool realtime =
      true;  ///< runs before all ordinary threads while it sends, also before who watches the device
  bool slow_engine = false;  ///< TrialRunner::set_slow_engine
  bool verbose = false;      ///< a line for each trial
  std::string json;          ///< file for one line of JSON; empty: none
};

std::string_view SuiteName(Suite suite);
std::optional<Suite> SuiteOf(std::string_view name);
/// "aes_cm_128_hmac_sha1_80": the profile's name in results and on the command line.
std::string_view ProfileName(srtp::Profile profile);
std::optional<srtp::Profile> ProfileOf(std::string_view name);
/// A call is then an allocation with one channel.
inline bool IsTurn(Suite suite) { return suite == Suite::kTurnChannel || suite == Suite::kTurnPeer; }
inline bool SendsSrtp(Suite suite) { return suite == Suite::kSrtpToRtp || suite == Suite::kSrtpToSrtp; }
inline bool ReceivesSrtp(Suite suite) { return suite == Suite::kRtpToSrtp || suite == Suite::kSrtpToSrtp; }

/// "srtp_to_rtp/aes_cm_128_hmac_sha1_80/calls:4096/workers:1"; payload and mix stand in it where they are not
/// those of G.711 alone.
std::string ResultName(const LoadOptions& options, uint32_t workers);

/// nullopt: there is nothing to do, the answer was printed; `exit_status` is what to return.
std::optional<LoadOptions> ParseLoadOptions(int argc, const char* const* argv, int& exit_status);

}  // namespace linegate::load
