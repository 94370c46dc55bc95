#include "node/os/os_definitions.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <deque>
#include <filesystem>
#include <sstream>

#include "base/lookup.h"
#include "base/text.h"
#include "model/disk_templates.h"
#include "model/params.h"
#include "node/programs/allowed_programs.h"
#include "sys/files.h"

namespace flotte::node {
namespace {

constexpr std::int64_t api_version = 20;
constexpr std::size_t lines_quoted = 20;
constexpr std::size_t log_name_bytes_max = 230;
constexpr std::chrono::hours script_timeout{24};
constexpr std::chrono::seconds cleanup_timeout{120};
// A small number: not every shell writes to others.
constexpr int export_size_fd = 3;

std::vector<std::string> lines_of(std::string const& path) {
  std::vector<std::string> lines;
  std::istringstream text(sys::read_file(path).value_or(""));
  for (std::string line; std::getline(text, line);) {
    auto const end = line.find_last_not_of(" \t\r");
    if (end != std::string::npos) lines.push_back(line.substr(0, end + 1));
  }
  return lines;
}

bool is_executable(std::string const& path) {
  return ::access(path.c_str(), X_OK) == 0;
}

rpc::OsDefinition judge(std::string const& path) {
  rpc::OsDefinition os;
  os.name = std::filesystem::path(path).filename().string();
  os.path = path;
  for (auto const& line : lines_of(path + "/ganeti_api_version")) {
    if (auto const version = whole_number(line); version && *version >= 0) {
      os.api_versions.push_back(*version);
    }
  }
  if (os.api_versions.empty()) {
    os.diagnose = "file ganeti_api_version is missing or holds no version";
    return os;
  }
  auto const& versions = os.api_versions;
  auto const highest = *std::ranges::max_element(versions);
  if (std::ranges::none_of(versions,
                           [](auto v) { return v == 10 || v == 15 || v == api_version; })) {
    // Ganeti's own words, Python's among them.
    os.diagnose = fmt::format(
        "API version mismatch for path '{}': found [{}], want frozenset({{10, 15, 20}}).", path,
        fmt::join(versions, ", "));
    return os;
  }
  os.trusted = !sys::exists(path + "/create_untrusted");
  std::vector<std::string> scripts{"create", "import", "export", "rename"};
  if (highest >= api_version) scripts.push_back("verify");
  for (auto const& script : scripts) {
    if (!is_executable(path + "/" + script)) {
      os.diagnose = fmt::format("script {} is missing or not executable", script);
      return os;
    }
  }
  scripts.push_back("cleanup");
  for (auto const& script : scripts) {
    if (auto why = why_not_trusted(path + "/" + script); !why.empty()) {
      os.diagnose = std::move(why);
      return os;
    }
  }
  if (highest >= 15) os.variants = lines_of(path + "/variants.list");
  for (auto const& line : lines_of(path + "/parameters.list")) {
    auto const space = line.find_first_of(" \t");
    auto const doc = space == std::string::npos ? std::string() : line.substr(space);
    auto const start = doc.find_first_not_of(" \t");
    os.parameters.push_back(
        {line.substr(0, space), start == std::string::npos ? "" : doc.substr(start)});
  }
  return os;
}

std::string upper(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) {
    return c == '-' ? '_' : static_cast<char>(std::toupper(c));
  });
  return out;
}

std::string last_lines(std::deque<std::string> const& lines) {
  return fmt::format("{}", fmt::join(lines, "\n"));
}

}  // namespace

