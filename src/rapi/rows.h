// Queries as the remote API needs them: refusals instead of errors, and rows as dicts. Thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "rapi/remote_call.h"
#include "rapi/services.h"

namespace flotte::rapi {

using Names = std::vector<std::string>;
using Fields = std::vector<std::string_view>;

// As the refusal of a request that needed it.
Refusal refusal_of(Error const& error);

// Ganeti's {"fields": […], "data": [[[status, value], …], …]}.
Granted<json::object> query(Services const& services, std::string_view what, json::array fields,
                            json::array names = {}, json::value filter = nullptr);

// One dict a row; what is not known or not there is null. Names: none means all.
Granted<std::vector<json::object>> rows(Services const& services, std::string_view what,
                                        Fields const& fields, Names const& names = {});

}  // namespace flotte::rapi
