#include "rapi/route.h"

#include <algorithm>

#include "base/text.h"

namespace flotte::rapi {
namespace {

constexpr std::string_view job_place = "{job}";

std::string_view take_part(std::string_view& path) {
  auto const slash = std::min(path.find('/'), path.size());
  auto const part = path.substr(0, slash);
  path.remove_prefix(std::min(slash + 1, path.size()));
  return part;
}

// Whether they have the same parts; `number` becomes what stands in the place of a job's.
bool matches(std::string_view pattern, std::string_view path, std::string_view& number) {
  if (std::ranges::count(pattern, '/') != std::ranges::count(path, '/')) return false;
  while (!pattern.empty() || !path.empty()) {
    auto const wanted = take_part(pattern);
    auto const given = take_part(path);
    if (wanted == job_place) {
      number = given;
    } else if (wanted != given) {
      return false;
    }
  }
  return true;
}

}  // namespace

Result<Found> find_route(std::span<Route const> routes, std::string_view method,
                         std::string_view path) {
  Found found;
  for (auto const& route : routes) {
    std::string_view number;
    if (!matches(route.path, path, number)) continue;
    found.is_path_known = true;
    if (route.method != method) continue;
    if (route.path.find(job_place) != std::string_view::npos) {
      auto const job = whole_number(number);
      if (!job) return fail(ErrorCode::WrongInput, "Invalid job ID '{}'", number);
      found.job = JobId{*job};
    }
    found.route = &route;
    return found;
  }
  return found;
}

}  // namespace flotte::rapi
