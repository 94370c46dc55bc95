#include "node/daemon/findings.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <sstream>

#include "net/certificates.h"
#include "node/daemon/membership.h"
#include "sys/files.h"
#include "sys/network.h"

namespace flotte::node {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t run_files_max = 100'000;

double seconds(WallTime when) {
  return std::chrono::duration<double>(when.time_since_epoch()).count();
}

rpc::CertificateState state_of(std::string const& path) {
  rpc::CertificateState state{.path = path};
  auto const text = sys::read_file(path);
  auto const facts =
      text ? net::inspect_certificate(*text) : Result<net::CertificateFacts>(Failure(text.error()));
  if (facts) {
    state.not_before = seconds(facts->not_before);
    state.not_after = seconds(facts->not_after);
  } else {
    state.error = facts.error().message;
  }
  return state;
}

// Ganeti's words, whose hints administrators know.
std::string storage_fault(Paths const& paths, std::string const& directory) {
  auto const lines = sys::read_file(paths.file_storage_paths_file()).value_or("");
  if (!is_storage_allowed(lines, directory)) {
    return fmt::format(
        "Path '{}' is not acceptable for file storage. A possible fix might be to add it to {} on "
        "all nodes.",
        directory, paths.file_storage_paths_file());
  }
  struct stat now{};
  if (::stat(directory.c_str(), &now) != 0 || !S_ISDIR(now.st_mode)) {
    return fmt::format("Path '{}' does not exist or is not a directory.", directory);
  }
  if (::access(directory.c_str(), W_OK) != 0) {
    return fmt::format("Path '{}' is not writable", directory);
  }
  constexpr mode_t others_write = 0002;
  if ((now.st_mode & others_write) != 0) {
    return fmt::format("Path '{}' is writable by everybody: chmod o-w {}", directory, directory);
  }
  return {};
}

// Whose the files of a directory are: `instance_of` gives the name, or nothing.
template <class InstanceOf>
void add_run_files(std::string const& directory, std::vector<rpc::RunFile>& found,
                   InstanceOf instance_of) {
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    auto const instance = instance_of(entry->path().filename().string());
    // Names with a dot in front are files that are just being written, or hashes.
    if (instance.empty() || instance.front() == '.') continue;
    if (found.size() >= run_files_max) return;
    found.push_back({entry->path().string(), std::string(instance)});
  }
}

std::vector<rpc::RunFile> run_files(Paths const& paths) {
  std::vector<rpc::RunFile> found;
  auto const whole = [](std::string const& name) { return name; };
  auto const before = [](char mark) {
    return [mark](std::string const& name) {
      auto const at = name.rfind(mark);
      return at == std::string::npos ? std::string() : name.substr(0, at);
    };
  };
  add_run_files(paths.kvm() + "/pid", found, whole);
  add_run_files(paths.kvm() + "/nic", found, whole);
  add_run_files(paths.kvm() + "/conf", found, before('.'));
  add_run_files(paths.kvm() + "/ctrl", found, before('.'));
  add_run_files(paths.instance_disks(), found, before(':'));
  add_run_files(paths.os_sessions(), found, whole);
  std::ranges::sort(found, {}, &rpc::RunFile::path);
  return found;
}

// Why it can't be run, as Ganeti words it; empty: it can.
std::string oob_fault(std::string const& program) {
  if (program.empty()) return "";
  struct stat now{};
  if (::stat(program.c_str(), &now) != 0) {
    return fmt::format("error stating out of band helper: [Errno {}] {}: '{}'", errno,
                       std::strerror(errno), program);
  }
  if (!S_ISREG(now.st_mode)) return fmt::format("out of band helper {} is not a file", program);
  if ((now.st_mode & S_IXUSR) == 0) {
    return fmt::format("out of band helper {} is not executable", program);
  }
  return "";
}

}  // namespace

std::vector<std::string> forbidden_storage_paths(Paths const& paths) {
  std::vector<std::string> forbidden{"/boot", "/dev", "/etc", "/home", "/proc", "/root", "/sys"};
  for (auto const* prefix : {"", "/usr", "/usr/local"}) {
    for (auto const* name : {"bin", "lib", "lib32", "lib64", "sbin"}) {
      forbidden.push_back(fmt::format("{}/{}", prefix, name));
    }
  }
  std::vector<std::string> wrong;
  std::istringstream lines(sys::read_file(paths.file_storage_paths_file()).value_or(""));
  for (std::string line; std::getline(lines, line);) {
    line.erase(line.find_last_not_of(" \t\r") + 1);
    if (line.empty() || line.front() == '#') continue;
    auto path = fs::path(line).lexically_normal().string();
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    // Below a prefix the machine's own directories are elsewhere.
    if (!paths.root().empty() && path.starts_with(paths.root() + "/")) {
      path.erase(0, paths.root().size());
    }
    auto const is_below = [&](std::string const& other) {
      return path == other || path.starts_with(other + "/");
    };
    if (path.front() != '/' || path == "/" || std::ranges::any_of(forbidden, is_below)) {
      wrong.push_back(line);
    }
  }
  return wrong;
}

rpc::NodeFindings look_at_node(Paths const& paths, Nics const& nics, rpc::NodeVerify const& call) {
  rpc::NodeFindings found;
  for (auto const& bridge : call.bridges) {
    if (!sys::is_bridge(bridge)) found.missing_bridges.push_back(bridge);
  }
  for (auto const& nic : call.nics) {
    auto const checked = nics.check(nic);
    if (checked) continue;
    auto const& fault = checked.error().message;
    auto const is_known = std::ranges::find(found.nic_faults, fault) != found.nic_faults.end();
    if (!is_known) found.nic_faults.push_back(fault);
  }
  for (auto const& path : {paths.cluster_ca(), paths.node_certificate(),
                           paths.controller_certificate(), paths.rapi_certificate()}) {
    // One that is missing is among the file faults.
    if (sys::exists(path)) found.certificates.push_back(state_of(path));
  }
  found.file_faults = cluster_file_faults(paths);
  std::ranges::move(ssconf_faults(paths, call.ssconf), std::back_inserter(found.file_faults));
  if (!call.storage_dirs.empty()) found.forbidden_storage_paths = forbidden_storage_paths(paths);
  for (auto const& directory : call.storage_dirs) {
    if (auto fault = storage_fault(paths, directory); !fault.empty()) {
      found.storage_faults.push_back({.path = directory, .fault = std::move(fault)});
    }
  }
  found.run_files = run_files(paths);
  found.oob_fault = oob_fault(call.oob_program);
  found.has_master_ip = call.master_ip.empty() || sys::has_address(call.master_ip);
  return found;
}

}  // namespace flotte::node