std::map<std::string, std::string> os_environment(rpc::InstanceSpec const& spec,
                                                  rpc::OsDefinition const& os,
                                                  std::vector<std::string> const& disk_paths,
                                                  std::int64_t debug_level) {
  std::map<std::string, std::string> env;
  auto const common = [](auto const& versions) {
    std::int64_t best = 0;
    for (auto const version : versions) {
      if (version <= api_version) best = std::max(best, version);
    }
    return best;
  };
  auto const plus = spec.os.find('+');
  auto variant = plus == std::string::npos ? std::string() : spec.os.substr(plus + 1);
  if (variant.empty() && !os.variants.empty()) variant = os.variants.front();
  env["PATH"] = "/sbin:/bin:/usr/sbin:/usr/bin";
  env["OS_API_VERSION"] = std::to_string(common(os.api_versions));
  env["OS_NAME"] = os.name;
  env["OS_VARIANT"] = variant;
  env["DEBUG_LEVEL"] = std::to_string(debug_level);
  for (auto const& [name, value] : spec.osparams)
    env["OSP_" + upper(name)] = model::python_text(value);
  env["INSTANCE_NAME"] = spec.name;
  env["INSTANCE_OS"] = spec.os;
  env["INSTANCE_UUID"] = spec.uuid.text();
  env["INSTANCE_CTIME"] = fmt::format("{}", spec.ctime);
  env["INSTANCE_MTIME"] = fmt::format("{}", spec.mtime);
  env["INSTANCE_PRIMARY_NODE"] = spec.primary_node;
  env["INSTANCE_SECONDARY_NODES"] = "";
  env["HYPERVISOR"] = std::string(schema::name_of(spec.hypervisor));
  env["DISK_COUNT"] = std::to_string(spec.disks.size());
  env["NIC_COUNT"] = std::to_string(spec.nics.size());
  for (std::size_t i = 0; i < spec.disks.size(); ++i) {
    auto const& disk = spec.disks[i].disk;
    auto const prefix = fmt::format("DISK_{}_", i);
    auto const is_file = model::is_file(disk.dev_type);
    env[prefix + "ACCESS"] = schema::name_of(disk.mode);
    env[prefix + "UUID"] = disk.uuid.text();
    env[prefix + "SIZE"] = std::to_string(disk.size.value);
    env[prefix + "PATH"] = known_at(disk_paths, i);
    if (disk.name) env[prefix + "NAME"] = *disk.name;
    env[prefix + "FRONTEND_TYPE"] = model::text_of(spec.hvparams, "disk_type");
    env[prefix + "BACKEND_TYPE"] = is_file ? "file:" + disk.logical_id.front() : "block";
  }
  for (std::size_t i = 0; i < spec.nics.size(); ++i) {
    auto const& nic = spec.nics[i];
    auto const prefix = fmt::format("NIC_{}_", i);
    auto const mode = model::text_of(nic.params, "mode");
    auto const link = model::text_of(nic.params, "link");
    env[prefix + "MAC"] = nic.nic.mac;
    env[prefix + "UUID"] = nic.nic.uuid.text();
    if (nic.nic.name) env[prefix + "NAME"] = *nic.nic.name;
    if (nic.nic.ip) env[prefix + "IP"] = *nic.nic.ip;
    env[prefix + "MODE"] = mode;
    env[prefix + "LINK"] = link;
    if (mode == "bridged") env[prefix + "BRIDGE"] = link;
    for (auto const& [name, value] : nic.network) {
      env[prefix + std::string(std::string_view(name))] = model::python_text(value);
    }
    env[prefix + "FRONTEND_TYPE"] = model::text_of(spec.hvparams, "nic_type");
  }
  for (auto const& [name, value] : spec.beparams) {
    env[fmt::format("INSTANCE_BE_{}", std::string_view(name))] = model::python_text(value);
  }
  for (auto const& [name, value] : spec.hvparams) {
    env[fmt::format("INSTANCE_HV_{}", std::string_view(name))] = model::python_text(value);
  }
  return env;
}

std::vector<rpc::OsDefinition> OsDefinitions::list() const {
  std::vector<rpc::OsDefinition> found;
  for (auto const* folder : {"/srv/ganeti/os", "/usr/local/lib/ganeti/os", "/usr/lib/ganeti/os",
                             "/usr/share/ganeti/os"}) {
    auto const directory = paths_.root() + folder;
    for (auto const& name : sys::names_in(directory)) {
      auto const path = directory + "/" + name;
      if (name.starts_with('.') || !sys::is_directory(path)) continue;
      auto os = judge(path);
      // The first of a name in the search path is the one that counts.
      if (std::ranges::find(found, os.name, &rpc::OsDefinition::name) == found.end()) {
        found.push_back(std::move(os));
      }
    }
  }
  std::ranges::sort(found, {}, &rpc::OsDefinition::name);
  return found;
}

Result<rpc::OsDefinition> OsDefinitions::find(std::string const& name) const {
  auto const base = name.substr(0, name.find('+'));
  for (auto& os : list()) {
    if (os.name != base) continue;
    if (!os.diagnose.empty()) {
      return fail(ErrorCode::EnvironmentError, "OS '{}' is not valid: {}", base, os.diagnose);
    }
    return std::move(os);
  }
  return fail(ErrorCode::EnvironmentError, "OS '{}' is not on this node", base);
}

Result<void> OsDefinitions::create(rpc::OsCreate const& call,
                                   std::vector<std::string> const& disk_paths,
                                   sys::LineSink const& sink) {
  auto const os = TRY(find(call.instance.os));
  Script script{.name = "create",
                .log_name = fmt::format("add-{}-{}", os.name, call.instance.name),
                .debug_level = call.debug_level};
  if (call.reinstall) script.environment["INSTANCE_REINSTALL"] = "1";
  return run(script, call.instance, os, disk_paths, sink);
}

