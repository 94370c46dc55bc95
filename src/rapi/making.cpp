#include "rapi/making.h"

#include <algorithm>
#include <set>

#include "opcodes/opcode.h"

namespace flotte::rapi {
namespace {

std::string_view python_type(json::value const& value) {
  switch (value.kind()) {
    case json::kind::null:
      return "NoneType";
    case json::kind::bool_:
      return "bool";
    case json::kind::int64:
    case json::kind::uint64:
      return "int";
    case json::kind::double_:
      return "float";
    case json::kind::string:
      return "str";
    case json::kind::array:
      return "list";
    case json::kind::object:
      return "dict";
  }
  return "?";
}

// What every body may say, also one that counts for nothing else.
void keep_depends(RemoteCall const& call, Draft& draft) {
  auto const* given = call.body ? call.body->if_object() : nullptr;
  auto const* depends = given ? given->if_contains("depends") : nullptr;
  if (!depends || is_falsy(*depends)) return;
  if (draft.body.is_null()) draft.body = json::object();
  if (auto* body = draft.body.if_object()) (*body)["depends"] = *depends;
}

Granted<void> rename(json::object& parameters, std::span<Renamed const> renamed) {
  for (auto const& [from, to] : renamed) {
    auto const* value = parameters.if_contains(from);
    if (!value) continue;
    if (parameters.contains(to)) {
      return refuse(400, "Parameter '{}' was renamed to '{}', but both are specified", from, to);
    }
    auto moved = *value;
    parameters.erase(from);
    parameters[to] = std::move(moved);
  }
  return {};
}

Granted<void> put_fixed(json::object& parameters, json::object const& fixed) {
  std::set<std::string> said_twice;
  if (parameters.contains("reason")) said_twice.insert("'reason'");
  for (auto const& [name, value] : fixed) {
    if (parameters.contains(name)) said_twice.insert(fmt::format("'{}'", std::string_view(name)));
    parameters[name] = value;
  }
  if (said_twice.empty()) return {};
  return refuse(400, "Can't overwrite static parameters {{{}}}", fmt::join(said_twice, ", "));
}

}  // namespace

tl::unexpected<Refusal> wrong_type(std::string_view what, json::value const& value,
                                   std::string_view expected) {
  return refuse(400, "{}: Type is '{}', but '{}' is expected", what, python_type(value), expected);
}

bool is_falsy(json::value const& value) {
  if (auto const* text = value.if_string()) return text->empty();
  if (auto const* list = value.if_array()) return list->empty();
  if (auto const* dict = value.if_object()) return dict->empty();
  return value.is_null() || value == json::value(false) || value == json::value(0);
}

Granted<void> put_flag(json::object& into, net::Query const& query, std::string_view name) {
  auto const flag = flag_in(query, name);
  if (!flag) return tl::unexpected(flag.error());
  std::string parameter(name);
  std::ranges::replace(parameter, '-', '_');
  into[parameter] = *flag;
  return {};
}

json::value text_or_null(net::Query const& query, std::string_view name) {
  auto const text = text_in(query, name);
  return text ? json::value(*text) : json::value();
}

Granted<void> check_parameters(json::object const& opcode) {
  if (!opcodes::find(opcodes::op_id_of(opcode))) return {};
  auto const complete = opcodes::normalise(opcode);
  if (complete) return {};
  return refuse(400, "Invalid body parameters: {}", complete.error().message);
}

Granted<json::object> filled(std::string_view op_id, std::span<Renamed const> renamed,
                             Draft draft) {
  draft.fixed["OP_ID"] = op_id;
  json::object parameters;
  if (auto const* body = draft.body.if_object()) {
    parameters = *body;
  } else if (!draft.body.is_null()) {
    return wrong_type("Body contents", draft.body, "dict");
  }
  if (auto const done = rename(parameters, renamed); !done) return tl::unexpected(done.error());
  if (auto const done = put_fixed(parameters, draft.fixed); !done) {
    return tl::unexpected(done.error());
  }
  if (auto const done = check_parameters(parameters); !done) return tl::unexpected(done.error());
  return parameters;
}

Granted<json::object> make_opcode(std::string_view op_id, Making const& making,
                                  RemoteCall const& call) {
  Draft draft;
  if (making.body == Body::Parameters && call.body) draft.body = *call.body;
  if (!making.named.empty()) draft.fixed[making.named] = call.places.front();
  for (auto const flag : making.flags) {
    if (flag.empty()) continue;
    if (auto const done = put_flag(draft.fixed, call.query, flag); !done) {
      return tl::unexpected(done.error());
    }
  }
  if (making.prepare) {
    if (auto const done = making.prepare(call, draft); !done) return tl::unexpected(done.error());
  }
  keep_depends(call, draft);
  return filled(op_id, making.renamed, draft);
}

}  // namespace flotte::rapi
