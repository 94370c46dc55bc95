#include "node/hypervisor/kvm/runtime.h"

#include <poll.h>
#include <pwd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <filesystem>
#include <sstream>
#include <tuple>

#include "model/params.h"
#include "node/hypervisor/kvm/words.h"
#include "sys/deeds.h"
#include "sys/files.h"

namespace flotte::node {
namespace {

namespace json = boost::json;
using SteadyClock = std::chrono::steady_clock;

constexpr mode_t directory_mode = 0750;
constexpr std::size_t runtime_bytes_max = 4 << 20;
constexpr std::size_t processes_looked_at_max = 1'000'000;
constexpr std::string_view user_down_suffix = ".shutdown";
constexpr std::string_view scope_prefix = "flotte-guest-";
constexpr std::string_view leaving_suffix = ".leaving";

// What stands there already was written to stay.
Result<void> keep_in(std::string const& path, std::string const& content, mode_t mode) {
  if (sys::read_file(path, runtime_bytes_max).value_or("") == content) return {};
  return sys::write_file(path, content, mode);
}

std::vector<std::string> split_arguments(std::string const& cmdline) {
  std::vector<std::string> argv;
  for (std::size_t at = 0; at < cmdline.size();) {
    auto const end = std::min(cmdline.find('\0', at), cmdline.size());
    argv.push_back(cmdline.substr(at, end - at));
    at = end + 1;
  }
  return argv;
}

std::optional<pid_t> pid_from(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  pid_t pid = 0;
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
  if (error != std::errc() || end != text.data() + text.size() || pid <= 1) return std::nullopt;
  return pid;
}

std::optional<uid_t> user_named(std::string const& name) {
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> text(16 * 1024);
  if (name.empty() || ::getpwnam_r(name.c_str(), &entry, text.data(), text.size(), &found) != 0) {
    return std::nullopt;
  }
  return found ? std::optional(entry.pw_uid) : std::nullopt;
}

// systemd knows no names of more than 255 bytes.
bool shows_name(std::string const& name) {
  constexpr std::size_t shown_max = 200;
  return name.size() <= shown_max;
}

// As QEMU reads it: a name, or "UID:GID"; the last one counts.
std::optional<uid_t> user_of_command(std::vector<std::string> const& argv) {
  auto const users = kvm_values(argv, "-runas");
  if (users.empty()) return std::nullopt;
  auto const& text = users.back();
  uid_t user = 0;
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), user);
  auto const is_number = error == std::errc() && end != text.data() + text.size() && *end == ':';
  return is_number ? std::optional(user) : user_named(text);
}

json::object object_in(json::object const& object, std::string_view key) {
  auto const* value = object.if_contains(key);
  return value && value->is_object() ? value->get_object() : json::object();
}

// Of files with that suffix, without it.
std::vector<std::string> names_in(std::string const& directory, std::string_view suffix) {
  std::vector<std::string> names;
  for (auto& name : sys::names_in(directory)) {
    if (!name.ends_with(suffix)) continue;
    name.resize(name.size() - suffix.size());
    names.push_back(std::move(name));
  }
  return names;
}

// Threads of the kernel have none; they are most of what is in /proc.
bool has_executable(pid_t pid) {
  char first = 0;
  return ::readlink(fmt::format("/proc/{}/exe", pid).c_str(), &first, 1) > 0;
}

// What can't be read is left out.
void take_nic(KvmGuest& guest, json::value const& entry) {
  auto const* object = entry.if_object();
  auto nic = object ? schema::decode<model::Nic>(*object, schema::UnknownKeys::Ignore)
                    : Result<model::Nic>(fail(ErrorCode::EnvironmentError, "no object"));
  if (!nic) return;
  guest.nics.push_back(
      {{std::move(*nic), object_in(*object, "nicparams"), object_in(*object, "netinfo")},
       object_in(*object, "hvinfo"),
       model::text_of(*object, "tap")});
}

