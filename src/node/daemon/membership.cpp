#include "node/daemon/membership.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>
#include <filesystem>
#include <mutex>

#include "base/clock.h"
#include "base/random.h"
#include "model/ssconf.h"
#include "node/daemon/cluster_keys.h"
#include "node/daemon/state_files.h"
#include "rpc/wire.h"
#include "sys/files.h"

namespace flotte::node {
namespace {

constexpr mode_t mode_secret = 0600;
constexpr mode_t mode_public = 0644;
constexpr mode_t mode_ssconf = 0444;
constexpr std::string_view ssconf_prefix = "ssconf_";
// What scripts compare with (docs/ganeti.md, "ssconf").
constexpr std::string_view release_version = "3.0.2";

std::string membership_file(Paths const& paths) {
  return paths.lib() + "/node.json";
}

struct Placed {
  std::string path;
  mode_t mode;
  Owner owner;
};

// Everything but ssconf, in the order in which it is written.
std::array<Placed, 8> cluster_files(Paths const& paths) {
  auto const self = Owner::self();
  auto const controller = Owner::controller();
  return {{{authority_key_file(paths), mode_secret, self},
           {paths.cluster_ca(), mode_public, self},
           {paths.node_certificate(), mode_secret, self},
           {paths.controller_certificate(), mode_secret, controller},
           {paths.rapi_certificate(), mode_secret, controller},
           {paths.hmac_key(), mode_secret, self},
           {paths.domain_secret(), mode_secret, self},
           {membership_file(paths), mode_public, self}}};
}

std::array<Placed, 13> cluster_directories(Paths const& paths) {
  constexpr mode_t open_to_all = 0755;
  constexpr mode_t administrators = 0750;
  constexpr mode_t own_only = 0700;
  auto const self = Owner::self();
  auto const controller = Owner::controller();
  Owner const shared{self.uid, controller.gid};
  return {{{paths.etc(), open_to_all, self},
           {paths.lib(), open_to_all, self},
           {paths.lib() + "/rapi", administrators, shared},
           {paths.controller(), own_only, controller},
           {paths.run(), open_to_all, self},
           {paths.controller_run(), open_to_all, controller},
           {paths.controller_sockets(), open_to_all, controller},
           {paths.instance_disks(), open_to_all, self},
           {paths.logs(), open_to_all, self},
           {paths.os_logs(), administrators, self},
           {paths.logs() + "/kvm", administrators, self},
           {paths.srv(), open_to_all, self},
           {paths.srv() + "/os", open_to_all, self}}};
}

// What differs from how it was made, so that others may read or change it, or its owner can't.
std::optional<rpc::FileFault> fault_of(Placed const& wanted) {
  struct stat now{};
  if (::lstat(wanted.path.c_str(), &now) != 0) {
    return rpc::FileFault{.path = wanted.path, .fault = "is missing", .is_missing = true};
  }
  constexpr mode_t permissions = 07777;
  constexpr mode_t read_write_enter = 0700;
  auto const mode = now.st_mode & permissions;
  auto const is_too_open = (mode & ~wanted.mode & 0777) != 0;
  auto const is_too_closed = (wanted.mode & ~mode & read_write_enter) != 0;
  if (is_too_open || is_too_closed) {
    return rpc::FileFault{
        .path = wanted.path,
        .fault = fmt::format("has mode {:04o} and should have {:04o}: chmod {:04o} {}", mode,
                             wanted.mode, wanted.mode, wanted.path)};
  }
  if (now.st_uid == wanted.owner.uid) return std::nullopt;
  return rpc::FileFault{
      .path = wanted.path,
      .fault = fmt::format("belongs to user {} and should belong to {}: chown {}:{} {}", now.st_uid,
                           wanted.owner.uid, wanted.owner.uid, wanted.owner.gid, wanted.path)};
}

Result<void> check_wish(rpc::Bootstrap const& wish) {
  auto const fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
  };
  constexpr std::size_t name_bytes_max = 253;
  if (wish.cluster_name.empty() || wish.cluster_name.size() > name_bytes_max ||
      !std::ranges::all_of(wish.cluster_name, fits)) {
    return fail_as(ErrorClass::Prereq, ErrorCode::WrongInput,
                   "Invalid cluster name '{}': only a-z, 0-9, '-', '_' and '.'", wish.cluster_name);
  }
  constexpr std::size_t uuid_bytes = 36;
  auto const is_uuid_char = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == '-';
  };
  if (wish.node_uuid.text().size() != uuid_bytes ||
      !std::ranges::all_of(wish.node_uuid.text(), is_uuid_char)) {
    return fail_as(ErrorClass::Prereq, ErrorCode::WrongInput, "'{}' is no UUID",
                   wish.node_uuid.text());
  }
  return {};
}

