// RemoteCall: what a program asked of the remote API, without its connection, and Refusal: why it
// does not get it, as a status of HTTP. Values; any thread.
#pragma once

#include <boost/json/value.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "base/result.h"
#include "net/http.h"

namespace flotte::rapi {

namespace json = boost::json;

struct RemoteCall {
  std::vector<std::string> places;  // what stands for each "{…}" of the route's path, in order
  net::Query query;
  std::optional<json::value> body;  // none: there was none

  // That its route has.
  std::string const& place(std::size_t index) const {
    CHECK(index < places.size());
    return places[index];
  }
};

// Ganeti's statuses: docs/ganeti.md, "Remote API".
struct Refusal {
  unsigned status = 400;
  std::string message;  // for people; empty: the status says it all
  std::optional<std::chrono::seconds> retry_after = {};  // when it may be asked again
};
template <class T>
using Granted = tl::expected<T, Refusal>;

template <class... Args>
tl::unexpected<Refusal> refuse(unsigned status, fmt::format_string<Args...> text, Args&&... args) {
  return tl::unexpected(Refusal{status, fmt::format(text, std::forward<Args>(args)...)});
}

// A parameter without a value counts as one that isn't there.
//
// "?bulk=1": whole numbers only. Refused: anything else.
Granted<std::int64_t> number_in(net::Query const& query, std::string_view name,
                                std::int64_t otherwise = 0);
Granted<bool> flag_in(net::Query const& query, std::string_view name, bool otherwise = false);
// The first of that name.
std::optional<std::string> text_in(net::Query const& query, std::string_view name);
std::vector<std::string> texts_in(net::Query const& query, std::string_view name);
// "a,b": at least one, which may be empty.
std::vector<std::string_view> parts_at_commas(std::string_view text);

}  // namespace flotte::rapi
