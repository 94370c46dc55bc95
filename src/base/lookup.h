// known_at(): the element that must be there, in a map, a list or a JSON object. A promise of our
// own code, as CHECK is; what comes from outside is looked for with find() or if_contains().
#pragma once

#include <cstddef>

#include "base/result.h"

namespace flotte {

template <class Container, class Key>
auto& known_at(Container& container, Key const& key) {
  if constexpr (requires { container.if_contains(key); }) {
    auto* const found = container.if_contains(key);
    CHECK(found != nullptr);
    return *found;
  } else if constexpr (requires { container.find(key)->second; }) {
    auto const found = container.find(key);
    CHECK(found != container.end());
    return found->second;
  } else {
    CHECK(static_cast<std::size_t>(key) < container.size());
    return container[static_cast<std::size_t>(key)];
  }
}

}  // namespace flotte
