// A value, or an operator's mistake in words: what went wrong and why.
#pragma once

#include <string>
#include <utility>
#include <variant>

namespace vas {

struct Error {
  std::string text;
};

// For what an operator or a peer's negotiation can get wrong. Hostile bytes get std::optional instead.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}      // NOLINT: implicit by intent
  Result(Error error) : state_(std::move(error)) {}  // NOLINT: implicit by intent

  explicit operator bool() const { return std::holds_alternative<T>(state_); }
  T& operator*() { return std::get<T>(state_); }
  const T& operator*() const { return std::get<T>(state_); }
  T* operator->() { return &std::get<T>(state_); }
  const T* operator->() const { return &std::get<T>(state_); }
  const std::string& error() const { return std::get<Error>(state_).text; }

 private:
  std::variant<T, Error> state_;
};

}  // namespace vas
