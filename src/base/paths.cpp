#include "base/paths.h"

#include <cstdlib>

namespace flotte {

Paths Paths::from_environment() {
  auto const* root = std::getenv("FLOTTE_ROOT");
  std::string prefix = root ? root : "";
  while (!prefix.empty() && prefix.back() == '/') prefix.pop_back();
  return Paths(prefix);
}

}  // namespace flotte
