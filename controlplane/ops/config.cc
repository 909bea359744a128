#include "controlplane/ops/config.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <set>

#include "controlplane/ops/certificate_check.h"
#include "controlplane/ops/listen_addresses.h"
#include "dataplane/settings/toml_reader.h"

namespace linegate::ops {
namespace {

using settings::ErrorSink;
using settings::Realm;
using settings::TomlReader;
namespace fs = std::filesystem;

constexpr size_t kMostAllowedSources = 256;
constexpr size_t kMostDomains = 256;
constexpr size_t kMostUsersPerDomain = 10'000;
constexpr size_t kLongestSocketPath = 107;  // sun_path less its terminator
constexpr int64_t kMostConnections = 1'000'000;

std::string LowerCase(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = char(c - 'A' + 'a');
  }
  return text;
}

/// RFC 1123 section 2.1, or an address.
bool IsDomainName(const std::string& name) {
  if (IpAddress::Parse(name)) return true;
  const auto is_allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  };
  return !name.empty() && name.size() <= 253 && std::all_of(name.begin(), name.end(), is_allowed) &&
         name.front() != '.' && name.front() != '-' && name.find("..") == std::string::npos;
}

/// The unreserved characters of a SIP user part (RFC 3261 section 25.1): nobody should need escapes for a
/// number.
bool IsUserName(const std::string& name) {
  const auto is_allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-_.!~*'()+").find(c) != std::string_view::npos;
  };
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), is_allowed);
}

/// Reads the control plane's sections; shared ones are in `config.media` already.
class ConfigReader {
 public:
  ConfigReader(ErrorSink& sink, Config& config, int64_t now_unix_s)
      : sink_(sink), config_(config), now_unix_s_(now_unix_s), folder_(fs::path(config.path).parent_path()) {}

  void Read(const toml::table& root);

 private:
  void ReadWeb(TomlReader reader);
  void ReadCertificate(TomlReader& reader);
  void ReadSip(TomlReader reader);
  void ReadSipSrtp(TomlReader& reader, SipConfig& sip);
  void ReadDomain(TomlReader reader, const toml::table& table);
  void ReadUsers(TomlReader& reader, DomainConfig& domain);
  void ReadRegistration(TomlReader reader);
  void ReadState(TomlReader reader);
  void ReadAdmin(TomlReader reader);
  void ReadLog(TomlReader reader);

  const Realm* ReadRealmName(TomlReader& reader, std::string& name);
  void RequirePath(TomlReader& reader, std::string_view key, std::string& path);
  void Warn(const TomlReader& reader, std::string_view where, std::string_view key, const std::string& what) {
    config_.warnings.push_back(config_.path + ":" + std::to_string(reader.LineOf(key)) + ": " +
                               std::string(where) + " " + std::string(key) + ": " + what);
  }

  ErrorSink& sink_;
  Config& config_;
  int64_t now_unix_s_;
  fs::path folder_;
  ListenAddresses listen_addresses_;
  std::map<std::string, std::pair<DomainMode, uint32_t>> domains_;  ///< -> mode and line
};

void ConfigReader::Read(const toml::table& root) {
  TomlReader file(sink_, root, "");
  for (const char* shared : {"dataplane", "srtp", "stun"}) file.Table(shared);
  file.Tables("realm");
  if (const auto* web = file.Table("web")) {
    ReadWeb({sink_, *web, "[web]"});
  } else {
    sink_.Report(0, "[web]", "the file needs this section");
  }
  if (const auto* sip = file.Table("sip")) ReadSip({sink_, *sip, "[sip]"});
  if (const auto* turn = file.Table("turn"))
    config_.turn = ReadTurnSection(sink_, *turn, config_.media, listen_addresses_);
  const auto domains = file.Tables("domain");
  if (domains.empty() || domains.size() > kMostDomains) {
    file.Fault("domain", "the file needs 1 to " + std::to_string(kMostDomains) + " [[domain]] sections");
  }
  for (const toml::table* domain : domains) ReadDomain({sink_, *domain, "[[domain]]"}, *domain);
  if (const auto* registration = file.Table("registration"))
    ReadRegistration({sink_, *registration, "[registration]"});
  if (const auto* state = file.Table("state")) ReadState({sink_, *state, "[state]"});
  if (const auto* admin = file.Table("admin")) ReadAdmin({sink_, *admin, "[admin]"});
  if (const auto* log = file.Table("log")) ReadLog({sink_, *log, "[log]"});
  file.Finish();
}

