#include "dataplane/settings/settings_hash.h"

namespace linegate::settings {
namespace {

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

}  // namespace

uint64_t HashOf(const DataplaneSettings& settings) {
  SettingsHash hash;
  hash.Add(settings.workers);
  hash.Add(settings.flows_per_worker);
  hash.Add(settings.relays_per_worker);
  hash.Add(uint64_t(settings.idle));
  hash.Add(uint64_t(settings.hugepages));
  hash.Add(settings.runtime_directory);
  hash.Add(settings.controlplane_user);
  hash.Add(settings.xdp_mode);
  hash.Add(settings.cores.size());
  for (int core : settings.cores) hash.Add(uint64_t(core));
  hash.Add(uint64_t(settings.srtp_engine));
  hash.Add(settings.stun.requests_per_second_per_source);
  hash.Add(settings.stun.new_clients_per_second);
  hash.Add(settings.realms.size());
  for (const Realm& realm : settings.realms) {
    hash.Add(realm.name);
    hash.Add(realm.interface);
    hash.Add(realm.vlan);
    hash.Add(realm.addresses);
    hash.Add(realm.advertise);
    hash.Add(realm.webrtc_port);
    hash.Add(realm.stun_ports.size());
    for (uint16_t port : realm.stun_ports) hash.Add(port);
    hash.Add(realm.rtp_ports.first);
    hash.Add(realm.rtp_ports.last);
    hash.Add(realm.turn_ports.size());
    for (uint16_t port : realm.turn_ports) hash.Add(port);
    hash.Add(realm.relay_ports.first);
    hash.Add(realm.relay_ports.last);
    hash.Add(realm.other_realm);
  }
  return hash.value();
}

}  // namespace linegate::settings
