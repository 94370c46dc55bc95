#include "rapi/node_changes.h"

namespace flotte::rapi {
namespace {

Granted<std::string> required_text(net::Query const& query, std::string_view name) {
  auto text = text_in(query, name);
  if (!text) return refuse(400, "Missing the required '{}' parameter", name);
  return std::move(*text);
}

}  // namespace

Granted<void> prepare_role(RemoteCall const& call, Draft& draft) {
  auto const body = call.body.value_or(nullptr);
  auto const* role = body.if_string();
  if (!role) return wrong_type("Body contents", body, "str");
  json::value candidate;
  json::value offline;
  json::value drained;
  if (*role == "regular") {
    candidate = offline = drained = false;
  } else if (*role == "master-candidate") {
    candidate = true;
  } else if (*role == "drained") {
    drained = true;
  } else if (*role == "offline") {
    offline = true;
  } else {
    return refuse(400, "Can't set '{}' role", std::string_view(*role));
  }
  draft.fixed["master_candidate"] = candidate;
  draft.fixed["offline"] = offline;
  draft.fixed["drained"] = drained;
  return {};
}

// As it was asked for before there were bodies.
Granted<void> prepare_node_migration(RemoteCall const& call, Draft& draft) {
  auto const mode = text_in(call.query, "mode");
  auto const is_live_given = text_in(call.query, "live").has_value();
  if (!mode && !is_live_given) return {};
  if (mode && is_live_given) return refuse(400, "Only one of 'live' and 'mode' should be passed");
  auto const is_live = flag_in(call.query, "live");
  if (!is_live) return tl::unexpected(is_live.error());
  draft.body = json::object{{"mode", mode.value_or(*is_live ? "live" : "non-live")}};
  return {};
}

Granted<void> prepare_storage_list(RemoteCall const& call, Draft& draft) {
  auto const given = required_text(call.query, "output_fields");
  if (!given) return tl::unexpected(given.error());
  json::array fields;
  for (auto const field : parts_at_commas(*given)) fields.emplace_back(field);
  draft.fixed["nodes"] = json::array{call.places.front()};
  draft.fixed["storage_type"] = text_or_null(call.query, "storage_type");
  draft.fixed["output_fields"] = std::move(fields);
  return {};
}

Granted<void> prepare_storage_repair(RemoteCall const& call, Draft& draft) {
  auto const name = required_text(call.query, "name");
  if (!name) return tl::unexpected(name.error());
  draft.fixed["storage_type"] = text_or_null(call.query, "storage_type");
  draft.fixed["name"] = *name;
  return {};
}

Granted<void> prepare_storage_modification(RemoteCall const& call, Draft& draft) {
  json::object wanted;
  if (text_in(call.query, "allocatable")) {
    if (auto const done = put_flag(wanted, call.query, "allocatable"); !done) {
      return tl::unexpected(done.error());
    }
  }
  draft.fixed["changes"] = std::move(wanted);
  return prepare_storage_repair(call, draft);
}

}  // namespace flotte::rapi