const Realm* ConfigReader::ReadRealmName(TomlReader& reader, std::string& name) {
  reader.String("realm", name);
  for (const Realm& realm : config_.media.realms) {
    if (realm.name == name) return &realm;
  }
  reader.Fault("realm", name.empty() ? "must name a [[realm]]" : "no [[realm]] has the name '" + name + "'");
  return nullptr;
}

void ConfigReader::RequirePath(TomlReader& reader, std::string_view key, std::string& path) {
  reader.String(key, path);
  if (path.empty()) return reader.Fault(key, "must be the path of a file or folder");
  path = (folder_ / path).lexically_normal().string();
}

void ConfigReader::ReadWeb(TomlReader reader) {
  WebConfig& web = config_.web;
  web.listen = listen_addresses_.Read(reader, "listen", "[web]", ListenAddresses::Presence::kRequired);
  const Realm* realm = ReadRealmName(reader, web.realm);
  if (realm != nullptr && realm->webrtc_port == 0)
    reader.Fault("realm", "'" + web.realm + "' has no webrtc_port");
  ReadCertificate(reader);
  if (reader.Has("root")) {
    RequirePath(reader, "root", web.root);
    std::error_code error;
    if (!fs::is_directory(web.root, error)) reader.Fault("root", web.root + ": not a folder");
  }
  reader.Strings("allowed_origins", web.allowed_origins);
  for (const std::string& origin : web.allowed_origins) {
    // RFC 6454 section 6.2: scheme, host, port; no path, not even "/".
    const bool has_scheme = origin.starts_with("https://") || origin.starts_with("http://");
    const size_t host = origin.find("//") + 2;
    if (!has_scheme || host == origin.size() || origin.find('/', host) != std::string::npos) {
      reader.Fault("allowed_origins",
                   "'" + origin + "' is no origin (\"https://phone.example.com\", no path)");
    }
  }
  int64_t total = web.max_connections, per_source = web.max_connections_per_source;
  reader.Integer("max_connections", 1, kMostConnections, total);
  reader.Integer("max_connections_per_source", 1, kMostConnections, per_source);
  web.max_connections = uint32_t(total);
  web.max_connections_per_source = uint32_t(std::min(total, per_source));
  reader.Finish();
}

void ConfigReader::ReadCertificate(TomlReader& reader) {
  WebConfig& web = config_.web;
  RequirePath(reader, "certificate", web.certificate);
  RequirePath(reader, "private_key", web.private_key);
  if (sink_.failed()) return;
  std::vector<IpAddress> addresses;
  for (const Endpoint& endpoint : web.listen) {
    // Behind 1:1 NAT browsers see what the realm advertises in place of this address.
    IpAddress seen = endpoint.address;
    for (const Realm& realm : config_.media.realms) {
      for (size_t i = 0; i < realm.advertise.size(); ++i) {
        if (realm.addresses[i] == endpoint.address) seen = realm.advertise[i];
      }
    }
    if (!seen.is_unspecified()) addresses.push_back(seen);
  }
  const auto facts = CheckCertificate(web.certificate, web.private_key, addresses, now_unix_s_);
  if (!facts) {
    const bool is_key = facts.error().file == CertificateError::File::kPrivateKey;
    return reader.Fault(is_key ? "private_key" : "certificate", facts.error().what);
  }
  for (const std::string& warning : facts->warnings)
    Warn(reader, "[web]", "certificate", web.certificate + ": " + warning);
}

