// Writing to disks and to files of their size, with errors that name them. Blocking; thread-safe.
#pragma once

#include <sys/types.h>

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace flotte::node {

// What errno says.
std::string errno_text();
// "Can't write /srv/x: No space left on device", of errno; InsufficientResources where there is no
// room.
Failure cant(std::string_view verb, std::string_view path);
// All of it.
Result<void> write_at(int file, std::string_view content, off_t at, std::string_view path,
                      std::string_view verb = "write");

// Fills the room from that byte on; an end before that is an error.
Result<void> read_at(int file, std::span<char> room, off_t at, std::string_view path);
// A device is told to write zeros itself.
Result<void> zero_device(int device, off_t from, off_t to, std::string_view path);
// Fills the room from where the file is read next; less only at its end. `said`: for errors.
Result<std::size_t> read_whole(int file, std::span<char> room, std::string_view said);

}  // namespace flotte::node