// The first cluster writes the file; one that an administrator wrote is obeyed, not extended.
Result<void> allow_file_storage(Paths const& paths, std::vector<std::string> const& directories) {
  auto const file = paths.file_storage_paths_file();
  auto const known = TRY(read_state_file(file));
  std::string lines;
  for (auto const& directory : directories) {
    auto const normal = std::filesystem::path(directory).lexically_normal();
    if (!normal.is_absolute()) {
      return fail_as(ErrorClass::Prereq, ErrorCode::WrongInput,
                     "File storage directory '{}' is not an absolute path", directory);
    }
    if (known && !is_storage_allowed(*known, normal)) {
      return fail_as(ErrorClass::Prereq, ErrorCode::WrongInput,
                     "File storage directory '{}' is not allowed; add a line '{}' to {}", directory,
                     normal.string(), file);
    }
    lines += normal.string() + "\n";
  }
  if (!known && !lines.empty()) TRY(write_state_file(file, lines, mode_public));
  constexpr mode_t storage_mode = 0755;
  for (auto const& directory : directories) TRY(ensure_directory(directory, storage_mode));
  return {};
}

// No file of them comes back after the cluster was left.
std::mutex ssconf_mutex;
// They are read again as such.
static_assert(model::ssconf_bytes_max <= state_file_bytes_max);

std::string ssconf_file(Paths const& paths, std::string_view key) {
  return fmt::format("{}/{}{}", paths.lib(), ssconf_prefix, key);
}

// The key becomes the name of a file.
Result<void> check_ssconf(std::string_view key, boost::json::value const& value) {
  constexpr std::size_t key_bytes_max = 64;
  auto const fits = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
  if (key.empty() || key.size() > key_bytes_max || !std::ranges::all_of(key, fits) ||
      !value.is_string()) {
    return fail(ErrorCode::WrongInput, "'{}' is no key of ssconf, or its value no text", key);
  }
  if (value.get_string().size() > model::ssconf_bytes_max) {
    return fail(ErrorCode::WrongInput, "The value of '{}' in ssconf is larger than {} bytes", key,
                model::ssconf_bytes_max);
  }
  return {};
}

// What is known before there is a configuration; the controller writes the rest.
Result<void> write_first_ssconf(Paths const& paths, rpc::Bootstrap const& wish,
                                Membership const& member) {
  auto const& name = member.node_name;
  auto const& ip = member.primary_ip;
  std::pair<std::string_view, std::string> const values[] = {
      {"cluster_name", member.cluster_name},
      {"master_node", name},
      {"master_ip", member.master_ip},
      {"master_netdev", member.master_netdev},
      {"master_netmask", std::to_string(member.master_netmask)},
      {"master_candidates", name},
      {"master_candidates_ips", ip},
      {"node_list", name},
      {"online_nodes", name},
      {"offline_nodes", ""},
      {"node_primary_ips", name + " " + ip},
      {"node_secondary_ips", name + " " + ip},
      {"node_vm_capable", name + "=True"},
      {"ssh_ports", name + "=22"},
      {"primary_ip_family", "2"},
      {"release_version", std::string(release_version)},
      {"file_storage_dir",
       wish.file_storage_dirs.empty() ? std::string() : wish.file_storage_dirs.front()},
      {"instance_list", ""},
      {"cluster_tags", ""},
      {"uid_pool", ""},
      {"networks", ""},
      {"maintain_node_health", "False"},
      {"enabled_user_shutdown", "False"},
  };
  for (auto const& [key, value] : values) {
    auto const content = value.empty() ? std::string() : value + "\n";
    TRY(write_state_file(ssconf_file(paths, key), content, mode_ssconf));
  }
  return write_certificate_digest(paths, member);
}