void ConfigReader::ReadSip(TomlReader reader) {
  SipConfig sip;
  sip.listen = listen_addresses_.Read(reader, "listen", "[sip]", ListenAddresses::Presence::kRequired);
  RefuseDataplanePorts(reader, "listen", sip.listen, config_.media);
  std::string server;
  reader.String("server", server);
  if (const auto endpoint = Endpoint::Parse(server);
      endpoint && endpoint->port != 0 && !endpoint->address.is_unspecified()) {
    sip.server = *endpoint;
  } else {
    reader.Fault("server", "must be the SIP Server's address with port (\"10.90.2.2:5060\"), not a name");
  }
  bool reaches_server = false;
  for (const Endpoint& endpoint : sip.listen) {
    if (endpoint.address.is_unspecified()) {
      reader.Fault("listen", endpoint.ToString() + ": must be one address, since Contact names it");
    }
    if (endpoint.address.family() == sip.server.address.family()) reaches_server = true;
  }
  if (!reaches_server) reader.Fault("listen", "has no address of the server's family (" + server + ")");
  std::vector<std::string> sources;
  reader.Strings("allowed_sources", sources);
  if (sources.size() > kMostAllowedSources) {
    reader.Fault("allowed_sources", "lists more than " + std::to_string(kMostAllowedSources));
  }
  for (const std::string& source : sources) {
    const auto address = IpAddress::Parse(source);
    if (!address) reader.Fault("allowed_sources", "'" + source + "' is no IPv4 or IPv6 address");
    if (address) sip.allowed_sources.push_back(*address);
  }
  const Realm* realm = ReadRealmName(reader, sip.realm);
  if (realm != nullptr && realm->rtp_ports.empty())
    reader.Fault("realm", "'" + sip.realm + "' has no rtp_ports");
  ReadSipSrtp(reader, sip);
  reader.Finish();
  config_.sip = std::move(sip);
}

void ConfigReader::ReadSipSrtp(TomlReader& reader, SipConfig& sip) {
  static constexpr std::array<std::string_view, 8> kSuites = {
      "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "AES_192_CM_HMAC_SHA1_80",
      "AES_192_CM_HMAC_SHA1_32", "AES_256_CM_HMAC_SHA1_80", "AES_256_CM_HMAC_SHA1_32",
      "AEAD_AES_128_GCM",        "AEAD_AES_256_GCM"};
  size_t use = size_t(sip.srtp);
  reader.Choice("srtp", {"off", "optional", "required"}, use);
  sip.srtp = SrtpUse(use);
  if (reader.Has("srtp_suites")) sip.srtp_suites.clear();
  reader.Strings("srtp_suites", sip.srtp_suites);
  if (sip.srtp_suites.empty()) reader.Fault("srtp_suites", "must name at least one suite");
  const bool libsrtp = config_.media.srtp_engine == settings::SrtpEngine::kLibsrtp2;
  for (size_t i = 0; i < sip.srtp_suites.size(); ++i) {
    const std::string& suite = sip.srtp_suites[i];
    if (std::find(kSuites.begin(), kSuites.end(), suite) == kSuites.end())
      reader.Fault("srtp_suites", "'" + suite + "' is no suite that is served");
    if (std::find(sip.srtp_suites.begin(), sip.srtp_suites.begin() + std::ptrdiff_t(i), suite) !=
        sip.srtp_suites.begin() + std::ptrdiff_t(i))
      reader.Fault("srtp_suites", "'" + suite + "' is given twice");
    if (libsrtp && suite.starts_with("AES_192"))
      reader.Fault("srtp_suites", "'" + suite + "' is not served by [srtp] engine \"libsrtp2\"");
  }
  int64_t mki_bytes = sip.srtp_mki_bytes;
  reader.Integer("srtp_mki_bytes", 0, 8, mki_bytes);
  sip.srtp_mki_bytes = uint8_t(mki_bytes);
  if (sip.srtp != SrtpUse::kOff) {
    Warn(reader, "[sip]", "srtp",
         "keys cross to the SIP side in SDP, over UDP and TCP in the clear: whoever reads the signalling can "
         "read the media");
  }
}

