// Small file work with errors that name the path. Thread-safe.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/size.h"

namespace flotte::sys {

Result<std::string> read_file(std::string const& path, std::size_t bytes_max = 1 << 20);
// A temporary file in the same directory with the mode from the start, fsync of both, rename. Not
// twice at once for one path.
Result<void> write_file(std::string const& path, std::string_view content, mode_t mode);
// The same with another owner; -1: ourselves.
Result<void> write_file(std::string const& path, std::string_view content, mode_t mode, uid_t owner,
                        gid_t group);
// Into a file that is there already, such as a switch of the kernel.
Result<void> write_in_place(std::string const& path, std::string_view content);
// Fine when it isn't there. Also what a write_file() that was killed left of it.
Result<void> remove_file(std::string const& path);
// In one instant, and durably; both are on one file system.
Result<void> move_file(std::string const& from, std::string const& to);
// A link that is replaced in one instant.
Result<void> write_link(std::string const& path, std::string const& target);
Result<void> make_directories(std::string const& path, mode_t mode);
// With the files in it.
Result<void> remove_directory(std::string const& path);
// With all that is in it. Links are not followed, and what is mounted there stays: an error.
Result<void> remove_tree(std::string const& path);
// What was moved there or away from there stays so.
Result<void> sync_directory(std::string const& path);
bool exists(std::string const& path);
// Also behind a link; one that leads nowhere or in a circle is none.
bool is_directory(std::string const& path);
// Something is mounted there.
bool is_mounted(std::string const& path);
// What lies in a directory, sorted; nothing where there is none, or it can't be read.
std::vector<std::string> names_in(std::string const& directory);
// Another text as soon as the file is another one, or was written; the path alone where none is.
std::string identity(std::string const& path);

// A file that grows line by line, up to a bound, which is said in it. Whether a line found room is
// nobody's concern.
class LogFile {
 public:
  static constexpr std::size_t bytes_max = 16 << 20;

  static Result<LogFile> open(std::string const& path, mode_t mode);
  ~LogFile();
  LogFile(LogFile&& other) noexcept;
  LogFile& operator=(LogFile&&) = delete;

  void add(std::string_view line);

 private:
  explicit LogFile(int fd) : fd_(fd) {}
  int fd_;
  std::size_t added_ = 0;
};

struct FileSystemSpace {
  MiB total;
  MiB free;
};
Result<FileSystemSpace> file_system_space(std::string const& path);

}  // namespace flotte::sys
