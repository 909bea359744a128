#include "controlplane/ops/turn_section.h"

#include <algorithm>
#include <array>
#include <set>

#include "dataplane/base/base64.h"
#include "dataplane/base/secret.h"

namespace linegate::ops {
namespace {

using settings::ErrorSink;
using settings::TomlReader;
using turn::IpPrefix;
using turn::OauthKey;
using turn::PasswordAlgorithm;
using turn::TurnConfig;

constexpr std::string_view kSection = "[turn]";
constexpr size_t kMostUsers = 100'000;
constexpr size_t kMostOauthKeys = 16;
constexpr size_t kMostRanges = 1024;
constexpr size_t kLongestName = 128;
constexpr int64_t kMostConnections = 1'000'000;
constexpr int64_t kMostAllocations = 1'000'000;
constexpr int64_t kMostBytesPerSecond = UINT32_MAX;
constexpr int64_t kDay_s = 86400;
/// RFC 8656 section 3.9: ten minutes is what clients that ask for nothing are given.
constexpr int64_t kDefaultAllocationLifetime_s = 600;

/// Printable ASCII without what separates the parts of a hash or a quoted string (":" and "\"", RFC 8489 section 9.2.2).
bool IsName(const std::string& text) {
  return !text.empty() && text.size() < kLongestName && std::all_of(text.begin(), text.end(), [](char c) {
    return c > 0x20 && c < 0x7f && c != ':' && c != '"' && c != '\\';
  });
}

template <typename T>
void ReadNumber(TomlReader& reader, std::string_view key, int64_t least, int64_t most, T& out) {
  int64_t value = int64_t(out);
  reader.Integer(key, least, most, value);
  out = T(value);
}

void ReadSeconds(TomlReader& reader, std::string_view key, int64_t least, int64_t most,
                 std::chrono::seconds& out) {
  int64_t value = out.count();
  reader.Integer(key, least, most, value);
  out = std::chrono::seconds(value);
}

void ReadUsers(ErrorSink& sink, TomlReader& reader, TurnConfig& server) {
  const auto users = reader.Tables("users");
  if (users.size() > kMostUsers) reader.Fault("users", "lists more than " + std::to_string(kMostUsers));
  std::set<std::string> names;
  for (const toml::table* table : users) {
    TomlReader user(sink, *table, "[turn] users");
    std::string name, password;
    user.String("name", name);
    user.String("password", password);
    if (!IsName(name))
      user.Fault("name", "must be 1 to 127 printable ASCII characters without space : \" \\");
    if (password.empty()) user.Fault("password", "must not be empty");
    if (!names.insert(name).second) user.Fault("name", "'" + name + "' is given twice");
    user.Finish();
    server.users.push_back({std::move(name), std::move(password)});
  }
}

void ReadOauthKeys(ErrorSink& sink, TomlReader& reader, TurnConfig& server) {
  const auto keys = reader.Tables("oauth_keys");
  if (keys.size() > kMostOauthKeys)
    reader.Fault("oauth_keys", "lists more than " + std::to_string(kMostOauthKeys));
  std::set<std::string> ids;
  for (const toml::table* table : keys) {
    TomlReader entry(sink, *table, "[turn] oauth_keys");
    OauthKey key;
    std::string text;
    entry.String("kid", key.kid);
    entry.String("key", text);
    if (!IsName(key.kid)) entry.Fault("kid", "must be 1 to 127 printable ASCII characters");
    if (!ids.insert(key.kid).second) entry.Fault("kid", "'" + key.kid + "' is given twice");
    auto decoded = DecodeBase64(text);
    Wipe(text.data(), text.size());
    if (!decoded || (decoded->size() != 16 && decoded->size() != 32)) {
      entry.Fault("key", "must be 16 or 32 bytes in base64");
    } else {
      key.key.Assign(*decoded);
    }
    if (decoded) Wipe(decoded->data(), decoded->size());
    entry.Finish();
    server.oauth_keys.push_back(std::move(key));
  }
  reader.String("oauth_server", server.oauth_server_name);
}

/// One, or the new and the old one while a secret is being replaced.
void ReadSecrets(TomlReader& reader, TurnConfig& server) {
  if (!reader.Has("shared_secret")) return;
  std::string secret;
  reader.String("shared_secret", secret);
  if (secret.empty()) reader.Fault("shared_secret", "must not be empty");
  server.shared_secrets.push_back(std::move(secret));
  if (!reader.Has("previous_shared_secret")) return;
  secret.clear();
  reader.String("previous_shared_secret", secret);
  if (secret.empty()) reader.Fault("previous_shared_secret", "must not be empty");
  server.shared_secrets.push_back(std::move(secret));
}

void ReadCredentials(ErrorSink& sink, TomlReader& reader, TurnConfig& server) {
  ReadUsers(sink, reader, server);
  ReadSecrets(reader, server);
  ReadOauthKeys(sink, reader, server);
  if (server.users.empty() && server.shared_secrets.empty() && server.oauth_keys.empty()) {
    reader.Fault("users", "nobody could use this server: give users, shared_secret or oauth_keys");
  }
  std::vector<std::string> algorithms;
  reader.Strings("password_algorithms", algorithms);
  if (!reader.Has("password_algorithms")) return;
  server.password_algorithms.clear();
  for (const std::string& name : algorithms) {
    const auto algorithm = name == "md5" ? PasswordAlgorithm::kMd5 : PasswordAlgorithm::kSha256;
    const auto& given = server.password_algorithms;
    if ((name != "md5" && name != "sha256") ||
        std::find(given.begin(), given.end(), algorithm) != given.end()) {
      reader.Fault("password_algorithms", "lists \"md5\" and \"sha256\", each at most once");
    }
    server.password_algorithms.push_back(algorithm);
  }
  if (algorithms.empty()) reader.Fault("password_algorithms", "must not be empty");
}

void ReadPrefixes(TomlReader& reader, std::string_view key, std::vector<IpPrefix>& out) {
  std::vector<std::string> texts;
  reader.Strings(key, texts);
  if (texts.size() > kMostRanges) reader.Fault(key, "lists more than " + std::to_string(kMostRanges));
  for (const std::string& text : texts) {
    const auto prefix = IpPrefix::Parse(text);
    if (!prefix) reader.Fault(key, "'" + text + "' is no range (\"10.90.2.0/24\", \"fd90:2::/64\")");
    if (prefix) out.push_back(*prefix);
  }
}

void ReadNat64Prefixes(TomlReader& reader, TurnConfig& server) {
  ReadPrefixes(reader, "nat64_prefixes", server.nat64_prefixes);
  for (const IpPrefix& prefix : server.nat64_prefixes) {
    if (!prefix.network.is_v6() || prefix.bits != 96)
      reader.Fault("nat64_prefixes", "must be IPv6 /96 prefixes");
  }
}

void ReadLimits(TomlReader& reader, TurnConfig& server) {
  ReadSeconds(reader, "nonce_lifetime_s", 60, kDay_s, server.nonce_lifetime);
  ReadSeconds(reader, "max_lifetime_s", kDefaultAllocationLifetime_s, kDay_s, server.max_lifetime);
  ReadNumber(reader, "quota_per_user", 0, kMostAllocations, server.quota_per_user);
  ReadNumber(reader, "max_allocations", 0, kMostAllocations, server.max_allocations);
  ReadNumber(reader, "bytes_per_second_per_allocation", 0, kMostBytesPerSecond,
             server.bytes_per_second_per_allocation);
  ReadNumber(reader, "bytes_per_second_per_user", 0, kMostBytesPerSecond, server.bytes_per_second_per_user);
  ReadPrefixes(reader, "allowed_peers", server.allowed_peers);
  ReadPrefixes(reader, "denied_peers", server.denied_peers);
  ReadNat64Prefixes(reader, server);
}

void ReadRelayRealm(TomlReader& reader, const settings::DataplaneSettings& media, std::string& name) {
  reader.String("relay_realm", name);
  const auto& realms = media.realms;
  const auto has_ports = [](const settings::Realm& realm) { return !realm.relay_ports.empty(); };
  if (std::none_of(realms.begin(), realms.end(), has_ports))
    return reader.Fault("relay_realm", "no [[realm]] has relay_ports: there is nothing to relay from");
  if (!reader.Has("relay_realm")) return;
  const auto named =
      std::find_if(realms.begin(), realms.end(), [&](const auto& realm) { return realm.name == name; });
  if (named == realms.end()) return reader.Fault("relay_realm", "no [[realm]] has the name '" + name + "'");
  if (!has_ports(*named)) reader.Fault("relay_realm", "'" + name + "' has no relay_ports");
}

void ReadListeners(TomlReader& reader, const settings::DataplaneSettings& media,
                   ListenAddresses& listen_addresses, TurnSection& turn) {
  using Presence = ListenAddresses::Presence;
  turn.server.listeners.tcp = listen_addresses.Read(reader, "tcp_listen", kSection, Presence::kOptional);
  turn.server.listeners.tls = listen_addresses.Read(reader, "tls_listen", kSection, Presence::kOptional);
  turn.server.listeners.dtls = ReadEndpointList(reader, "dtls_listen");
  RefuseDataplanePorts(reader, "dtls_listen", turn.server.listeners.dtls, media);
  reader.Boolean("share_web_port", turn.server.listeners.share_web_port);
  ReadNumber(reader, "max_connections", 1, kMostConnections, turn.max_connections);
  ReadNumber(reader, "max_connections_per_source", 1, kMostConnections, turn.max_connections_per_source);
}

}  // namespace

TurnSection ReadTurnSection(ErrorSink& sink, const toml::table& table,
                            const settings::DataplaneSettings& media, ListenAddresses& listen_addresses) {
  TomlReader reader(sink, table, std::string(kSection));
  TurnSection turn;
  turn.server.enabled = true;
  reader.String("realm", turn.server.realm);
  if (!IsName(turn.server.realm)) {
    reader.Fault("realm",
                 "must be the name clients see, 1 to 127 printable ASCII characters (\"example.com\")");
  }
  ReadListeners(reader, media, listen_addresses, turn);
  ReadCredentials(sink, reader, turn.server);
  ReadRelayRealm(reader, media, turn.relay_realm);
  ReadLimits(reader, turn.server);
  reader.Boolean("mobility", turn.server.mobility);
  reader.Boolean("tcp_relay", turn.server.tcp_relay);
  reader.Boolean("page_credentials", turn.page_credentials);
  if (turn.page_credentials && turn.server.shared_secrets.empty()) {
    reader.Fault("page_credentials", "are made from shared_secret, which is not given");
  }
  ReadSeconds(reader, "page_credentials_lifetime_s", 60, 7 * kDay_s, turn.page_credentials_lifetime);
  reader.Finish();
  return turn;
}

}  // namespace linegate::ops
