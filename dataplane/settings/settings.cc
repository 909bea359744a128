#include "dataplane/settings/settings.h"

#include <algorithm>
#include <bit>
#include <set>
#include <utility>

#include "dataplane/settings/settings_hash.h"
#include "dataplane/settings/settings_overlap.h"
#include "dataplane/settings/toml_reader.h"

namespace linegate::settings {
namespace {

constexpr int64_t kMostWorkers = 64;
constexpr int64_t kMostFlowsPerWorker = 1 << 20;
constexpr size_t kMostRealms = 16;
constexpr size_t kMostListenerPorts = 16;
constexpr int64_t kMostRelaysPerWorker = 1 << 20;
constexpr uint32_t kDefaultRelaysPerWorker = 1024;  // where a realm has relay_ports
constexpr int64_t kMostRequestsPerSecond = 100'000'000;
constexpr size_t kLongestInterfaceName = 15;  // IFNAMSIZ - 1
constexpr size_t kLongestRealmName = 31;
constexpr int64_t kLastVlan = 4094;
constexpr std::string_view kMemifPrefix = "memif:";
constexpr size_t kLongestSocketPath = 107;  // sockaddr_un, less the final zero

bool IsPowerOfTwo(int64_t value) { return value > 0 && std::has_single_bit(uint64_t(value)); }

/// The path becomes a part of DPDK's device arguments, so a comma or a blank has no place in it.
bool IsMemifName(const std::string& name) {
  const std::string path = MemifPathOf(name);
  return path.starts_with('/') && path.size() <= kLongestSocketPath &&
         path.find_first_of(", \t\r\n\v\f\"'[]=") == std::string::npos;
}

bool IsInterfaceName(const std::string& name) {
  // What the kernel accepts (dev_valid_name).
  return !name.empty() && name.size() <= kLongestInterfaceName && name != "." && name != ".." &&
         name.find_first_of("/: \t\r\n\v\f") == std::string::npos;
}

bool IsRealmName(const std::string& name) {
  return !name.empty() && name.size() <= kLongestRealmName &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
         });
}

/// An address packets can be sent to from elsewhere: neither unspecified, loopback nor multicast.
bool IsUsableUnicast(const IpAddress& address) {
  const ByteView bytes = address.bytes();
  if (address.is_unspecified()) return false;
  if (address.is_v4()) return bytes[0] != 127 && bytes[0] < 224;
  return bytes[0] != 0xff && address != IpAddress::Parse("::1") &&
         !(bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80);
}

std::vector<IpAddress> ReadAddresses(TomlReader& reader, std::string_view key) {
  std::vector<std::string> texts;
  reader.Strings(key, texts);
  std::vector<IpAddress> addresses;
  for (const std::string& text : texts) {
    auto address = IpAddress::Parse(text);
    if (!address || !IsUsableUnicast(*address)) {
      reader.Fault(
          key, "'" + text + "' is no unicast IPv4 or IPv6 address (link-local and loopback do not serve)");
      return {};
    }
    addresses.push_back(*address);
  }
  return addresses;
}

void ReadDataplane(TomlReader reader, DataplaneSettings& settings) {
  int64_t workers = settings.workers, flows = settings.flows_per_worker, relays = settings.relays_per_worker;
  size_t idle = size_t(settings.idle), hugepages = size_t(settings.hugepages), mode = 0;
  std::vector<int64_t> cores;
  reader.Integer("workers", 1, kMostWorkers, workers);
  reader.Integer("flows_per_worker", 64, kMostFlowsPerWorker, flows);
  if (!IsPowerOfTwo(flows)) reader.Fault("flows_per_worker", "must be a power of two");
  reader.Integer("relays_per_worker", 0, kMostRelaysPerWorker, relays);
  if (relays != 0 && !IsPowerOfTwo(relays)) reader.Fault("relays_per_worker", "must be a power of two, or 0");
  reader.Choice("idle", {"poll", "adaptive"}, idle);
  reader.Choice("hugepages", {"auto", "off"}, hugepages);
  reader.String("runtime_directory", settings.runtime_directory);
  if (!settings.runtime_directory.starts_with('/'))
    reader.Fault("runtime_directory", "must be an absolute path");
  reader.String("controlplane_user", settings.controlplane_user);
  reader.Choice("xdp_mode", {"generic", "native"}, mode);
  reader.Integers("cores", 0, 1023, cores);
  if (!cores.empty() && int64_t(cores.size()) != workers) {
    reader.Fault("cores", "must name one core per worker (" + std::to_string(workers) + ")");
  }
  if (std::set<int64_t>(cores.begin(), cores.end()).size() != cores.size())
    reader.Fault("cores", "names a core twice");
  reader.Finish();
  settings.workers = uint16_t(workers);
  settings.flows_per_worker = uint32_t(flows);
  settings.relays_per_worker = uint32_t(relays);
  settings.idle = IdleMode(idle);
  settings.hugepages = HugepageMode(hugepages);
  settings.xdp_mode = mode == 0 ? "generic" : "native";
  settings.cores.assign(cores.begin(), cores.end());
}

