// Making: how a call of the remote API becomes an opcode, as a row of a table: what the path names,
// what the query says, what of the body is called otherwise (docs/ganeti.md, "Remote API"). Pure;
// any thread.
#pragma once

#include <array>
#include <span>
#include <string_view>
#include <vector>

#include "rapi/remote_call.h"

namespace flotte::rapi {

// An opcode that is being made.
struct Draft {
  json::value body;    // null: there is none
  json::object fixed;  // what the body can't say too
};

struct Renamed {
  std::string_view from;
  std::string_view to;
};

enum class Body { Parameters, Ignored };

struct Making {
  Body body = Body::Parameters;
  std::string_view named = {};                 // the parameter that stands in the path
  std::array<std::string_view, 3> flags = {};  // of the query: "dry-run" is the parameter dry_run
  std::span<Renamed const> renamed = {};
  // What is special about it.
  Granted<void> (*prepare)(RemoteCall const& call, Draft& draft) = nullptr;
};

Granted<json::object> make_opcode(std::string_view op_id, Making const& making,
                                  RemoteCall const& call);

// With those of the body that have another name in the opcode, and what the draft has fixed.
// Refused: what the opcode's own table refuses, where there is such an opcode.
Granted<json::object> filled(std::string_view op_id, std::span<Renamed const> renamed, Draft draft);
Granted<void> check_parameters(json::object const& opcode);

// "Body contents: Type is 'list', but 'dict' is expected".
tl::unexpected<Refusal> wrong_type(std::string_view what, json::value const& value,
                                   std::string_view expected);
// As Python takes it: nothing, null, false, 0, and what is empty.
bool is_falsy(json::value const& value);

// Puts the flag of the query there, under the parameter's name.
Granted<void> put_flag(json::object& into, net::Query const& query, std::string_view name);
json::value text_or_null(net::Query const& query, std::string_view name);

}  // namespace flotte::rapi
