// An opcode: one thing that can be asked for, as data. Wire names, types and defaults are Ganeti's
// (docs/ganeti.md, "Opcodes and jobs").
//
// Each opcode is a struct with an `op_id`, its field table and the parameters that all opcodes
// share. `Registry` finds the type-erased description by its wire name. Values; use from any
// thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/types.h"

namespace flotte::opcodes {

namespace json = boost::json;

// The parameters of every opcode.
struct Common {
  std::optional<bool> dry_run;
  std::optional<std::int64_t> debug_level;
  std::int64_t priority = 0;           // -20 (most urgent) … 19
  std::optional<json::array> depends;  // [[job or negative relative id, [statuses]], ...]
  std::optional<std::string> comment;
  std::optional<json::array> reason;  // [[source, text, nanoseconds], ...]

  static schema::Fields fields();
};

// What is known of one kind of opcode without its type.
struct Description {
  std::string_view op_id;
  schema::Fields fields;
  // The field whose value stands in the job's summary: INSTANCE_CREATE(web1). Empty: none.
  std::string_view summary_field;
  // Checks the opcode's own parameters and returns them all, defaults filled in.
  Result<json::object> (*complete)(json::object const& opcode);
};

// All opcodes that exist, by op_id; null when there is none of that name.
Description const* find(std::string_view op_id);
std::span<Description const> all();

// The first of an opcode's parameters that opcodes of its kind don't have.
std::optional<std::string_view> unknown_parameter(Description const& description,
                                                  json::object const& opcode);

// Checks a submitted opcode against its table and returns it with every default filled in, OP_ID
// first. Errors name the parameter, as "OP_TEST_DELAY: ...".
Result<json::object> normalise(json::value const& submitted);

Result<Common> common_of(json::object const& opcode);
std::string_view op_id_of(json::object const& opcode);
// "INSTANCE_STARTUP(web1)".
std::string summary(json::object const& opcode);
// For logs and `gnt-job info`: secret parameters are hidden.
json::object without_secrets(json::object const& opcode);

// Each value that nobody may find where things are stored: the members of sealed dicts, those of
// opcodes within the opcode, too. Always in the same order.
void for_each_sealed(json::object& opcode, std::function<void(json::value&)> const& visit);

// Decodes the opcode's own parameters (the common ones are skipped).
template <class Op>
Result<Op> decode(json::object const& opcode) {
  return schema::decode<Op>(json::value(opcode), schema::UnknownKeys::IgnoreOutermost);
}

}  // namespace flotte::opcodes
