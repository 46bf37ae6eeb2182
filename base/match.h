// A case for each alternative of a variant; the compiler refuses the match that leaves one out.
#pragma once

#include <utility>
#include <variant>

namespace vas {

template <typename... Handlers>
struct Cases : Handlers... {
  using Handlers::operator()...;
};

// Calls the one of `handlers` that takes what `variant` holds, and returns what it returns. No handler takes
// `const auto&` where it would take an alternative that nobody has thought of yet.
template <typename Variant, typename... Handlers>
decltype(auto) match(Variant&& variant, Handlers... handlers) {
  return std::visit(Cases<Handlers...>{std::move(handlers)...}, std::forward<Variant>(variant));
}

template <typename Alternative>
struct IgnoredAlternative {
  void operator()(const Alternative&) const {}
};

// The handler for alternatives that mean nothing here. They are named, so that a new one is thought of.
template <typename... Alternatives>
inline constexpr Cases<IgnoredAlternative<Alternatives>...> ignoring{};

}  // namespace vas
