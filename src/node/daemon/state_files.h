// The daemon's own small files: written whole or not at all, with mode and owner set before the
// first byte is.
//
// Used by the node daemon for certificates, secrets and state below Paths. Thread-safe.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace flotte::node {

struct Owner {
  uid_t uid;
  gid_t gid;

  static Owner self();
  // The account of the controller, where it exists and we are root; otherwise ourselves.
  static Owner controller();
};

constexpr std::size_t state_file_bytes_max = 1024 * 1024;

// Nothing when there is no such file. Symbolic links are refused.
Result<std::optional<std::string>> read_state_file(std::string const& path);

// Durable when it returns: the file and its directory are synced.
Result<void> write_state_file(std::string const& path, std::string_view contents, mode_t mode,
                              Owner owner = Owner::self());

// Fine when it isn't there.
Result<void> remove_state_file(std::string const& path);

// An empty file for another one to write, where there is none.
Result<void> ensure_file(std::string const& path, mode_t mode, Owner owner);

// Makes it, and its parents with mode 0755; corrects mode and owner of one that is there.
Result<void> ensure_directory(std::string const& path, mode_t mode, Owner owner = Owner::self());

}  // namespace flotte::node
