#pragma once
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "dataplane/settings/settings.h"

namespace linegate::session {

/// A realm as media sees it: addresses to bind, and what SDP says instead (1:1 NAT). Theory of operation:
/// flows always carry the bound address, descriptions always the advertised one; the pair never mixes.
class LocalRealm {
 public:
  LocalRealm() = default;
  LocalRealm(const settings::DataplaneSettings& settings, size_t index)
      : index_(uint16_t(index)), realm_(settings.realms[index]) {}
  static std::optional<LocalRealm> Find(const settings::DataplaneSettings& settings, std::string_view name) {
    for (size_t i = 0; i < settings.realms.size(); ++i) {
      if (settings.realms[i].name == name) return LocalRealm(settings, i);
    }
    return std::nullopt;
  }

  uint16_t index() const { return index_; }
  uint16_t webrtc_port(uint16_t worker) const { return uint16_t(realm_.webrtc_port + worker); }
  const settings::Realm& settings() const { return realm_; }
  /// In the operator's order; never empty (settings.cc checks).
  const std::vector<IpAddress>& advertised() const {
    return realm_.advertise.empty() ? realm_.addresses : realm_.advertise;
  }
  /// kNone: the realm has no address of that family.
  IpAddress BoundOf(IpFamily family) const { return At(family, realm_.addresses); }
  IpAddress AdvertisedOf(IpFamily family) const { return At(family, advertised()); }
  IpFamily preferred_family() const { return realm_.addresses.front().family(); }

 private:
  /// `advertise` runs parallel to `addresses`; its own family is what the peer sees.
  IpAddress At(IpFamily family, const std::vector<IpAddress>& from) const {
    for (size_t i = 0; i < realm_.addresses.size() && i < from.size(); ++i) {
      if (realm_.addresses[i].family() == family) return from[i];
    }
    return {};
  }

  uint16_t index_ = 0;
  settings::Realm realm_;
};

}  // namespace linegate::session
