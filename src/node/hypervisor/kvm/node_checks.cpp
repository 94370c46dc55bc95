#include "node/hypervisor/kvm/node_checks.h"

#include <fcntl.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "model/disk_templates.h"
#include "model/hypervisor_rules.h"
#include "node/hypervisor/kvm/vnc.h"
#include "sys/files.h"

namespace flotte::node {
namespace {

using model::text_of;

Result<void> check_files(boost::json::object const& hvparams) {
  struct File {
    char const* parameter;
    char const* what;
  };
  std::vector<File> files{{"kernel_path", "file"},
                          {"initrd_path", "file"},
                          {"floppy_image_path", "file"},
                          {"cdrom_image_path", "file or URL"},
                          {"cdrom2_image_path", "file or URL"},
                          {"mem_path", "directory"}};
  // What a display needs is looked into where there is one.
  if (text_of(hvparams, "vnc_bind_address").empty()) {
    files.push_back({"vnc_password_file", "file"});
    files.push_back({"vnc_x509_path", "directory"});
  }
  for (auto const& [name, what] : files) {
    auto const path = text_of(hvparams, name);
    // An image may also be an URL.
    if (!path.starts_with('/') || sys::exists(path)) continue;
    return fail(ErrorCode::EnvironmentError,
                "Parameter '{}' fails validation: not found or not a {} (current value: '{}')",
                name, what, path);
  }
  return {};
}

Result<void> check_user(boost::json::object const& hvparams) {
  auto const user = text_of(hvparams, "security_domain");
  if (text_of(hvparams, "security_model") != "user") return {};
  constexpr std::size_t buffer_bytes = 16384;
  std::vector<char> buffer(buffer_bytes);
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwnam_r(user.c_str(), &entry, buffer.data(), buffer.size(), &found) == 0 && found) {
    return {};
  }
  return fail(ErrorCode::EnvironmentError, "Unknown security domain user {}", user);
}

Result<void> check_cpus(boost::json::object const& hvparams) {
  auto const count = ::sysconf(_SC_NPROCESSORS_CONF);
  for (auto const& list : TRY(model::parse_cpu_mask(text_of(hvparams, "cpu_mask")))) {
    auto const is_here = [&](int cpu) { return cpu < count; };
    if (list.empty() || std::ranges::any_of(list, is_here)) continue;
    return fail(ErrorCode::EnvironmentError,
                "Parameter cpu_mask: this node has none of the CPUs {}, only 0 to {}",
                fmt::join(list, ","), count - 1);
  }
  return {};
}

// Past the page cache: not every file system can do that. One that isn't there yet isn't asked.
Result<void> check_direct(rpc::InstanceSpec const& spec) {
  for (auto const& [disk, index, params] : spec.disks) {
    auto const is_file = model::is_file(disk.dev_type);
    auto const is_direct =
        model::traits_of(disk.dev_type).is_shared || text_of(spec.hvparams, "disk_cache") == "none";
    if (!is_file || !is_direct || disk.logical_id.size() < 2) continue;
    int const fd = ::open(disk.logical_id[1].c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_DIRECT);
    auto const reason = errno;
    if (fd >= 0) ::close(fd);
    if (fd >= 0 || reason != EINVAL) continue;
    return fail(
        ErrorCode::EnvironmentError,
        "The file system of disk {} ({}) can't be used without its cache, as disk_cache=none "
        "and the disk template sharedfile ask for",
        index, disk.logical_id[1]);
  }
  return {};
}

}  // namespace

Result<void> check_kvm_on_node(rpc::InstanceSpec const& spec) {
  TRY(check_files(spec.hvparams));
  TRY(check_user(spec.hvparams));
  TRY(check_cpus(spec.hvparams));
  TRY(check_direct(spec));
  return check_vnc_on_node(spec.hvparams);
}

std::vector<std::string> kvm_advice(boost::json::object const& hvparams) {
  auto const file = text_of(hvparams, "vnc_password_file");
  if (file.empty() || text_of(hvparams, "vnc_bind_address").empty()) return {};
  auto const password = read_vnc_password(file);
  if (!password || password->size() <= vnc_password_bytes_max) return {};
  return {
      fmt::format("Parameter vnc_password_file: the password in {} has {} characters, of which VNC "
                  "looks at the "
                  "first {} only: who knows these is let in; bind VNC to 127.0.0.1 or use "
                  "vnc_x509_verify where "
                  "that is too little",
                  file, password->size(), vnc_password_bytes_max)};
}

}  // namespace flotte::node
