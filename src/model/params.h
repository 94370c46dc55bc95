// Parameters that are inherited (hypervisor, backend, NIC, node, disk): their tables, checks and
// the filled form.
//
// A parameter set is a JSON object that holds only what differs from the level above; fill() lays
// the levels over each other (docs/ganeti.md, "Parameters"). Pure functions; use from any thread.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "model/cluster.h"

namespace flotte::model {

namespace json = boost::json;

enum class ParamType { Bool, Int, Float, Size, String, MaybeString };

struct Param {
  std::string_view name;
  ParamType type;
  // The default in JSON's own notation: "true", "\"disk\"", "128".
  std::string_view default_json;
  std::string_view doc;
  // Null, or gives the error of a value of the right type: "must be one of rw, ro".
  Result<void> (*check)(json::value const&) = nullptr;
};

using ParamTable = std::span<Param const>;

ParamTable hypervisor_params(HypervisorKind kind);
// Of hypervisors that Ganeti has and we don't: known by name and type.
ParamTable foreign_hypervisor_params();
ParamTable backend_params();
ParamTable nic_params();
ParamTable node_params();
ParamTable disk_params(DiskTemplate disk_template);

json::object defaults(ParamTable table);

// Checks and converts what a person typed: strings become the parameter's type ("512M", "yes",
// "true"), "default" becomes null (which means: inherit). Unknown name: class Parameter, "Unknown
// parameter 'nosuch'".
Result<json::object> enforce(ParamTable table, json::object const& given);
// The same, for hypervisor parameters: an unknown name is of class Hypervisor, "Parameter 'x' is
// not supported".
Result<json::object> enforce_hypervisor(HypervisorKind kind, json::object const& given);
// The same by name, also of one that Ganeti has and we don't: what it is to have one day is kept,
// checked by type. A name that is none: class Hypervisor, "Unknown hypervisor type 'x'".
Result<json::object> enforce_hypervisor(std::string_view kind, json::object const& given);
// Whether some hypervisor has such parameters, of these types: what can be told before anybody
// knows which one is meant.
Result<void> check_hypervisor_types(json::object const& given);
// Without what is the cluster's alone.
json::object without_globals(json::object hvparams);
// What an instance can't have on its own.
Result<void> check_not_global(json::object const& hvparams);
// minmem <= maxmem; `memory` stands for both.
Result<json::object> enforce_backend(json::object const& given);
// Of a start: there `memory` is these two before it is looked at, and takes their places.
Result<json::object> enforce_backend_of_start(json::object given);

// Lays `changes` over `base`; null removes.
json::object overlay(json::object base, json::object const& changes);

// The filled forms, every parameter present; but a NIC's `antispoof` only where it is on.
json::object filled_hvparams(Settings const& settings, HypervisorKind kind);
json::object filled_hvparams(Settings const& settings, Instance const& instance);
// What a start is told: `user_shutdown` holds only where the cluster allows it.
json::object start_hvparams(Settings const& settings, Instance const& instance);
// Those that are no secret, and with those kept from lists: what the scripts of its OS are told.
json::object filled_osparams(Settings const& settings, Instance const& instance);
json::object script_osparams(Settings const& settings, Instance const& instance);
json::object filled_beparams(Settings const& settings);
json::object filled_beparams(Settings const& settings, Instance const& instance);
json::object filled_nicparams(Settings const& settings);
json::object filled_nicparams(Settings const& settings, Nic const& nic);
json::object filled_ndparams(Cluster const& cluster);
json::object filled_ndparams(Cluster const& cluster, Group const& group);
json::object filled_ndparams(Cluster const& cluster, Node const& node);
json::object filled_diskparams(Settings const& settings, DiskTemplate disk_template);
json::object filled_diskparams(Settings const& settings, Group const& group,
                               DiskTemplate disk_template);
// With those of the node's group.
json::object filled_diskparams(Cluster const& cluster, NodeId const& node,
                               DiskTemplate disk_template);

bool is_true(json::object const& params, std::string_view name);
std::int64_t number_of(json::object const& params, std::string_view name);
std::string text_of(json::object const& params, std::string_view name);
// As Python prints a value, in the environment of scripts: they compare with "True".
std::string python_text(json::value const& value);

// Instance policy (docs/ganeti.md, "Policies").
json::object default_ipolicy();
// The cluster's and over it what the group has of its own; templates: those that are enabled, where
// neither says otherwise.
json::object filled_ipolicy(Settings const& settings);
json::object filled_ipolicy(Settings const& settings, Group const& group);
json::object filled_ipolicy(Cluster const& cluster, NodeId const& node);
enum class PolicyLevel { Cluster, Group };
// A change of a policy as somebody typed it: types, bounds, templates. "default" or an empty value
// takes away what a group has of its own.
Result<json::object> changed_ipolicy(json::object policy, json::object const& changes,
                                     PolicyLevel level);
// What an instance asks for, against min and max; empty when it fits, else one sentence a
// violation.
std::vector<std::string> policy_violations(json::object const& ipolicy, Instance const& instance,
                                           json::object const& beparams);

}  // namespace flotte::model
