#include "rapi/route.h"

#include <algorithm>

#include "base/text.h"

namespace flotte::rapi {
namespace {

std::string_view take_part(std::string_view& path) {
  auto const slash = std::min(path.find('/'), path.size());
  auto const part = path.substr(0, slash);
  path.remove_prefix(std::min(slash + 1, path.size()));
  return part;
}

}  // namespace

std::optional<std::vector<std::string>> places_in(std::string_view pattern, std::string_view path) {
  if (std::ranges::count(pattern, '/') != std::ranges::count(path, '/')) return std::nullopt;
  std::vector<std::string> places;
  while (!pattern.empty() || !path.empty()) {
    auto const wanted = take_part(pattern);
    auto const given = take_part(path);
    if (wanted.starts_with('{')) {
      places.emplace_back(given);
    } else if (wanted != given) {
      return std::nullopt;
    }
  }
  return places;
}

Result<Found> find_route(std::span<Route const> routes, std::string_view method,
                         std::string_view path) {
  Found found;
  for (auto const& route : routes) {
    auto const places = places_in(route.path, path);
    if (!places) continue;
    found.is_path_known = true;
    if (route.method != method) continue;
    if (!places->empty()) {
      auto const job = whole_number(places->front());
      if (!job) return fail(ErrorCode::WrongInput, "Invalid job ID '{}'", places->front());
      found.job = JobId{*job};
    }
    found.route = &route;
    return found;
  }
  return found;
}

}  // namespace flotte::rapi
