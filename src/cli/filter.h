// The filter language as people type it, turned into the JSON form that queries take
// (docs/ganeti.md, "Filters"). Pure.
#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace flotte::cli {

// Does it look like a filter rather than a name?
bool may_be_filter(std::string_view text);
// The error's message has the text again with a mark below the place: several lines.
Result<boost::json::value> parse_filter(std::string_view text);

// Objects whose field matches any of the globs; "*" and "?" stay within one part of a DNS name.
boost::json::value filter_of_globs(std::string_view field, std::vector<std::string> const& globs);

}  // namespace flotte::cli
