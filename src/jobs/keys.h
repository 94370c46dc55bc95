// Where the queue keeps what it stores, beside the keys of journal.h. Internal to this folder.
#pragma once

#include <string_view>

namespace flotte::jobs {

constexpr std::string_view jobs_prefix = "/jobs/";
constexpr std::string_view archive_prefix = "/archive/";
constexpr std::string_view all_journals_prefix = "/journal/";
constexpr std::string_view unreadable_prefix = "/unreadable/";
// Each submit that is under way writes the last id to a key of its own: they may become durable in
// any order, and the highest counts.
constexpr std::string_view serial_key = "/queue/serial";
constexpr std::string_view wishes_prefix = "/queue/wish/";
constexpr std::string_view drain_key = "/queue/drain";

}  // namespace flotte::jobs
