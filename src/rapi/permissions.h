// Permissions: what the remote API can be asked for, the roles that may, and what the options of
// an account come to (docs/ganeti.md, "Remote API"). Pure; any thread.
#pragma once

#include <cstddef>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace flotte::rapi {

struct Permission {
  std::string_view name;     // "instances.startup"
  bool is_readonly = false;  // of the role @readonly
  bool is_operator = false;  // of the role @operator
};
// All that there are. @admin has them all.
std::span<Permission const> permissions();
bool is_permission(std::string_view name);

struct Rights {
  std::set<std::string, std::less<>> permissions;
  // Ganeti's older options, which newer ones imply. What can be asked for has a permission: ask for
  // that.
  bool reads = false;
  bool writes = false;
  std::size_t unknown = 0;  // options that mean nothing, and give nothing
};
// Of "@operator,-instances.migrate", in whichever order: what is taken away is not given.
// WrongInput: something that there isn't is taken away, so that nobody knows what should be left.
Result<Rights> rights_of(std::string_view options);

}  // namespace flotte::rapi
