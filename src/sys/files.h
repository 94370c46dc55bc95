// Small file work with errors that name the path. Thread-safe.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/size.h"

namespace flotte::sys {

Result<std::string> read_file(std::string const& path, std::size_t bytes_max = 1 << 20);
// A temporary file in the same directory with the mode from the start, fsync of both, rename.
Result<void> write_file(std::string const& path, std::string_view content, mode_t mode);
Result<void> make_directories(std::string const& path, mode_t mode);
bool exists(std::string const& path);

struct FileSystemSpace {
  MiB total;
  MiB free;
};
Result<FileSystemSpace> file_system_space(std::string const& path);

}  // namespace flotte::sys