void ConfigReader::ReadDomain(TomlReader reader, const toml::table& table) {
  DomainConfig domain;
  reader.String("name", domain.name);
  domain.name = LowerCase(domain.name);
  if (!IsDomainName(domain.name)) return reader.Fault("name", "must be a domain name or an address");
  reader.RenameSection("[[domain]] '" + domain.name + "'");
  size_t mode = 0;
  if (!table.contains("mode")) reader.Fault("mode", "must be \"local\" or \"relay\"");
  reader.Choice("mode", {"local", "relay"}, mode);
  domain.mode = DomainMode(mode);
  const auto [other, is_new] = domains_.emplace(domain.name, std::pair(domain.mode, reader.LineOf("name")));
  if (!is_new) {
    const std::string first = "line " + std::to_string(other->second.second);
    reader.Fault("name", other->second.first == domain.mode
                             ? "given already in " + first
                             : "is both local and relayed (see " + first + ")");
  }
  bool test_numbers = false;
  reader.Boolean("test_numbers", test_numbers);
  domain.test_numbers = test_numbers ? TestNumbers::kOn : TestNumbers::kOff;
  if (domain.mode == DomainMode::kRelay) {
    if (!config_.sip)
      reader.Fault("mode", "\"relay\" needs a [sip] section: there is no SIP Server to relay to");
    if (test_numbers)
      reader.Fault("test_numbers",
                   "exist in local domains only: every call of this one goes to the SIP Server");
    if (reader.Has("users"))
      reader.Fault("users", "belong to local domains: the SIP Server knows this one's");
  }
  ReadUsers(reader, domain);
  reader.Finish();
  config_.domains.push_back(std::move(domain));
}

void ConfigReader::ReadUsers(TomlReader& reader, DomainConfig& domain) {
  std::set<std::string> names;
  const auto users = reader.Tables("users");
  if (users.size() > kMostUsersPerDomain) {
    reader.Fault("users", "lists more than " + std::to_string(kMostUsersPerDomain));
  }
  for (const toml::table* table : users) {
    TomlReader user(sink_, *table, "[[domain]] '" + domain.name + "' users");
    std::string name, password;
    user.String("name", name);
    user.String("password", password);
    if (!IsUserName(name)) user.Fault("name", "must be 1 to 64 letters, digits or -_.!~*'()+");
    if (password.empty()) user.Fault("password", "must not be empty");
    if (!names.insert(name).second) user.Fault("name", "'" + name + "' is given twice");
    if (domain.test_numbers == TestNumbers::kOn && (name == "echo" || name == "tone")) {
      user.Fault("name", "'" + name + "' is a test number of this domain (test_numbers = true)");
    }
    user.Finish();
    domain.users.push_back({std::move(name), SecretText(std::move(password))});
  }
}

void ConfigReader::ReadRegistration(TomlReader reader) {
  int64_t least = config_.registration.min_expires.count(), most = config_.registration.max_expires.count();
  reader.Integer("min_expires_s", 1, 86400, least);
  reader.Integer("max_expires_s", 1, 7 * 86400, most);
  if (least > most)
    reader.Fault("min_expires_s", "is larger than max_expires_s (" + std::to_string(most) + ")");
  config_.registration = {std::chrono::seconds(least), std::chrono::seconds(most)};
  reader.Finish();
}

void ConfigReader::ReadState(TomlReader reader) {
  RequirePath(reader, "directory", config_.state_directory);
  reader.Finish();
}

void ConfigReader::ReadAdmin(TomlReader reader) {
  RequirePath(reader, "socket", config_.admin_socket);
  if (config_.admin_socket.size() > kLongestSocketPath) {
    reader.Fault("socket", "is longer than " + std::to_string(kLongestSocketPath) + " characters");
  }
  reader.Finish();
}

void ConfigReader::ReadLog(TomlReader reader) {
  size_t level = size_t(config_.log_level);
  reader.Choice("level", {"debug", "info", "warning", "error"}, level);
  config_.log_level = LogLevel(level);
  reader.Finish();
}

}  // namespace

const settings::Realm& Config::realm(const std::string& name) const {
  const auto found = std::find_if(media.realms.begin(), media.realms.end(),
                                  [&](const Realm& one) { return one.name == name; });
  LG_FATAL(found != media.realms.end());
  return *found;
}

Result<Config> LoadConfig(const std::string& path, std::chrono::system_clock::time_point now) {
  auto media = settings::LoadDataplaneSettings(path);
  if (!media) return MakeUnexpected(std::move(media).error());
  toml::table root;
  try {
    root = toml::parse_file(path);
  } catch (const toml::parse_error& error) {  // changed between the two readings
    return Fail(path + ": " + std::string(error.description()));
  }
  Config config;
  config.path = path;
  config.media = std::move(*media);
  ErrorSink sink(path);
  ConfigReader(sink, config, std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count())
      .Read(root);
  if (sink.failed()) return MakeUnexpected(*sink.error());
  return config;
}

}  // namespace linegate::ops
