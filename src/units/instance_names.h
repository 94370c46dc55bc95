// What an instance may be called, and what --name-check and --ip-check look at (docs/ganeti.md,
// "Instance names").
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "jobs/unit.h"
#include "rpc/node_calls.h"

namespace flotte::units {

// As it is kept: in lower case, without a dot behind it. WrongInput: it is no name of a host.
Result<std::string> normalized_name(std::string_view given);

enum class NameChecks { None, Name, NameAndAddress };
// WrongInput: the address can't be checked without the name.
Result<NameChecks> name_checks(bool name_check, bool ip_check, std::string_view refusal);

// As the master's resolver knows it; null where it isn't asked.
Result<std::optional<rpc::ResolvedName>> look_up_name(std::string const& given, NameChecks checks,
                                                      model::Cluster const& cluster,
                                                      jobs::NodeReader& nodes);

// The name that the instance gets: what was given, or what it resolved to. Nobody has it, nor its
// address.
Result<std::string> free_name(std::string const& given,
                              std::optional<rpc::ResolvedName> const& resolved,
                              model::Cluster const& cluster);

}  // namespace flotte::units
