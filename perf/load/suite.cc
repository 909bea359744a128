#include "perf/load/suite.h"

#include <CLI/CLI.hpp>
#include <array>
#include <utility>

namespace linegate::load {
namespace {

constexpr std::array<std::pair<Suite, std::string_view>, kSuiteCount> kSuites = {
    {{Suite::kSrtpToRtp, "srtp_to_rtp"},
     {Suite::kRtpToSrtp, "rtp_to_srtp"},
     {Suite::kSrtpToSrtp, "srtp_to_srtp"},
     {Suite::kRtpToRtp, "rtp_to_rtp"},
     {Suite::kStunBinding, "stun_binding"},
     {Suite::kTurnChannel, "turn_channel"},
     {Suite::kTurnPeer, "turn_peer"}}};
constexpr std::array<std::pair<srtp::Profile, std::string_view>, 3> kProfiles = {
    {{srtp::Profile::kAes128CmHmacSha1_80, "aes_cm_128_hmac_sha1_80"},
     {srtp::Profile::kAeadAes128Gcm, "aead_aes_128_gcm"},
     {srtp::Profile::kAeadAes256Gcm, "aead_aes_256_gcm"}}};

template <typename Table, typename Value>
std::string_view NameIn(const Table& table, Value value) {
  for (const auto& [entry, name] : table) {
    if (entry == value) return name;
  }
  return "unknown";
}

}  // namespace

std::string_view SuiteName(Suite suite) { return NameIn(kSuites, suite); }
std::string_view ProfileName(srtp::Profile profile) { return NameIn(kProfiles, profile); }

std::optional<Suite> SuiteOf(std::string_view name) {
  for (const auto& [suite, text] : kSuites) {
    if (text == name) return suite;
  }
  return std::nullopt;
}

std::optional<srtp::Profile> ProfileOf(std::string_view name) {
  for (const auto& [profile, text] : kProfiles) {
    if (text == name) return profile;
  }
  return std::nullopt;
}

std::string ResultName(const LoadOptions& options, uint32_t workers) {
  if (!options.name.empty()) return options.name;
  std::string name(SuiteName(options.suite));
  if (SendsSrtp(options.suite) || ReceivesSrtp(options.suite))
    name += "/" + std::string(ProfileName(options.profile));
  name += "/calls:" + std::to_string(options.calls);
  if (options.payload_bytes != 160) name += "/payload:" + std::to_string(options.payload_bytes);
  if (options.rtcp_every != 0 || options.check_every != 0) name += "/mixed";
  return name + "/workers:" + std::to_string(workers);
}

std::optional<LoadOptions> ParseLoadOptions(int argc, const char* const* argv, int& exit_status) {
  LoadOptions options;
  std::string suite = "srtp_to_rtp", profile = "aes_cm_128_hmac_sha1_80";
  bool mixed = false;
  CLI::App parser(
      "linegate-load: offers a running linegate-dataplane load over memif and measures what comes back");
  auto* config = parser.add_option("--config", options.config, "the dataplane's linegate.toml");
  auto* interface = parser.add_option("--interface", options.interface,
                                      "send on this interface by AF_XDP, instead of the realms' memif ports");
  parser.add_option("--plan", options.plan, "calls that are set up already, instead of --config")
      ->excludes(config)
      ->needs(interface);
  parser.add_option("--name", options.name, "the result's name");
  parser.add_option("--loss", options.loss_limit, "greatest fraction of packets that may be lost");
  parser.add_option(
      "--suite", suite,
      "srtp_to_rtp, rtp_to_srtp, srtp_to_srtp, rtp_to_rtp, stun_binding, turn_channel or turn_peer");
  parser.add_option("--profile", profile, "aes_cm_128_hmac_sha1_80, aead_aes_128_gcm or aead_aes_256_gcm");
  parser.add_option("--calls", options.calls, "calls, visited in random order")
      ->check(CLI::Range(1, int(kMostCalls)));
  parser.add_option("--payload-bytes", options.payload_bytes, "RTP payload")->check(CLI::Range(24, 1400));
  parser.add_flag("--mixed", mixed, "1 % RTCP and 0.5 % connectivity checks among the media");
  parser.add_option("--core", options.core, "core of the generator");
  parser.add_option("--trial-seconds", options.trial_seconds, "length of a trial of the search");
  parser.add_option("--confirm-seconds", options.confirm_seconds,
                    "length of each of three confirming trials");
  parser.add_option("--log2-ring-slots", options.log2_ring_slots, "size of the memif rings")
      ->check(CLI::Range(6, 14));
  parser.add_option("--core-distance", options.core_distance, "of the two cores, to stand in the result");
  parser.add_option("--rate", options.rate, "packets per second of one trial, instead of a search");
  parser.add_flag("!--no-realtime", options.realtime, "leave room for who watches the device meanwhile");
  parser.add_flag("--slow-engine", options.slow_engine, "the worker's turns are long by their own work");
  parser.add_flag("--verbose", options.verbose, "a line for each trial");
  parser.add_option("--json", options.json, "append the result to this file, one line");
  try {
    parser.parse(argc, argv);
    if (options.config.empty() && options.plan.empty()) throw CLI::RequiredError("--config or --plan");
    const auto suite_value = SuiteOf(suite);
    const auto profile_value = ProfileOf(profile);
    if (!suite_value) throw CLI::ValidationError("--suite", "no such suite");
    if (!profile_value) throw CLI::ValidationError("--profile", "no such profile");
    options.suite = *suite_value;
    options.profile = *profile_value;
  } catch (const CLI::ParseError& error) {
    exit_status = parser.exit(error);
    return std::nullopt;
  }
  if (mixed) options.rtcp_every = 100, options.check_every = 200;
  return options;
}

}  // namespace linegate::load
