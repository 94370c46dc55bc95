// The remote API described for programs: OpenAPI 3.1, made from the tables of what it reads and
// changes and from those of the opcodes. What is not built yet is not in it. Pure; any thread.
#pragma once

#include <boost/json/object.hpp>
#include <span>
#include <string_view>

namespace flotte::rapi {

boost::json::object openapi();

// The body of a change that has one, as JSON.
struct BodyExample {
  std::string_view method;
  std::string_view path;
  std::string_view body;
};
std::span<BodyExample const> body_examples();

}  // namespace flotte::rapi