Result<void> OsDefinitions::rename(rpc::OsRename const& call,
                                   std::vector<std::string> const& disk_paths,
                                   sys::LineSink const& sink) {
  auto const os = TRY(find(call.instance.os));
  return run(
      {.name = "rename",
       .log_name = fmt::format("rename-{}-{}-{}", os.name, call.old_name, call.instance.name),
       .environment = {{"OLD_INSTANCE_NAME", call.old_name}},
       .debug_level = call.debug_level},
      call.instance, os, disk_paths, sink);
}

Result<void> OsDefinitions::export_disk(rpc::InstanceSpec const& spec, Transfer const& transfer,
                                        std::vector<std::string> const& disk_paths,
                                        sys::LineSink const& sink) {
  auto const os = TRY(find(spec.os));
  return run({.name = "export",
              .log_name = fmt::format("export-{}-{}-disk{}", os.name, spec.name, transfer.index),
              .environment = {{"EXPORT_DEVICE", transfer.device},
                              {"EXPORT_DISK_PATH", transfer.device},
                              {"EXPORT_INDEX", std::to_string(transfer.index)},
                              {"EXP_SIZE_FD", std::to_string(export_size_fd)}},
              .debug_level = transfer.debug_level,
              .descriptors = {{transfer.stream, STDOUT_FILENO}, {transfer.size_fd, export_size_fd}},
              .goes_on = transfer.goes_on},
             spec, os, disk_paths, sink);
}

Result<void> OsDefinitions::import_disk(rpc::InstanceSpec const& spec, Transfer const& transfer,
                                        std::vector<std::string> const& disk_paths,
                                        sys::LineSink const& sink) {
  auto const os = TRY(find(spec.os));
  return run({.name = "import",
              .log_name = fmt::format("import-{}-{}-disk{}", os.name, spec.name, transfer.index),
              .environment = {{"IMPORT_DEVICE", transfer.device},
                              {"IMPORT_DISK_PATH", transfer.device},
                              {"IMPORT_INDEX", std::to_string(transfer.index)}},
              .debug_level = transfer.debug_level,
              .descriptors = {{transfer.stream, STDIN_FILENO}}},
             spec, os, disk_paths, sink);
}

Result<void> OsDefinitions::run(Script const& script, rpc::InstanceSpec const& spec,
                                rpc::OsDefinition const& os,
                                std::vector<std::string> const& disk_paths,
                                sys::LineSink const& sink) {
  auto environment = os_environment(spec, os, disk_paths, script.debug_level);
  environment.insert(script.environment.begin(), script.environment.end());
  if (!paths_.root().empty()) environment["FLOTTE_ROOT"] = paths_.root();

  TRY(sys::make_directories(paths_.os_logs(), 0750));
  TRY(sys::make_directories(paths_.os_sessions(), 0700));
  // Two names of instances may be in it, and one of an OS: cut to what a file may be called.
  auto const log_path =
      fmt::format("{}/{}-{}.log", paths_.os_logs(), script.log_name.substr(0, log_name_bytes_max),
                  std::time(nullptr));
  // Made with its mode: what a script prints may be private.
  auto log = TRY(sys::LogFile::open(log_path, 0640));
  std::deque<std::string> tail;
  auto const take = [&](std::string_view line) {
    if (line.empty()) return !sink || sink(line);
    log.add(line);
    tail.emplace_back(line);
    if (tail.size() > lines_quoted) tail.pop_front();
    return !sink || sink(line);
  };
  auto const session = fmt::format("{}/{}", paths_.os_sessions(), spec.name);
  auto const finished = processes_.run({.argv = {os.path + "/" + script.name},
                                        .environment = environment,
                                        .directory = os.path,
                                        .timeout = script_timeout,
                                        .descriptors = script.descriptors,
                                        .goes_on = script.goes_on,
                                        .session_record = session},
                                       take);
  if (finished && finished->is_success()) return {};
  if (script.name == "create" && is_executable(os.path + "/cleanup")) {
    auto const cleaned = processes_.run({.argv = {os.path + "/cleanup"},
                                         .environment = environment,
                                         .directory = os.path,
                                         .timeout = cleanup_timeout,
                                         .session_record = session});
    if (!cleaned || !cleaned->is_success()) log.add("cleanup failed too");
  }
  if (!finished) return Failure(finished.error());
  if (finished->was_stopped) return fail(ErrorCode::WrongState, "The OS script was stopped");
  return fail(ErrorCode::EnvironmentError,
              "OS {} script of {} failed ({}), last lines in the log file {}:\n{}", script.name,
              os.name,
              finished->timed_out ? "time is up"
                                  : fmt::format("exited with exit code {}", finished->exit_status),
              log_path, last_lines(tail));
}

}  // namespace flotte::node
