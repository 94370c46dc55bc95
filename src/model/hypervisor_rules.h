// What must hold between hypervisor parameters, each of which is right by itself, and which of them
// are refused because what they ask for is not built. Pure.
#pragma once

#include "model/params.h"

namespace flotte::model {

// Of filled parameters. The errors of rules are Ganeti's.
Result<void> check_hypervisor(HypervisorKind kind, json::object const& filled);
// Also against the filled backend parameters: for who is going to start.
Result<void> check_start(HypervisorKind kind, json::object const& hvparams,
                         json::object const& beparams);

// As cpu_mask has it: one list for all, or one a virtual CPU. Nothing: no restriction.
using CpuList = std::vector<int>;
Result<std::vector<CpuList>> parse_cpu_mask(std::string_view mask);

}  // namespace flotte::model