void ReadSrtp(TomlReader reader, DataplaneSettings& settings) {
  size_t engine = size_t(settings.srtp_engine);
  reader.Choice("engine", {"libsrtp2", "ipsec-mb"}, engine);
  reader.Finish();
  settings.srtp_engine = SrtpEngine(engine);
}

void ReadStun(TomlReader reader, StunSettings& settings) {
  int64_t per_source = settings.requests_per_second_per_source, clients = settings.new_clients_per_second;
  reader.Integer("requests_per_second_per_source", 0, kMostRequestsPerSecond, per_source);
  reader.Integer("new_clients_per_second", 1, kMostRequestsPerSecond, clients);
  reader.Finish();
  settings.requests_per_second_per_source = uint32_t(per_source);
  settings.new_clients_per_second = uint32_t(clients);
}

std::vector<uint16_t> ReadListenerPorts(TomlReader& reader, std::string_view key) {
  std::vector<int64_t> ports;
  reader.Integers(key, 1, 65535, ports);
  if (ports.size() > kMostListenerPorts)
    reader.Fault(key, "lists more than " + std::to_string(kMostListenerPorts));
  return {ports.begin(), ports.end()};
}

/// Pairs of RFC 3550 section 11 (RTP even, RTCP the odd port above) and of RFC 8656 section 18.7 (EVEN-PORT).
PortRange ReadPairs(TomlReader& reader, std::string_view key, int64_t workers) {
  std::vector<int64_t> ports;
  reader.Integers(key, 1, 65535, ports);
  if (!reader.Has(key)) return {};
  const bool pairs = ports.size() == 2 && ports[0] % 2 == 0 && ports[1] % 2 == 1;
  if (!pairs || ports[1] - ports[0] + 1 < 2 * workers) {
    reader.Fault(key, "must be [first, last] with an even first, an odd last and a pair for every worker");
    return {};
  }
  return {uint16_t(ports[0]), uint16_t(ports[1])};
}

void ReadRealmPorts(TomlReader& reader, int64_t workers, Realm& realm) {
  int64_t webrtc_port = 0;
  reader.Integer("webrtc_port", 1, 65535, webrtc_port);
  if (webrtc_port + workers - 1 > 65535) {
    reader.Fault("webrtc_port", "leaves no port for every worker (worker i uses webrtc_port + i)");
  }
  realm.webrtc_port = uint16_t(webrtc_port);
  realm.stun_ports = ReadListenerPorts(reader, "stun_ports");
  realm.turn_ports = ReadListenerPorts(reader, "turn_ports");
  realm.rtp_ports = ReadPairs(reader, "rtp_ports", workers);
  realm.relay_ports = ReadPairs(reader, "relay_ports", workers);
}

