// What monitoring is told, in Prometheus' text format (version 0.0.4), by its naming rules.
// Thread-safe.
#pragma once

#include <string>

#include "rapi/remote_call.h"
#include "rapi/services.h"

namespace flotte::rapi {

inline constexpr std::string_view metrics_type = "text/plain; version=0.0.4; charset=utf-8";

// Of the cluster, its nodes, instances and jobs. Nodes that don't answer are told as such.
Granted<std::string> metrics(Services const& services);

}  // namespace flotte::rapi