// The cluster's name and address may have changed since this node became its member.
Result<void> follow_ssconf(Paths const& paths, Membership& member) {
  for (auto const& [key, value] :
       {std::pair{"cluster_name", &member.cluster_name}, std::pair{"master_ip", &member.master_ip},
        std::pair{"master_netdev", &member.master_netdev}}) {
    auto const content =
        TRY(read_state_file(fmt::format("{}/{}{}", paths.lib(), ssconf_prefix, key)));
    if (content) *value = content->substr(0, content->find('\n'));
  }
  return {};
}

Result<void> remove_ssconf(Paths const& paths) {
  for (auto const& name : sys::names_in(paths.lib())) {
    if (name.starts_with(ssconf_prefix)) TRY(remove_state_file(paths.lib() + "/" + name));
  }
  return {};
}

}  // namespace

std::string cluster_name_file(Paths const& paths) {
  return paths.lib() + "/cluster-name";
}

bool is_storage_allowed(std::string_view allowed_lines, std::filesystem::path const& directory) {
  std::size_t begin = 0;
  while (begin < allowed_lines.size()) {
    auto const end = std::min(allowed_lines.find('\n', begin), allowed_lines.size());
    auto const line = allowed_lines.substr(begin, end - begin);
    begin = end + 1;
    if (line.empty() || line.front() != '/') continue;
    auto const allowed = std::filesystem::path(line).lexically_normal();
    auto const relative = directory.lexically_relative(allowed).string();
    if (!relative.empty() && !relative.starts_with("..")) return true;
  }
  return false;
}

Result<void> prepare_directories(Paths const& paths) {
  for (auto const& directory : cluster_directories(paths)) {
    TRY(ensure_directory(directory.path, directory.mode, directory.owner));
  }
  constexpr mode_t administrators = 0640;
  return ensure_file(paths.controller_log(), administrators, Owner::controller());
}

Result<std::optional<Membership>> read_membership(Paths const& paths) {
  if (!TRY(read_state_file(cluster_name_file(paths)))) return std::optional<Membership>();
  auto const text = TRY(read_state_file(membership_file(paths)));
  if (!text) {
    return fail(ErrorCode::EnvironmentError,
                "{} says that there is a cluster, but {} is missing; restore it from a backup",
                cluster_name_file(paths), membership_file(paths));
  }
  auto member = TRY(schema::decode<Membership>(
      TRY(schema::parse(*text)), schema::UnknownKeys::Ignore, membership_file(paths)));
  TRY(follow_ssconf(paths, member));
  return std::optional(std::move(member));
}

