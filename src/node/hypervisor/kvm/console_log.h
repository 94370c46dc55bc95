// The record of a guest's serial line. QEMU writes it whether anybody is connected or not, so that
// who comes later sees what was said last, and several people see the same; it needs no process of
// ours between the guest and its console.
//
// Of root alone. Its beginning is given back as it grows: its size goes on counting, its space
// doesn't. Any thread.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace flotte::node {

constexpr std::int64_t console_bytes_kept = 256 << 10;
constexpr std::int64_t console_bytes_max = 1 << 20;

// A new one, before QEMU starts; what the guest said in its last life goes to <path>.old.
Result<void> begin_console_log(std::string const& path);
// What takes more than console_bytes_max is cut down to its last console_bytes_kept.
void bound_console_log(std::string const& path);

}  // namespace flotte::node
