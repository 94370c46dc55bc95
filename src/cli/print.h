// How results look: tables (docs/ganeti.md, "Lists and fields"), Ganeti's info layout
// (docs/ganeti.md, "Output of info"), and values as Python prints them (docs/ganeti.md, "Values and
// units"). Pure.
#pragma once

#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/size.h"

namespace flotte::cli {

namespace json = boost::json;

// None, True, ['a', 1], {'k': 'v'}.
std::string python_text(json::value const& value);
// 2026-11-23 13:56:20
std::string local_time(double seconds);
// With microseconds, from [seconds, microseconds]; "N/A" for null.
std::string stamp_text(json::value const& stamp);

struct TableOptions {
  bool has_headers = true;
  std::optional<std::string> separator;
  std::optional<Unit> unit;  // none: human without, MiB with a separator
  bool is_verbose = false;
  // Of lists of groups: node parameters are "ssh_port=22, …", tags a list.
  bool is_of_groups = false;
};

// `answer` is a query's {"fields", "data"}.
std::string render_table(json::value const& answer, TableOptions const& options);
// An array of objects, field name to value; cells without a value are null.
json::value table_json(json::value const& answer);
// Names of unknown fields, for the warning and exit code 14.
std::vector<std::string> unknown_fields(json::value const& answer);

// Words, as many a line as fit.
std::vector<std::string> wrapped_lines(std::string const& text, std::size_t width);

// YAML-like: objects as `Key: value`, lists with dashes, two blanks a level.
std::string render_info(json::value const& value);

}  // namespace flotte::cli