Result<Membership> make_cluster(Paths const& paths, rpc::Bootstrap const& wish,
                                Identity const& identity, Random& random, Clock& clock) {
  TRY(check_wish(wish));
  if (auto const known = TRY(read_membership(paths))) {
    // The answer to the same wish was lost.
    if (known->node_uuid == wish.node_uuid && known->cluster_name == wish.cluster_name) {
      return *known;
    }
    return fail_as(ErrorClass::Prereq, ErrorCode::WrongState,
                   "Cluster is already initialised: this node belongs to '{}'",
                   known->cluster_name);
  }
  Membership const member{.cluster_name = wish.cluster_name,
                          .node_uuid = wish.node_uuid,
                          .node_name = identity.name,
                          .primary_ip = identity.primary_ip,
                          .master_ip = wish.master_ip,
                          .master_netdev = wish.master_netdev,
                          .master_netmask = wish.master_netmask};
  TRY(prepare_directories(paths));
  TRY(allow_file_storage(paths, wish.file_storage_dirs));
  TRY(make_keys(paths, member, random, clock.wall()));
  TRY(write_first_ssconf(paths, wish, member));
  TRY(write_state_file(membership_file(paths),
                       boost::json::serialize(schema::encode(member)) + "\n", mode_public));
  TRY(write_state_file(cluster_name_file(paths), member.cluster_name + "\n", mode_public));
  return member;
}

Result<void> write_ssconf(Paths const& paths, boost::json::object const& values) {
  for (auto const& [key, value] : values) TRY(check_ssconf(key, value));
  std::lock_guard const guard(ssconf_mutex);
  if (!TRY(read_state_file(cluster_name_file(paths)))) {
    return fail(ErrorCode::WrongState, "This machine belongs to no cluster");
  }
  for (auto const& [key, value] : values) {
    auto const file = ssconf_file(paths, key);
    std::string_view const content = value.get_string();
    if (TRY(read_state_file(file)) == content) continue;
    TRY(write_state_file(file, content, mode_ssconf));
  }
  return {};
}

std::vector<rpc::FileFault> ssconf_faults(Paths const& paths, boost::json::object const& values) {
  std::vector<rpc::FileFault> faults;
  for (auto const& [key, value] : values) {
    if (!check_ssconf(key, value)) continue;
    auto const file = ssconf_file(paths, key);
    auto const content = read_state_file(file);
    if (content && *content == std::string_view(value.get_string())) continue;
    auto const is_missing = content && !*content;
    faults.push_back({.path = file,
                      .fault = "differs from the configuration; the controller writes it again "
                               "within ten minutes",
                      .is_missing = is_missing});
  }
  return faults;
}

Result<void> remove_cluster(Paths const& paths) {
  std::lock_guard const guard(ssconf_mutex);
  TRY(remove_state_file(cluster_name_file(paths)));
  TRY(remove_ssconf(paths));
  for (auto const& file : cluster_files(paths)) TRY(remove_state_file(file.path));
  return remove_state_file(next_authority_file(paths));
}

std::vector<rpc::FileFault> cluster_file_faults(Paths const& paths) {
  std::vector<rpc::FileFault> faults;
  auto const look = [&](Placed const& wanted) {
    if (auto fault = fault_of(wanted)) faults.push_back(std::move(*fault));
  };
  std::ranges::for_each(cluster_directories(paths), look);
  std::ranges::for_each(cluster_files(paths), look);
  if (auto const file = next_authority_file(paths); sys::exists(file)) {
    faults.push_back({.path = file,
                      .fault =
                          "says that the cluster's certificate is renewed, and not to its end: "
                          "gnt-cluster renew-crypto --new-cluster-certificate"});
  }
  if (sys::exists(paths.store())) look({paths.store(), mode_secret, Owner::controller()});
  return faults;
}

schema::Fields Membership::fields() {
  using schema::field;
  using schema::required;
  static constexpr schema::Field table[] = {
      required<&Membership::cluster_name>("cluster_name", "Name of the cluster."),
      required<&Membership::node_uuid>("node_uuid", "UUID of this node."),
      required<&Membership::node_name>("node_name", "Name of this node."),
      field<&Membership::primary_ip>("primary_ip", "Where other nodes reach it."),
      field<&Membership::master_ip>("master_ip", "The cluster's address; empty: it has none."),
      field<&Membership::master_netdev>("master_netdev", "Which interface has it."),
      field<&Membership::master_netmask>("master_netmask", "Length of its network prefix."),
  };
  return table;
}

}  // namespace flotte::node
