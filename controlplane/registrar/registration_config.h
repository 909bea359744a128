#pragma once
#include <chrono>
#include <cstddef>

namespace linegate::registrar {

struct RegistrationConfig {
  std::chrono::seconds min_expires{60};       ///< below: 423 with Min-Expires
  std::chrono::seconds max_expires{3600};     ///< above: lowered
  std::chrono::seconds default_expires{600};  ///< when the request names none
  size_t max_contacts_per_aor = 10;
  size_t max_bindings = 100'000;
};

}  // namespace linegate::registrar
