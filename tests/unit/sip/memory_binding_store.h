#pragma once
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "controlplane/registrar/binding_store.h"

namespace linegate::registrar {

/// The BindingStore contract in a map. Outlives a B2bua in tests of restarts.
class MemoryBindingStore final : public BindingStore {
 public:
  std::vector<Binding> FindByAor(std::string_view aor, TimePoint now) const override {
    std::vector<Binding> found;
    for (const std::string& token : order_)
      if (const Binding& binding = bindings_.at(token); binding.aor == aor && binding.expires_at > now)
        found.push_back(binding);
    std::stable_sort(found.begin(), found.end(),
                     [](const Binding& a, const Binding& b) { return a.q_milli > b.q_milli; });
    return found;
  }
  std::optional<Binding> FindByToken(std::string_view token, TimePoint now) const override {
    const auto found = bindings_.find(token);
    if (found == bindings_.end() || found->second.expires_at <= now) return std::nullopt;
    return found->second;
  }
  Status Put(const Binding& binding) override {
    if (fail_next_put) {
      fail_next_put = false;
      return Fail("disk full");
    }
    if (bindings_.insert_or_assign(binding.token, binding).second) order_.push_back(binding.token);
    return {};
  }
  void Remove(std::string_view token) override {
    if (const auto found = bindings_.find(token); found != bindings_.end()) bindings_.erase(found);
    std::erase(order_, token);
  }
  std::vector<std::string> RemoveExpired(TimePoint now) override {
    std::vector<std::string> expired;
    for (const auto& [token, binding] : bindings_)
      if (binding.expires_at <= now) expired.push_back(token);
    for (const std::string& token : expired) Remove(token);
    return expired;
  }
  std::vector<Binding> All(TimePoint now) const override {
    std::vector<Binding> all;
    for (const std::string& token : order_)
      if (bindings_.at(token).expires_at > now) all.push_back(bindings_.at(token));
    return all;
  }
  size_t size() const override { return bindings_.size(); }

  bool fail_next_put = false;

 private:
  std::map<std::string, Binding, std::less<>> bindings_;
  std::vector<std::string> order_;
};

}  // namespace linegate::registrar