Realm ReadRealm(TomlReader& reader, int64_t workers) {
  Realm realm;
  reader.String("name", realm.name);
  if (!IsRealmName(realm.name)) {
    reader.Fault(
        "name", "must be 1 to " + std::to_string(kLongestRealmName) + " characters of a-z, 0-9, '-' and '_'");
  }
  reader.RenameSection("[[realm]] '" + realm.name + "'");
  reader.String("interface", realm.interface);
  if (!IsInterfaceName(realm.interface) && !IsMemifName(realm.interface)) {
    reader.Fault("interface", "must be the name of a network interface, or memif:/path/of/a/socket");
  }
  int64_t vlan = 0;
  reader.Integer("vlan", 1, kLastVlan, vlan);
  realm.vlan = uint16_t(vlan);
  if (vlan != 0 && !IsMemifName(realm.interface))
    reader.Fault("vlan", "is for memif ports; of a network interface name the VLAN device (eth0.100)");
  realm.addresses = ReadAddresses(reader, "addresses");
  const auto v4 =
      std::count_if(realm.addresses.begin(), realm.addresses.end(), [](auto& a) { return a.is_v4(); });
  if (realm.addresses.empty() || v4 > 1 || realm.addresses.size() - size_t(v4) > 1) {
    reader.Fault("addresses", "must list one address, or one of each family");
  }
  realm.advertise = ReadAddresses(reader, "advertise");
  const bool same_shape =
      std::equal(realm.addresses.begin(), realm.addresses.end(), realm.advertise.begin(),
                 realm.advertise.end(), [](auto& a, auto& b) { return a.family() == b.family(); });
  if (!realm.advertise.empty() && !same_shape) {
    reader.Fault("advertise", "must match `addresses` one to one and family by family");
  }
  ReadRealmPorts(reader, workers, realm);
  reader.String("other_realm", realm.other_realm);
  reader.Finish();
  return realm;
}

void NotePortUses(const TomlReader& reader, const Realm& realm, uint32_t workers,
                  std::vector<PortUse>& uses) {
  const std::string where = "[[realm]] '" + realm.name + "' ";
  const auto note = [&](const IpAddress& address, uint32_t first, uint32_t last, const std::string& key) {
    uses.push_back({address, first, last, where + key, reader.LineOf(key)});
  };
  for (const IpAddress& address : realm.addresses) {
    if (realm.webrtc_port != 0)
      note(address, realm.webrtc_port, realm.webrtc_port + workers - 1, "webrtc_port");
    for (uint16_t port : realm.stun_ports) note(address, port, port, "stun_ports");
    for (uint16_t port : realm.turn_ports) note(address, port, port, "turn_ports");
    if (!realm.rtp_ports.empty()) note(address, realm.rtp_ports.first, realm.rtp_ports.last, "rtp_ports");
    if (!realm.relay_ports.empty())
      note(address, realm.relay_ports.first, realm.relay_ports.last, "relay_ports");
  }
}

/// RFC 5780 section 6: two addresses, two ports, every combination answered by one server.
void CheckOtherRealm(const TomlReader& reader, ErrorSink& sink, const Realm& realm,
                     const std::vector<Realm>& realms) {
  if (realm.other_realm.empty()) return;
  const auto fault = [&](const std::string& what) {
    sink.Report(reader.LineOf("other_realm"), "[[realm]] '" + realm.name + "' other_realm", what);
  };
  const auto other = std::ranges::find(realms, realm.other_realm, &Realm::name);
  if (other == realms.end()) return fault("no realm is called '" + realm.other_realm + "'");
  if (other->interface != realm.interface) return fault("must be a realm on the same interface");
  for (const IpAddress& address : realm.addresses) {
    if (std::ranges::find(other->addresses, address) != other->addresses.end())
      return fault("must be a realm of other addresses");
  }
  const auto ports = ListenerPortsOf(realm), other_ports = ListenerPortsOf(*other);
  if (ports.size() < 2 || other_ports.size() < 2 || ports[0] != other_ports[0] || ports[1] != other_ports[1])
    fault("needs two listener ports (turn_ports, then stun_ports), the same two in both realms");
}

