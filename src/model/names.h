// How long names may be. Refused before anything is touched: what fails when the first file is
// written leaves the ones before.
#pragma once

#include <cstddef>

namespace flotte::model {

// Files of an instance are called after it, with up to 13 bytes behind ("web1.shutdown.new"), and
// Linux knows no names of more than 255.
constexpr std::size_t instance_name_bytes_max = 240;

// Older builds took longer ones, and what exists can be stopped and removed: as long as the name of
// a host (RFC 1035).
constexpr std::size_t host_name_bytes_max = 253;

}  // namespace flotte::model
