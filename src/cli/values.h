// The little grammars of option values (docs/ganeti.md, "Values of options"): k=v lists, `id:k=v`
// lists, yes and no. Pure.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace flotte::cli {

namespace json = boost::json;

// "a=1,no_b,c,-d": {"a": "1", "b": false, "c": true, "d": null}; `\,` is a comma in a value, and
// any other character loses the backslash before it, too.
Result<json::object> parse_pairs(std::string_view text, std::string_view option);
// "kvm:a=1,b=2" or "0:size=1G".
Result<std::pair<std::string, json::object>> parse_named_pairs(std::string_view text,
                                                               std::string_view option);
// "-kvm" and "no_kvm" take a group away: its name, or empty.
Result<std::string> parse_removed_group(std::string_view text);
// What --net and --disk of `modify` say, as the opcode wants it: "1:modify,link=br0" is
// ["modify", 1, {"link": "br0"}]. docs/ganeti.md, "Disks and NICs of a command".
Result<json::array> parse_device_change(std::string_view text, std::string_view option);
std::vector<std::string> split(std::string_view text, char separator);
// At commas; what stands after a backslash is as it is.
std::vector<std::string> split_escaped(std::string_view text);
// Seconds: "90", "30m", "8h", "2d", "1w".
Result<std::int64_t> parse_timespec(std::string_view text);
// A number of things, not negative.
Result<std::int64_t> parse_count(std::string_view text, std::string_view option);
Result<bool> parse_yes_no(std::string_view text);
// For a shell-like word list: quotes are not special.
std::string strip(std::string_view text);

}  // namespace flotte::cli