void ReadRealms(ErrorSink& sink, const toml::table& root, DataplaneSettings& settings) {
  const toml::node* node = root.get("realm");
  const toml::array* tables = node != nullptr ? node->as_array() : nullptr;
  if (tables == nullptr || tables->empty() || tables->size() > kMostRealms || !tables->is_array_of_tables()) {
    return sink.Report(node != nullptr ? node->source().begin.line : 0, "[[realm]]",
                       "the file needs 1 to " + std::to_string(kMostRealms) + " [[realm]] sections");
  }
  std::vector<PortUse> uses;
  std::set<std::string> names;
  std::vector<TomlReader> readers;
  for (const toml::node& element : *tables) {
    TomlReader reader(sink, *element.as_table(), "[[realm]]");
    Realm realm = ReadRealm(reader, settings.workers);
    if (sink.failed()) return;
    if (!names.insert(realm.name).second) return reader.Fault("name", "another realm has this name");
    if (std::ranges::any_of(settings.realms, [&](const Realm& other) {
          return other.interface == realm.interface && other.vlan != realm.vlan;
        }))
      return reader.Fault("vlan", "must be the same in all realms on " + realm.interface);
    NotePortUses(reader, realm, settings.workers, uses);
    settings.realms.push_back(std::move(realm));
    readers.push_back(reader);
  }
  if (auto overlap = FindOverlap(uses)) {
    sink.Report(overlap->later->line, overlap->later->where,
                "overlaps on " + overlap->later->address.ToString() + " with " + overlap->earlier->where +
                    " of line " + std::to_string(overlap->earlier->line));
  }
  for (size_t r = 0; r < settings.realms.size(); ++r)
    CheckOtherRealm(readers[r], sink, settings.realms[r], settings.realms);
}

/// The table called `name`, null if absent; a fault if it is something else.
const toml::table* Section(ErrorSink& sink, const toml::table& root, std::string_view name) {
  const toml::node* node = root.get(name);
  if (node != nullptr && !node->is_table()) {
    sink.Report(node->source().begin.line, name, "must be a section");
    return nullptr;
  }
  return node != nullptr ? node->as_table() : nullptr;
}

}  // namespace

std::string MemifPathOf(const std::string& interface) {
  return interface.starts_with(kMemifPrefix) ? interface.substr(kMemifPrefix.size()) : std::string();
}

Result<DataplaneSettings> LoadDataplaneSettings(const std::string& path) {
  toml::table root;
  try {
    root = toml::parse_file(path);
  } catch (const toml::parse_error& error) {
    const uint32_t line = error.source().begin.line;
    return Fail(path + (line > 0 ? ":" + std::to_string(line) : "") + ": " +
                std::string(error.description()));
  }
  ErrorSink sink(path);
  DataplaneSettings settings;
  if (const auto* table = Section(sink, root, "dataplane"))
    ReadDataplane({sink, *table, "[dataplane]"}, settings);
  if (const auto* table = Section(sink, root, "srtp")) ReadSrtp({sink, *table, "[srtp]"}, settings);
  if (const auto* table = Section(sink, root, "stun")) ReadStun({sink, *table, "[stun]"}, settings.stun);
  ReadRealms(sink, root, settings);
  if (sink.failed()) return MakeUnexpected(*sink.error());
  const bool relays =
      std::ranges::any_of(settings.realms, [](const Realm& r) { return !r.relay_ports.empty(); });
  const toml::node* asked = root.at_path("dataplane.relays_per_worker").node();
  if (relays && asked == nullptr) settings.relays_per_worker = kDefaultRelaysPerWorker;
  settings.hash = HashOf(settings);
  return settings;
}

std::vector<uint16_t> ListenerPortsOf(const Realm& realm) {
  std::vector<uint16_t> ports = realm.turn_ports;
  ports.insert(ports.end(), realm.stun_ports.begin(), realm.stun_ports.end());
  return ports;
}

uint16_t VlanOf(const DataplaneSettings& settings, const std::string& interface) {
  const auto realm = std::ranges::find(settings.realms, interface, &Realm::interface);
  return realm != settings.realms.end() ? realm->vlan : 0;
}

std::vector<std::string> InterfacesOf(const DataplaneSettings& settings) {
  std::vector<std::string> interfaces;
  for (const Realm& realm : settings.realms) {
    if (std::find(interfaces.begin(), interfaces.end(), realm.interface) == interfaces.end()) {
      interfaces.push_back(realm.interface);
    }
  }
  return interfaces;
}

}  // namespace linegate::settings
