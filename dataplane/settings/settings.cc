#include "dataplane/settings/settings.h"

#include <algorithm>
#include <bit>
#include <set>
#include <utility>

#include "dataplane/settings/settings_overlap.h"
#include "dataplane/settings/toml_reader.h"

namespace linegate::settings {
namespace {

constexpr int64_t kMostWorkers = 64;
constexpr int64_t kMostFlowsPerWorker = 1 << 20;
constexpr size_t kMostRealms = 16;
constexpr size_t kMostStunPorts = 16;
constexpr size_t kLongestInterfaceName = 15;  // IFNAMSIZ - 1
constexpr size_t kLongestRealmName = 31;

bool IsPowerOfTwo(int64_t value) { return value > 0 && std::has_single_bit(uint64_t(value)); }

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
  int64_t workers = settings.workers, flows = settings.flows_per_worker;
  size_t idle = size_t(settings.idle), hugepages = size_t(settings.hugepages), mode = 0;
  std::vector<int64_t> cores;
  reader.Integer("workers", 1, kMostWorkers, workers);
  reader.Integer("flows_per_worker", 64, kMostFlowsPerWorker, flows);
  if (!IsPowerOfTwo(flows)) reader.Fault("flows_per_worker", "must be a power of two");
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

void ReadRealmPorts(TomlReader& reader, int64_t workers, Realm& realm) {
  int64_t webrtc_port = 0;
  reader.Integer("webrtc_port", 1, 65535, webrtc_port);
  if (webrtc_port + workers - 1 > 65535) {
    reader.Fault("webrtc_port", "leaves no port for every worker (worker i uses webrtc_port + i)");
  }
  realm.webrtc_port = uint16_t(webrtc_port);
  std::vector<int64_t> stun_ports, rtp_ports;
  reader.Integers("stun_ports", 1, 65535, stun_ports);
  if (stun_ports.size() > kMostStunPorts)
    reader.Fault("stun_ports", "lists more than " + std::to_string(kMostStunPorts));
  realm.stun_ports.assign(stun_ports.begin(), stun_ports.end());
  reader.Integers("rtp_ports", 1, 65535, rtp_ports);
  if (!reader.Has("rtp_ports")) return;
  // Pairs of RFC 3550 section 11: RTP even, RTCP the odd port above.
  const bool pairs = rtp_ports.size() == 2 && rtp_ports[0] % 2 == 0 && rtp_ports[1] % 2 == 1;
  if (!pairs || rtp_ports[1] - rtp_ports[0] + 1 < 2 * workers) {
    return reader.Fault("rtp_ports",
                        "must be [first, last] with an even first, an odd last and a pair for every worker");
  }
  realm.rtp_ports = {uint16_t(rtp_ports[0]), uint16_t(rtp_ports[1])};
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
  if (!IsInterfaceName(realm.interface)) reader.Fault("interface", "must be the name of a network interface");
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
  reader.Finish();
  return realm;
}

void NotePortUses(const TomlReader& reader, const Realm& realm, uint32_t workers,
                  std::vector<PortUse>& uses) {
  const std::string where = "[[realm]] '" + realm.name + "' ";
  for (const IpAddress& address : realm.addresses) {
    if (realm.webrtc_port != 0) {
      uses.push_back({address, realm.webrtc_port, realm.webrtc_port + workers - 1, where + "webrtc_port",
                      reader.LineOf("webrtc_port")});
    }
    for (uint16_t port : realm.stun_ports) {
      uses.push_back({address, port, port, where + "stun_ports", reader.LineOf("stun_ports")});
    }
    if (!realm.rtp_ports.empty()) {
      uses.push_back({address, realm.rtp_ports.first, realm.rtp_ports.last, where + "rtp_ports",
                      reader.LineOf("rtp_ports")});
    }
  }
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
  for (const toml::node& element : *tables) {
    TomlReader reader(sink, *element.as_table(), "[[realm]]");
    Realm realm = ReadRealm(reader, settings.workers);
    if (sink.failed()) return;
    if (!names.insert(realm.name).second) return reader.Fault("name", "another realm has this name");
    NotePortUses(reader, realm, settings.workers, uses);
    settings.realms.push_back(std::move(realm));
  }
  if (auto overlap = FindOverlap(uses)) {
    sink.Report(overlap->later->line, overlap->later->where,
                "overlaps on " + overlap->later->address.ToString() + " with " + overlap->earlier->where +
                    " of line " + std::to_string(overlap->earlier->line));
  }
}

/// FNV-1a over the fields in order: two processes that read equal settings get equal numbers, whatever the
/// file's comments and layout. Not a defence against anybody.
class SettingsHash {
 public:
  void Add(std::string_view text) {
    Add(text.size());
    for (char c : text) Byte(uint8_t(c));
  }
  void Add(uint64_t number) {
    for (int shift = 0; shift < 64; shift += 8) Byte(uint8_t(number >> shift));
  }
  void Add(const std::vector<IpAddress>& addresses) {
    Add(addresses.size());
    for (const IpAddress& address : addresses) Add(AsText(address.bytes()));
  }
  uint64_t value() const { return value_; }

 private:
  void Byte(uint8_t byte) { value_ = (value_ ^ byte) * 0x100000001b3; }
  uint64_t value_ = 0xcbf29ce484222325;
};

uint64_t HashOf(const DataplaneSettings& settings) {
  SettingsHash hash;
  hash.Add(settings.workers);
  hash.Add(settings.flows_per_worker);
  hash.Add(uint64_t(settings.idle));
  hash.Add(uint64_t(settings.hugepages));
  hash.Add(settings.runtime_directory);
  hash.Add(settings.controlplane_user);
  hash.Add(settings.xdp_mode);
  hash.Add(settings.cores.size());
  for (int core : settings.cores) hash.Add(uint64_t(core));
  hash.Add(uint64_t(settings.srtp_engine));
  hash.Add(settings.realms.size());
  for (const Realm& realm : settings.realms) {
    hash.Add(realm.name);
    hash.Add(realm.interface);
    hash.Add(realm.addresses);
    hash.Add(realm.advertise);
    hash.Add(realm.webrtc_port);
    hash.Add(realm.stun_ports.size());
    for (uint16_t port : realm.stun_ports) hash.Add(port);
    hash.Add(realm.rtp_ports.first);
    hash.Add(realm.rtp_ports.last);
  }
  return hash.value();
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
  ReadRealms(sink, root, settings);
  if (sink.failed()) return MakeUnexpected(*sink.error());
  settings.hash = HashOf(settings);
  return settings;
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