void take_disk(KvmGuest& guest, json::value const& entry) {
  auto const* pair = entry.if_array();
  auto const* object = pair && pair->size() > 1 ? (*pair)[0].if_object() : nullptr;
  auto disk = object ? schema::decode<model::Disk>(*object, schema::UnknownKeys::Ignore)
                     : Result<model::Disk>(fail(ErrorCode::EnvironmentError, "no object"));
  if (!disk || !(*pair)[1].is_string()) return;
  guest.disks.push_back({std::move(*disk), object_in(*object, "hvinfo"),
                         std::string(std::string_view((*pair)[1].get_string()))});
}

}  // namespace

std::optional<KvmProcess> KvmProcess::open(pid_t pid, std::string const& name,
                                           std::string const& pid_file) {
  // The descriptor first: what is read of the process afterwards is of the one it holds, or of
  // none.
  int const fd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (fd < 0) return std::nullopt;
  auto const cmdline = sys::read_file(fmt::format("/proc/{}/cmdline", pid));
  KvmProcess process(pid, fd, split_arguments(cmdline.value_or("")));
  auto const called = process.argument("-name");
  if (called != name && !called.starts_with(name + ",")) return std::nullopt;
  // Other clusters of this machine may have an instance of that name.
  if (process.argument("-pidfile") != pid_file) return std::nullopt;
  return process;
}

KvmProcess::KvmProcess(KvmProcess&& other) noexcept
    : pid_(other.pid_), fd_(std::exchange(other.fd_, -1)), argv_(std::move(other.argv_)) {}

KvmProcess::~KvmProcess() {
  if (fd_ >= 0) ::close(fd_);
}

std::vector<uid_t> KvmProcess::users() const {
  auto const status = sys::read_file(fmt::format("/proc/{}/status", pid_)).value_or("");
  constexpr std::string_view mark = "\nUid:";
  auto const at = status.find(mark);
  if (at == std::string::npos) return {};
  std::istringstream fields(status.substr(at + mark.size()));
  uid_t real = 0;
  uid_t effective = 0;
  if (!(fields >> real >> effective)) return {};
  return {real, effective};
}

std::string KvmProcess::argument(std::string_view option) const {
  auto values = kvm_values(argv_, option);
  return values.empty() ? std::string() : std::move(values.front());
}

bool KvmProcess::has_flag(std::string_view option) const {
  return std::ranges::find(argv_, option) != argv_.end();
}

