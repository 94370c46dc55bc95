// Reading what another cluster answered: what isn't there, or is something else, is empty. Nothing
// here throws, whatever it is given. Pure.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace flotte::cli {

namespace json = boost::json;

// A value that should be an object, or an object. What is found in it is its own.
struct Of {
  Of(json::value const& value) : object(value.if_object()) {}
  Of(json::object const& own) : object(&own) {}
  json::object const* object;  // null: it is none
};

// Null: there is no such member.
json::value const* member(Of of, std::string_view name);
// Null: it is no list, or is shorter.
json::value const* item(json::value const& of, std::size_t index);
json::value const* item(json::array const& of, std::size_t index) = delete;
std::string text(json::value const& value);
std::string text_in(Of of, std::string_view name);
bool is_true_in(Of of, std::string_view name);
// Also of a text, as numbers of jobs are in older answers.
std::optional<std::int64_t> number(json::value const& value);
std::optional<std::int64_t> number_in(Of of, std::string_view name);
json::array list_in(Of of, std::string_view name);
json::object object_in(Of of, std::string_view name);

}  // namespace flotte::cli
