#pragma once
#include <compare>
#include <cstddef>
#include <functional>

namespace linegate {

/// A distinct type over `T`: the compiler refuses to mix an SSRC with a sequence number. `Tag` is any (incomplete) type.
template <typename Tag, typename T>
class StrongType {
 public:
  using underlying = T;
  constexpr StrongType() = default;
  explicit constexpr StrongType(T value) : value_(value) {}
  constexpr T value() const { return value_; }
  friend constexpr auto operator<=>(const StrongType&, const StrongType&) = default;

 private:
  T value_{};
};

}  // namespace linegate

template <typename Tag, typename T>
struct std::hash<linegate::StrongType<Tag, T>> {
  size_t operator()(const linegate::StrongType<Tag, T>& v) const noexcept {
    return std::hash<T>{}(v.value());
  }
};
