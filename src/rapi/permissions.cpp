#include "rapi/permissions.h"

#include <algorithm>
#include <array>

namespace flotte::rapi {
namespace {

constexpr bool yes = true;
constexpr bool no = false;
constexpr std::array table{
    Permission{"cluster.info", yes, yes},
    Permission{"cluster.modify", no, no},
    Permission{"cluster.redistribute_config", no, no},
    Permission{"filter.create", no, no},
    Permission{"filter.list", yes, yes},
    Permission{"filter.modify", no, no},
    Permission{"filter.query", yes, yes},
    Permission{"filter.remove", no, no},
    Permission{"groups.assign_nodes", no, no},
    Permission{"groups.create", no, no},
    Permission{"groups.delete", no, no},
    Permission{"groups.list", yes, yes},
    Permission{"groups.modify", no, no},
    Permission{"groups.query", yes, yes},
    Permission{"groups.rename", no, no},
    Permission{"instances.activate_disks", no, no},
    Permission{"instances.create", no, no},
    Permission{"instances.deactivate_disks", no, no},
    Permission{"instances.export.create", no, yes},
    Permission{"instances.export.prepare", no, yes},
    Permission{"instances.export.remove", no, yes},
    Permission{"instances.failover", no, yes},
    Permission{"instances.grow_disk", no, no},
    Permission{"instances.info", yes, yes},
    Permission{"instances.list", yes, yes},
    Permission{"instances.migrate", no, yes},
    Permission{"instances.modify", no, no},
    Permission{"instances.multi_alloc", no, no},
    Permission{"instances.query", yes, yes},
    Permission{"instances.query.console", no, yes},
    Permission{"instances.reboot", no, yes},
    Permission{"instances.recreate_disks", no, no},
    Permission{"instances.reinstall", no, no},
    Permission{"instances.remove", no, no},
    Permission{"instances.rename", no, no},
    Permission{"instances.replace_disks", no, yes},
    Permission{"instances.shutdown", no, yes},
    Permission{"instances.startup", no, yes},
    Permission{"jobs.cancel", no, no},
    Permission{"jobs.list", yes, yes},
    Permission{"jobs.query", yes, yes},
    Permission{"jobs.wait", no, no},
    Permission{"networks.connect", no, no},
    Permission{"networks.create", no, no},
    Permission{"networks.disconnect", no, no},
    Permission{"networks.list", yes, yes},
    Permission{"networks.modify", no, no},
    Permission{"networks.query", yes, yes},
    Permission{"networks.remove", no, no},
    Permission{"networks.rename", no, no},
    Permission{"nodes.evacuate", no, no},
    Permission{"nodes.list", yes, yes},
    Permission{"nodes.migrate", no, no},
    Permission{"nodes.modify", no, no},
    Permission{"nodes.powercycle", no, no},
    Permission{"nodes.query", yes, yes},
    Permission{"nodes.role.modify", no, no},
    Permission{"nodes.role.query", yes, yes},
    Permission{"nodes.storage.modify", no, no},
    Permission{"nodes.storage.query", no, no},
    Permission{"nodes.storage.repair", no, no},
    Permission{"os.list", yes, yes},
    Permission{"query.all", yes, yes},
    Permission{"tags.delete", no, no},
    Permission{"tags.get", yes, yes},
    Permission{"tags.set", no, no},
};
static_assert(std::ranges::is_sorted(table, {}, &Permission::name));

// What `read` also opens in Ganeti 3.0, and @readonly doesn't.
constexpr std::string_view console = "instances.query.console";

void give_role(Rights& rights, bool (*has)(Permission const&)) {
  for (auto const& permission : table) {
    if (has(permission)) rights.permissions.emplace(permission.name);
  }
}

// False: it means nothing.
bool give(Rights& rights, std::string_view option) {
  constexpr auto is_readonly = [](Permission const& permission) { return permission.is_readonly; };
  constexpr auto is_operator = [](Permission const& permission) { return permission.is_operator; };
  constexpr auto is_any = [](Permission const&) { return true; };
  if (is_permission(option)) {
    rights.permissions.emplace(option);
  } else if (option == "read" || option == "@readonly") {
    give_role(rights, is_readonly);
    if (option == "read") rights.permissions.emplace(console);
    rights.reads = true;
  } else if (option == "@operator") {
    give_role(rights, is_operator);
    rights.reads = true;
  } else if (option == "write" || option == "all" || option == "@admin") {
    give_role(rights, is_any);
    rights.reads = rights.writes = true;
  } else {
    return false;
  }
  return true;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\v\f";
  text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
  return text.substr(0, text.find_last_not_of(blanks) + 1);
}

}  // namespace

std::span<Permission const> permissions() {
  return table;
}

bool is_permission(std::string_view name) {
  return std::ranges::binary_search(table, name, {}, &Permission::name);
}

Result<Rights> rights_of(std::string_view options) {
  Rights rights;
  std::set<std::string_view> taken;
  while (!options.empty()) {
    auto const comma = std::min(options.find(','), options.size());
    auto option = trimmed(options.substr(0, comma));
    options.remove_prefix(std::min(comma + 1, options.size()));
    if (option.starts_with('-')) {
      option.remove_prefix(1);
      if (!is_permission(option)) {
        return fail(ErrorCode::WrongInput, "takes away a permission that there isn't");
      }
      taken.insert(option);
      continue;
    }
    auto const is_added = option.starts_with('+');
    if (is_added) option.remove_prefix(1);
    if (option.empty() && !is_added) continue;
    auto const is_known = is_added && !is_permission(option) ? false : give(rights, option);
    if (!is_known) ++rights.unknown;
  }
  for (auto const& permission : taken) {
    auto const found = rights.permissions.find(permission);
    if (found != rights.permissions.end()) rights.permissions.erase(found);
  }
  return rights;
}

}  // namespace flotte::rapi
