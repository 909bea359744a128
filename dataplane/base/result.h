#pragma once
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace linegate {

/// Cold-path error: what went wrong, in words an operator can act on. `context` is prepended by each caller
/// that knows more ("realm 'public': address 10.0.0.1: already in use").
class [[nodiscard]] Error {
 public:
  explicit Error(std::string message) : message_(std::move(message)) {}
  const std::string& message() const { return message_; }
  Error WithContext(const std::string& context) && { return Error(context + ": " + message_); }

 private:
  std::string message_;
};

template <typename E>
struct Unexpected {
  E error;
};
inline Unexpected<Error> Fail(std::string message) { return {Error(std::move(message))}; }
template <typename E>
Unexpected<E> MakeUnexpected(E error) {
  return {std::move(error)};
}

/// A value or an error, with the spelling of std::expected (which g++ 12 does not have in C++20 mode).
template <typename T, typename E = Error>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit by design
  Result(Unexpected<E> error) : state_(std::in_place_index<1>, std::move(error.error)) {}  // NOLINT
  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  E& error() & { return std::get<1>(state_); }
  const E& error() const& { return std::get<1>(state_); }
  E&& error() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<T, E> state_;
};

template <typename E>
class [[nodiscard]] Result<void, E> {
 public:
  using value_type = void;
  Result() = default;
  Result(Unexpected<E> error) : error_(std::move(error.error)) {}  // NOLINT: implicit by design
  bool has_value() const { return !error_.has_value(); }
  explicit operator bool() const { return has_value(); }
  E& error() & { return *error_; }
  const E& error() const& { return *error_; }
  E&& error() && { return *std::move(error_); }

 private:
  std::optional<E> error_;
};

using Status = Result<void>;

}  // namespace linegate