// Fields 14 and 15 of proc(5)'s stat, counted from behind the name, which may hold anything.
double KvmProcess::cpu_seconds() const {
  auto const stat = sys::read_file(fmt::format("/proc/{}/stat", pid_)).value_or("");
  auto const behind_name = stat.rfind(')');
  if (behind_name == std::string::npos) return 0;
  std::istringstream fields(stat.substr(behind_name + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  double user = 0;
  double system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

void KvmProcess::send(int signal_number) const {
  sys::pidfd_send_signal(fd_, signal_number);
}

bool KvmProcess::wait_for_end(std::chrono::milliseconds timeout) const {
  auto const deadline = SteadyClock::now() + timeout;
  for (;;) {
    auto const left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - SteadyClock::now())
            .count();
    pollfd ended{fd_, POLLIN, 0};
    constexpr std::int64_t poll_ms_max = 60'000;
    auto const polled =
        ::poll(&ended, 1, static_cast<int>(std::clamp<std::int64_t>(left, 0, poll_ms_max)));
    if (polled > 0) return true;
    if (left <= 0) return false;
  }
}

KvmRuntime::KvmRuntime(Paths paths, std::string const& guest_user)
    : paths_(std::move(paths)), guest_user_(user_named(guest_user)) {}

KvmFiles KvmRuntime::files(std::string const& name) const {
  return {.pid = paths_.kvm_pid_file(name),
          .log = fmt::format("{}/kvm/{}.log", paths_.logs(), name),
          .monitor = paths_.kvm_socket(name, "monitor"),
          .serial = paths_.kvm_socket(name, "serial"),
          .console_log = paths_.console_log(name),
          .qmp = paths_.kvm_socket(name, "qmp"),
          .kvmd = paths_.kvm_socket(name, "kvmd"),
          .guest_agent = paths_.kvm_socket(name, "qga"),
          .chroot = file("chroot", name)};
}

Result<void> KvmRuntime::make_directories(std::string const& name) const {
  for (auto const& path :
       {paths_.kvm(), paths_.kvm() + "/pid", paths_.kvm() + "/ctrl", paths_.kvm() + "/conf",
        paths_.kvm() + "/nic", file("nic", name), paths_.logs() + "/kvm"}) {
    TRY(sys::make_directories(path, directory_mode));
  }
  // Where people's scripts of older days look for the tap of a NIC.
  auto const older = std::filesystem::path(paths_.run()).replace_filename("kvm-hypervisor");
  if (!sys::exists(older)) TRY(sys::write_link(older, "ganeti/kvm-hypervisor"));
  return {};
}

std::optional<KvmProcess> KvmRuntime::find(std::string const& name) const {
  auto const text = sys::read_file(file("pid", name));
  auto const pid = text ? pid_from(*text) : std::nullopt;
  return pid ? open(*pid, name) : std::nullopt;
}

std::optional<KvmProcess> KvmRuntime::open(pid_t pid, std::string const& name) const {
  auto process = KvmProcess::open(pid, name, file("pid", name));
  if (!process) return std::nullopt;
  auto const users = process->users();
  auto const is_guest = !users.empty() && std::ranges::all_of(users, [&](uid_t user) {
    return is_guests_user(user, name);
  });
  if (!is_guest) return std::nullopt;
  auto const cgroup = sys::read_file(fmt::format("/proc/{}/cgroup", pid)).value_or("");
  if (cgroup.find(scope_prefix) == std::string::npos) return process;
  return is_in_scope_of_another(cgroup, name, load(name).uuid) ? std::nullopt : std::move(process);
}

std::string kvm_scope(std::string const& name, InstanceId const& uuid, std::int64_t epoch) {
  return fmt::format("{}{}-{}-{}", scope_prefix, shows_name(name) ? name : uuid.text(), epoch,
                     ::getpid());
}

// "0::/machine.slice/flotte-guest-web1-7-1234.scope"; behind the name come two numbers.
bool is_in_scope_of_another(std::string_view cgroup, std::string const& name,
                            InstanceId const& uuid) {
  auto const at = cgroup.find(scope_prefix);
  if (at == std::string_view::npos) return false;
  // A long name doesn't stand there, and better one too many than one that isn't found.
  if (!shows_name(name) && uuid.text().empty()) return false;
  // Older builds wrote long names, too.
  for (auto const& own : {name, uuid.text()}) {
    auto rest = cgroup.substr(at + scope_prefix.size());
    if (own.empty() || !rest.starts_with(own + "-")) continue;
    rest.remove_prefix(own.size() + 1);
    rest = rest.substr(0, rest.find('.'));
    if (std::ranges::count(rest, '-') == 1 &&
        rest.find_first_not_of("0123456789-") == std::string_view::npos) {
      return false;
    }
  }
  return true;
}

// Root while it starts. One that gave up root's rights for those of another user was told so on the
// command line that is written down where only root can write, with the number that the user had
// then.
bool KvmRuntime::is_guests_user(uid_t user, std::string const& name) const {
  if (user == 0 || user == ::geteuid() || user == guest_user_) return true;
  return load(name).user == user;
}

std::vector<KvmProcess> KvmRuntime::find_all(std::string const& name) const {
  std::vector<KvmProcess> found;
  std::error_code error;
  std::size_t looked_at = 0;
  for (std::filesystem::directory_iterator entry("/proc", error), end;
       !error && entry != end && ++looked_at < processes_looked_at_max; entry.increment(error)) {
    auto const pid = pid_from(entry->path().filename().string());
    if (!pid || !has_executable(*pid)) continue;
    if (auto process = open(*pid, name)) {
      found.push_back(std::move(*process));
    }
  }
  return found;
}

std::vector<std::string> KvmRuntime::names() const {
  return names_in(paths_.kvm() + "/pid", "");
}

KvmGuest::KvmGuest(rpc::InstanceSpec const& spec, std::vector<std::string> const& disk_links,
                   KvmDevices const& devices)
    : uuid(spec.uuid), epoch(spec.epoch), hvparams(spec.hvparams), tags(spec.tags) {
  for (std::size_t i = 0; i < spec.disks.size(); ++i) {
    disks.push_back({spec.disks[i].disk, devices.disks[i], disk_links[i]});
  }
  for (std::size_t i = 0; i < spec.nics.size(); ++i) {
    nics.push_back({spec.nics[i], devices.nics[i], ""});
  }
}

Result<void> KvmRuntime::save(std::string const& name, KvmGuest const& guest) const {
  json::array command;
  for (auto const& word : guest.argv) command.push_back(json::value(json::string_view(word)));
  json::array nics;
  for (auto const& one : guest.nics) {
    auto nic = schema::encode(one.nic.nic);
    nic["hvinfo"] = one.place;
    nic["nicparams"] = one.nic.params;
    nic["netinfo"] = one.nic.network;
    nic["tap"] = json::string_view(one.tap);
    nics.push_back(std::move(nic));
  }
  json::array disks;
  for (auto const& one : guest.disks) {
    auto disk = schema::encode(one.disk);
    disk["hvinfo"] = one.place;
    disks.push_back(json::array{std::move(disk), json::string_view(one.link), nullptr});
  }
  json::object ours{{"uuid", json::string_view(guest.uuid.text())}, {"epoch", guest.epoch}};
  if (guest.memory) ours["memory"] = *guest.memory;
  auto const user = guest.user ? guest.user : user_of_command(guest.argv);
  if (user) ours["user"] = *user;
  json::array tags;
  for (auto const& tag : guest.tags) tags.push_back(json::value(json::string_view(tag)));
  if (!tags.empty()) ours["tags"] = std::move(tags);
  json::array const runtime{std::move(command), std::move(nics), guest.hvparams, std::move(disks),
                            std::move(ours)};
  TRY(keep_in(runtime_file(name), json::serialize(runtime), 0600));
  return save_taps(name, guest);
}

Result<void> KvmRuntime::save_taps(std::string const& name, KvmGuest const& guest) const {
  auto const directory = file("nic", name);
  std::size_t index = 0;
  for (; index < guest.nics.size(); ++index) {
    auto const& tap = guest.nics[index].tap;
    if (!tap.empty()) TRY(keep_in(fmt::format("{}/{}", directory, index), tap, 0640));
  }
  // Those of NICs that it no longer has.
  for (auto path = fmt::format("{}/{}", directory, index); sys::exists(path);
       path = fmt::format("{}/{}", directory, ++index)) {
    TRY(sys::remove_file(path));
  }
  return {};
}

KvmGuest KvmRuntime::load(std::string const& name) const {
  constexpr std::size_t elements = 5;
  KvmGuest guest;
  auto const text = sys::read_file(runtime_file(name), runtime_bytes_max);
  auto const parsed = text ? schema::parse(*text) : Result<json::value>(json::value());
  auto const* array = parsed ? parsed->if_array() : nullptr;
  if (!array || array->size() < elements) return guest;
  if (auto const* words = (*array)[0].if_array()) {
    for (auto const& word : *words) {
      if (word.is_string()) guest.argv.emplace_back(std::string_view(word.get_string()));
    }
  }
  if (auto const* nics = (*array)[1].if_array()) {
    for (auto const& entry : *nics) take_nic(guest, entry);
  }
  if (auto const* params = (*array)[2].if_object()) guest.hvparams = *params;
  if (auto const* disks = (*array)[3].if_array()) {
    for (auto const& entry : *disks) take_disk(guest, entry);
  }
  if (auto const* ours = (*array)[4].if_object()) {
    guest.uuid = InstanceId(model::text_of(*ours, "uuid"));
    guest.epoch = model::number_of(*ours, "epoch");
    if (ours->contains("memory")) guest.memory = model::number_of(*ours, "memory");
    // One that was started by an older build has none.
    guest.user = ours->contains("user")
                     ? std::optional(static_cast<uid_t>(model::number_of(*ours, "user")))
                     : user_of_command(guest.argv);
    auto const* tags = ours->if_contains("tags");
    if (tags && tags->is_array()) {
      for (auto const& tag : tags->get_array()) {
        if (tag.is_string()) guest.tags.emplace_back(std::string_view(tag.get_string()));
      }
    }
  }
  return guest;
}

Result<void> KvmRuntime::mark_paused(std::string const& name) const {
  return sys::write_file(pause_mark(name), "", 0600);
}

bool KvmRuntime::is_marked_paused(std::string const& name) const {
  return sys::exists(pause_mark(name));
}

void KvmRuntime::unmark_paused(std::string const& name) const {
  std::ignore = sys::remove_file(pause_mark(name));
}

Result<void> KvmRuntime::mark_leaving(std::string const& name, std::string const& id) const {
  auto ids = leaving(name);
  if (!ids.insert(id).second) return {};
  return sys::write_file(leaving_mark(name), fmt::format("{}\n", fmt::join(ids, "\n")), 0600);
}

void KvmRuntime::unmark_leaving(std::string const& name, std::string const& id) const {
  auto ids = leaving(name);
  if (ids.erase(id) == 0) return;
  if (ids.empty()) {
    std::ignore = sys::remove_file(leaving_mark(name));
  } else {
    std::ignore =
        sys::write_file(leaving_mark(name), fmt::format("{}\n", fmt::join(ids, "\n")), 0600);
  }
}

std::set<std::string> KvmRuntime::leaving(std::string const& name) const {
  std::istringstream lines(sys::read_file(leaving_mark(name), runtime_bytes_max).value_or(""));
  std::set<std::string> ids;
  for (std::string id; std::getline(lines, id);) ids.insert(id);
  return ids;
}

std::vector<std::string> KvmRuntime::marked_leaving() const {
  return names_in(paths_.kvm() + "/conf", leaving_suffix);
}

Result<void> KvmRuntime::mark_user_down(std::string const& name) const {
  return sys::write_file(user_down_mark(name), "", 0600);
}

void KvmRuntime::unmark_user_down(std::string const& name) const {
  std::ignore = sys::remove_file(user_down_mark(name));
}

std::vector<std::string> KvmRuntime::marked_user_down() const {
  return names_in(paths_.kvm() + "/ctrl", user_down_suffix);
}

void KvmRuntime::forget(std::string const& name) const {
  auto const at = files(name);
  // First: the runtime file knows where it is.
  if (auto const address = model::text_of(load(name).hvparams, "vnc_bind_address");
      address.starts_with('/')) {
    std::ignore = sys::remove_file(kvm_vnc_socket(address, name));
  }
  for (auto const& path : {at.pid, at.monitor, at.serial, at.qmp, at.kvmd, at.guest_agent,
                           runtime_file(name), pause_mark(name), leaving_mark(name)}) {
    std::ignore = sys::remove_file(path);
  }
  std::ignore = sys::remove_directory(file("nic", name));
  std::ignore = sys::remove_directory(at.chroot);
}

std::string KvmRuntime::file(std::string_view folder, std::string const& name) const {
  return fmt::format("{}/{}/{}", paths_.kvm(), folder, name);
}

std::string KvmRuntime::runtime_file(std::string const& name) const {
  return file("conf", name) + ".runtime";
}

std::string KvmRuntime::pause_mark(std::string const& name) const {
  return file("conf", name) + ".paused";
}

std::string KvmRuntime::leaving_mark(std::string const& name) const {
  return fmt::format("{}{}", file("conf", name), leaving_suffix);
}

std::string KvmRuntime::user_down_mark(std::string const& name) const {
  return fmt::format("{}{}", file("ctrl", name), user_down_suffix);
}

}  // namespace flotte::node
