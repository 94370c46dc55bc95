#include "controller/key_files.h"

#include "base/log.h"
#include "base/text.h"
#include "sys/files.h"

namespace flotte::controller {
namespace {

constexpr mode_t directory_mode = 0700;
constexpr mode_t file_mode = 0600;

}  // namespace

std::string KeyFiles::path(JobId job) const {
  return fmt::format("{}/{}", directory_, number(job));
}

Result<void> KeyFiles::keep(JobId job, std::string const& key) {
  TRY(sys::make_directories(directory_, directory_mode));
  return sys::write_file(path(job), key, file_mode);
}

// One that can't be read is none: its job says that its secrets are lost, and all others go on.
Result<std::map<JobId, std::string>> KeyFiles::all() {
  std::map<JobId, std::string> keys;
  for (auto const& name : sys::names_in(directory_)) {
    auto const id = whole_number(name);
    if (!id) continue;
    auto key = sys::read_file(path(JobId{*id}));
    if (key) {
      keys[JobId{*id}] = std::move(*key);
    } else {
      log::error("The key of the secrets of job {}: {}", *id, key.error().message);
    }
  }
  return keys;
}

// Where the file system writes over what is there, nothing of it is left on the disk either.
Result<void> KeyFiles::destroy(JobId job) {
  if (!sys::exists(path(job))) return {};
  TRY(sys::write_in_place(path(job), std::string(64, '\0')));
  return sys::remove_file(path(job));
}

}  // namespace flotte::controller
