// How long names may be. Refused before anything is touched: what fails when the first file is
// written leaves the ones before.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace flotte::model {

// Files of an instance are called after it, with up to 13 bytes behind ("web1.shutdown.new"), and
// Linux knows no names of more than 255.
constexpr std::size_t instance_name_bytes_max = 240;

// Older builds took longer ones, and what exists can be stopped and removed: as long as the name of
// a host (RFC 1035).
constexpr std::size_t host_name_bytes_max = 253;

// Of groups and networks.
constexpr std::size_t object_name_bytes_max = 128;

// Whether a group or a network may have it: one word, which no command takes for an option.
constexpr bool is_object_name(std::string_view name) {
  auto const is_shown = [](char c) { return static_cast<unsigned char>(c) > ' ' && c != '\x7f'; };
  return !name.empty() && name.size() <= object_name_bytes_max && name.front() != '-' &&
         std::ranges::all_of(name, is_shown);
}

// Whether Linux would take it for the name of a network interface.
constexpr bool is_interface_name(std::string_view name) {
  constexpr std::size_t bytes_max = 15;
  auto const fits = [](char c) { return c > ' ' && c < '\x7f' && c != '/' && c != ':'; };
  return !name.empty() && name.size() <= bytes_max && name != "." && name != ".." &&
         std::ranges::all_of(name, fits);
}

}  // namespace flotte::model
