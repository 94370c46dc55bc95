// Route: what can be asked of the controller, as a row of a table: method, path, rights, a sentence
// for people, and who answers. The rows of the local socket are in local_api.cpp. Values; any
// thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "jobs/principal.h"
#include "net/http.h"
#include "schema/schema.h"

namespace flotte::rapi {

namespace json = boost::json;

enum class Right { Read, Write };

// A request that has found its route.
struct Asked {
  net::Request const& request;
  json::object body;         // empty where there is none
  std::optional<JobId> job;  // that the path names
  jobs::Principal who;
};

// An answer at once: JSON.
using Answer = std::function<Result<json::value>(Asked const&)>;
// An answer in pieces: whoever answers sends it himself. An error is sent for him, unless he has
// begun.
using Streamed = std::function<Result<void>(Asked const&, net::Responder&)>;

struct Route {
  std::string_view method;
  std::string_view path;  // below the prefix; "{job}" stands for a job's number
  Right right;
  std::string_view sentence;
  std::variant<Answer, Streamed> answers;
};

// What stands for each "{…}" of a path's pattern, in order; nothing: the path is another one. Pure.
std::optional<std::vector<std::string>> places_in(std::string_view pattern, std::string_view path);

// Where a path leads. WrongInput: what stands for a job's number is none.
struct Found {
  Route const* route = nullptr;  // none: no such path, or not with that method
  bool is_path_known = false;
  std::optional<JobId> job;
};
Result<Found> find_route(std::span<Route const> routes, std::string_view method,
                         std::string_view path);

}  // namespace flotte::rapi
