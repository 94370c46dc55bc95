#include "node/exports/exports.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <cerrno>
#include <system_error>
#include <tuple>

#include "schema/schema.h"
#include "sys/deeds.h"
#include "sys/files.h"

namespace flotte::node {
namespace {

constexpr std::string_view config_file = "config.ini";
constexpr std::string_view sums_file = "flotte.json";
constexpr std::size_t config_bytes_max = 1 << 20;
constexpr std::size_t dumps_max = 1000;
// Of the file system, for others; of a large one less.
constexpr std::int64_t reserve_part = 20;
constexpr MiB reserve_max{256};
constexpr mode_t directory_mode = 0750;
constexpr mode_t private_mode = 0700;
constexpr mode_t file_mode = 0600;

// The sizes and checksums of an export, as they stand beside its files.
struct Sums {
  std::vector<rpc::Dump> dumps;

  static schema::Fields fields() {
    static constexpr schema::Field table[] = {
        schema::field<&Sums::dumps>("dumps", "All files of disks."),
    };
    return table;
  }
};

Result<void> check_component(std::string_view name, std::string_view what) {
  if (is_path_component(name) && name.size() <= NAME_MAX) return {};
  return fail(ErrorCode::WrongInput, "'{}' is no name of {}", name, what);
}

std::string in(std::string const& directory, std::string_view name) {
  return fmt::format("{}/{}", directory, name);
}

bool is_link(std::string const& path) {
  struct stat now{};
  return ::lstat(path.c_str(), &now) == 0 && S_ISLNK(now.st_mode);
}

// Of a regular file that is no link.
std::optional<Bytes> size_of_file(std::string const& path) {
  struct stat now{};
  if (::lstat(path.c_str(), &now) != 0 || !S_ISREG(now.st_mode)) return std::nullopt;
  return Bytes{now.st_size};
}

Result<std::string> read_small(std::string const& path) {
  if (!size_of_file(path)) {
    return fail(ErrorCode::UnknownEntity, "There is no file {}", path);
  }
  return sys::read_file(path, config_bytes_max);
}

// Those that Ganeti made have none. One that says nothing is no reason to believe the dumps.
Result<Sums> read_sums(std::string const& directory) {
  auto const path = in(directory, sums_file);
  if (!sys::exists(path) && !is_link(path)) return Sums();
  auto const text = TRY(read_small(path));
  auto const parsed = schema::parse(text);
  auto sums = parsed ? schema::decode<Sums>(*parsed, schema::UnknownKeys::Ignore)
                     : Result<Sums>(Failure(parsed.error()));
  if (sums) return sums;
  return fail(ErrorCode::WrongState,
              "{} can't be read: {}; without it nobody knows whether the dumps are what was "
              "exported: remove it to import them all the same",
              path, sums.error().message);
}

}  // namespace

std::string Exports::beside(std::string_view instance, std::string_view what) const {
  return in(directory_, fmt::format(".{}.{}", instance, what));
}

// No link leads there.
Result<std::string> Exports::new_directory(std::string const& instance) const {
  TRY(check_component(instance, "an instance"));
  auto path = beside(instance, "new");
  if (is_link(path)) return fail(ErrorCode::WrongState, "{} is a link", path);
  return path;
}

// After one that was ended in the middle: what was the export and has no successor is it again.
Result<void> Exports::settle(std::string const& instance) const {
  auto const finished = in(directory_, instance);
  auto const old = beside(instance, "old");
  if (sys::exists(old) && !sys::exists(finished)) TRY(sys::move_file(old, finished));
  if (sys::exists(old)) std::ignore = put_away(instance, old);
  // What could not go then may go now.
  std::ignore = sys::remove_tree(beside(instance, "gone"));
  return {};
}

Result<void> Exports::check(std::string const& instance) const {
  TRY(new_directory(instance));
  auto const finished = in(directory_, instance);
  for (auto const& path : {directory_, finished}) {
    if (sys::exists(path) && !sys::is_directory(path)) {
      return fail(ErrorCode::WrongState, "{} is no directory", path);
    }
  }
  if (is_link(finished)) return fail(ErrorCode::WrongState, "{} is a link", finished);
  if (sys::is_mounted(finished)) {
    return fail(ErrorCode::WrongState,
                "Something is mounted at {}, and another export can't take its place", finished);
  }
  auto const where = sys::exists(directory_) ? directory_ : parent();
  if (::access(where.c_str(), W_OK | X_OK) == 0) return {};
  return fail(ErrorCode::EnvironmentError, "Can't write to {}: {}", where,
              std::generic_category().message(errno));
}

// There may have been no export yet.
std::string Exports::parent() const {
  return directory_.substr(0, directory_.rfind('/'));
}

Result<std::string> Exports::new_dump(std::string const& instance, std::string const& file) const {
  TRY(check_component(file, "a file of an export"));
  auto const directory = TRY(new_directory(instance));
  TRY(settle(instance));
  TRY(sys::make_directories(directory_, directory_mode));
  TRY(sys::make_directories(directory, private_mode));
  auto const path = in(directory, file);
  // What an earlier try wrote.
  TRY(sys::remove_file(path));
  sys::Fd const made(sys::create_file(path, file_mode));
  if (made.get() >= 0) return path;
  return fail(ErrorCode::EnvironmentError, "Can't make {}: {}", path,
              std::generic_category().message(errno));
}

Result<void> Exports::finish(rpc::ExportFinish const& call, Warns const& warns) const {
  auto const made = TRY(new_directory(call.instance));
  auto const finished = in(directory_, call.instance);
  TRY(settle(call.instance));
  auto const config = read_small(in(finished, config_file));
  // Asked again by who did not get the answer; what has its place now is the one of before.
  if (config && *config == call.config &&
      read_sums(finished).value_or(Sums()).dumps == call.dumps) {
    if (auto const gone = put_away(call.instance, made); !gone) warns(gone.error().message);
    return {};
  }
  if (!sys::is_directory(made)) {
    return fail(ErrorCode::WrongState, "There is no export of {} that could be finished",
                call.instance);
  }
  for (auto const& dump : call.dumps) {
    auto const size = size_of_file(in(made, dump.file));
    if (size && *size == dump.size) continue;
    return fail(ErrorCode::WrongState, "{} of the export of {} isn't what was written", dump.file,
                call.instance);
  }
  // What earlier tries left.
  for (auto const& name : sys::names_in(made)) {
    auto const is_known = std::ranges::find(call.dumps, name, &rpc::Dump::file);
    if (is_known == call.dumps.end()) TRY(sys::remove_tree(in(made, name)));
  }
  TRY(sys::write_file(in(made, sums_file), boost::json::serialize(schema::encode(Sums{call.dumps})),
                      file_mode));
  TRY(sys::write_file(in(made, config_file), call.config, file_mode));
  return replace(call.instance, warns);
}

// At every instant there is the one of before or the new one. Not every file system can exchange
// them: there the one of before waits beside.
Result<void> Exports::replace(std::string const& instance, Warns const& warns) const {
  auto const finished = in(directory_, instance);
  auto const made = beside(instance, "new");
  if (is_link(finished)) return fail(ErrorCode::WrongState, "{} is a link", finished);
  if (!sys::exists(finished)) return sys::move_file(made, finished);
  if (!sys::is_directory(finished)) {
    return fail(ErrorCode::WrongState, "{} is no directory", finished);
  }
  auto before = made;
  if (sys::exchange(made, finished) != 0) {
    if (errno != EINVAL && errno != ENOSYS) {
      return fail(ErrorCode::EnvironmentError, "Can't put the new export in the place of {}: {}",
                  finished, std::generic_category().message(errno));
    }
    before = beside(instance, "old");
    TRY(sys::move_file(finished, before));
    TRY(sys::move_file(made, finished));
  }
  TRY(sys::sync_directory(directory_));
  if (auto const gone = put_away(instance, before); !gone) warns(gone.error().message);
  return {};
}

// It goes, or is out of the way at least.
Result<void> Exports::put_away(std::string const& instance, std::string const& path) const {
  auto const gone = sys::remove_tree(path);
  if (gone) return {};
  auto const where = beside(instance, "gone");
  return fail(ErrorCode::EnvironmentError,
              "What was to go stays in {}, and goes with the next export if it can then: {}",
              sys::rename(path, where) == 0 ? where : path, gone.error().message);
}

Result<rpc::ExportNames> Exports::list() const {
  rpc::ExportNames list;
  for (auto const& name : sys::names_in(directory_)) {
    if (is_export(name)) list.names.push_back(name);
  }
  return list;
}

// What else lies there, such as lost+found, is nobody's export.
bool Exports::is_export(std::string const& name) const {
  return is_path_component(name) && size_of_file(in(in(directory_, name), config_file));
}

Result<rpc::ExportContent> Exports::info(std::string const& path) const {
  rpc::ExportContent content{.path = path};
  if (!path.starts_with('/')) {
    TRY(check_component(path, "an export"));
    content.path = in(directory_, path);
  }
  auto const config = read_small(in(content.path, config_file));
  if (!config) {
    return fail(ErrorCode::UnknownEntity,
                "No export or invalid export found in dir {}: {}; 'gnt-backup list' shows those "
                "that there are",
                content.path, config.error().message);
  }
  content.config = *config;
  auto const sums = TRY(read_sums(content.path));
  for (auto const& name : sys::names_in(content.path)) {
    auto const size = size_of_file(in(content.path, name));
    if (!size || name == config_file || name == sums_file) continue;
    if (content.dumps.size() >= dumps_max) break;
    auto const known = std::ranges::find(sums.dumps, name, &rpc::Dump::file);
    if (known == sums.dumps.end()) {
      content.dumps.push_back({.file = name, .size = *size});
      continue;
    }
    if (known->size != *size) {
      return fail(ErrorCode::WrongState, "{} has {} bytes; when it was exported it had {}",
                  in(content.path, name), size->value, known->size.value);
    }
    content.dumps.push_back(*known);
  }
  return content;
}

Result<void> Exports::remove(std::string const& name) const {
  TRY(check_component(name, "an export"));
  auto const path = in(directory_, name);
  TRY(settle(name));
  // Under another name first: what is half removed is no export any more, and asked again it goes.
  auto const gone = beside(name, "gone");
  TRY(sys::remove_tree(gone));
  if (is_link(path)) return sys::remove_file(path);
  if (!sys::exists(path)) return {};
  if (is_export(name)) {
    TRY(sys::move_file(path, gone));
    return sys::remove_tree(gone);
  }
  return fail(ErrorCode::WrongState, "{} is no export: it has no {}", path, config_file);
}

Result<void> Exports::discard(std::string const& instance) const {
  TRY(check_component(instance, "an instance"));
  TRY(settle(instance));
  auto const directory = beside(instance, "new");
  // That was not made here.
  if (is_link(directory)) return {};
  return sys::remove_tree(directory);
}

Result<void> Exports::check_room(Bytes more) const {
  auto const space = TRY(sys::file_system_space(sys::exists(directory_) ? directory_ : parent()));
  auto const reserve = std::min(MiB{space.total.value / reserve_part}, reserve_max);
  if (round_up(more) + reserve <= space.free) return {};
  return fail(ErrorCode::InsufficientResources,
              "Not enough room in {}: {} MiB are free, {} MiB of them stay so, {} MiB more are "
              "needed",
              directory_, space.free.value, reserve.value, round_up(more).value);
}

Result<sys::Fd> Exports::open_dump(std::string const& directory, std::string const& file) {
  TRY(check_component(file, "a file of an export"));
  auto const path = in(directory, file);
  sys::Fd dump(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat now{};
  if (dump.get() >= 0 && ::fstat(dump.get(), &now) == 0 && S_ISREG(now.st_mode)) return dump;
  return fail(ErrorCode::EnvironmentError, "Can't read {}: {}", path,
              dump.get() < 0 ? std::generic_category().message(errno) : "it is no file");
}

}  // namespace flotte::node
