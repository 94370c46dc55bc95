// Parameters that are inherited (hypervisor, backend, NIC, node, disk): their tables, checks and
// the filled form.
//
// A parameter set is a JSON object that holds only what differs from the level above; fill() lays
// the levels over each other. Source: ganeti-compat §4. Pure functions; use from any thread.
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
// minmem <= maxmem; `memory` stands for both.
Result<json::object> enforce_backend(json::object const& given);

// Lays `changes` over `base`; null removes.
json::object overlay(json::object base, json::object const& changes);

// The filled forms, every parameter present; but a NIC's `antispoof` only where it is on.
json::object filled_hvparams(Settings const& settings, HypervisorKind kind);
json::object filled_hvparams(Settings const& settings, Instance const& instance);
// What a start is told: `user_shutdown` holds only where the cluster allows it.
json::object start_hvparams(Settings const& settings, Instance const& instance);
json::object filled_beparams(Settings const& settings);
json::object filled_beparams(Settings const& settings, Instance const& instance);
json::object filled_nicparams(Settings const& settings);
json::object filled_nicparams(Settings const& settings, Nic const& nic);
json::object filled_ndparams(Cluster const& cluster);
json::object filled_ndparams(Cluster const& cluster, Node const& node);
json::object filled_diskparams(Settings const& settings, DiskTemplate disk_template);

bool is_true(json::object const& params, std::string_view name);
std::int64_t number_of(json::object const& params, std::string_view name);
std::string text_of(json::object const& params, std::string_view name);
// As Python prints a value, in the environment of scripts: they compare with "True".
std::string python_text(json::value const& value);

// Instance policy (ganeti-compat §4.5).
json::object default_ipolicy();
// What an instance asks for, against min and max; empty when it fits, else one sentence a
// violation.
std::vector<std::string> policy_violations(json::object const& ipolicy, Instance const& instance,
                                           json::object const& beparams);

}  // namespace flotte::model
