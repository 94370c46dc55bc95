// Who moves a machine: a word in the reason of each of its jobs, by which another try knows whether
// that process still lives.
#pragma once

#include <boost/json/value.hpp>
#include <optional>
#include <string>

namespace flotte::cli {

namespace json = boost::json;

// "move-instance HOST PID START", of this process.
std::string this_mover();
// The one in an opcode's "reason".
std::optional<std::string> mover_of(json::value const& reason);
// It was a process of this host, and is gone: nobody else looks after its jobs.
bool is_gone(std::string const& mover);

}  // namespace flotte::cli
