#include "rapi/instance_changes.h"

#include <algorithm>

#include "base/text.h"
#include "model/params.h"

namespace flotte::rapi {
namespace {

constexpr std::string_view version_key = "__version__";

// Blanks were the way to write several where commas could not be written.
void separate_usb_devices_by_commas(json::value& body) {
  auto* parameters = body.if_object();
  auto* hvparams = parameters ? parameters->if_contains("hvparams") : nullptr;
  auto* dict = hvparams ? hvparams->if_object() : nullptr;
  auto* devices = dict ? dict->if_contains("usb_devices") : nullptr;
  auto* text = devices ? devices->if_string() : nullptr;
  if (text) std::ranges::replace(*text, ' ', ',');
}

Granted<void> check_version(json::object const& body) {
  auto const* given = body.if_contains(version_key);
  if (!given || is_falsy(*given)) {
    return refuse(400, "Instance creation request version 0 is no longer supported");
  }
  if (*given != json::value(1)) {
    return refuse(400, "Unsupported request data version {}", model::python_text(*given));
  }
  return {};
}

// A list, or "1, 2".
Granted<json::array> disk_indexes(json::value const& given) {
  json::array indexes;
  if (auto const* list = given.if_array()) {
    for (auto const& index : *list) {
      if (!index.is_int64()) {
        return refuse(400, "Invalid disk index passed: {}", model::python_text(index));
      }
    }
    return *list;
  }
  auto const* text = given.if_string();
  if (!text) return refuse(400, "Invalid disk index passed: {}", model::python_text(given));
  for (auto part : parts_at_commas(*text)) {
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    auto const index = whole_number(part);
    if (!index) return refuse(400, "Invalid disk index passed: '{}'", part);
    indexes.emplace_back(*index);
  }
  return indexes;
}

struct Reinstallation {
  json::value os;
  bool start = true;
  json::value osparams;
  json::value depends;
};

Granted<Reinstallation> reinstallation_in(json::value const& body) {
  auto const* dict = body.if_object();
  if (!dict) return refuse(400, "Invalid body contents, not a dictionary");
  Reinstallation wish;
  for (auto const& [name, value] : *dict) {
    if (name == "os") wish.os = value;
    if (name == "osparams") wish.osparams = value;
    if (name == "depends" && !is_falsy(value)) wish.depends = value;
    if (name == "start") {
      if (!value.is_bool()) return wrong_type("'start' parameter", value, "bool");
      wish.start = value.get_bool();
    }
  }
  return wish;
}

Granted<Reinstallation> reinstallation_in(net::Query const& query) {
  auto const is_left_down = flag_in(query, "nostartup");
  if (!is_left_down) return tl::unexpected(is_left_down.error());
  return Reinstallation{.os = text_or_null(query, "os"), .start = !*is_left_down};
}

}  // namespace

Granted<void> prepare_creation(RemoteCall const&, Draft& draft) {
  auto* body = draft.body.if_object();
  if (!body) return wrong_type("Body contents", draft.body, "dict");
  if (auto const done = check_version(*body); !done) return tl::unexpected(done.error());
  body->erase(version_key);
  separate_usb_devices_by_commas(draft.body);
  return {};
}

Granted<void> prepare_creations(RemoteCall const&, Draft& draft) {
  auto* body = draft.body.if_object();
  auto* given = body ? body->if_contains("instances") : nullptr;
  if (!given) return refuse(400, "Request is missing required 'instances' field in body");
  auto* instances = given->if_array();
  if (!instances) return wrong_type("'instances' parameter", *given, "list");
  for (auto& one : *instances) {
    auto made = filled("OP_INSTANCE_CREATE", of_creation, {.body = one, .fixed = {}});
    if (!made) return tl::unexpected(made.error());
    one = std::move(*made);
  }
  return {};
}

Granted<void> prepare_modification(RemoteCall const&, Draft& draft) {
  separate_usb_devices_by_commas(draft.body);
  return {};
}

Granted<void> prepare_removal(RemoteCall const&, Draft& draft) {
  draft.fixed["ignore_failures"] = false;
  return {};
}

Granted<void> prepare_info(RemoteCall const& call, Draft& draft) {
  draft.fixed["instances"] = json::array{call.places.front()};
  return {};
}

Granted<void> prepare_reboot(RemoteCall const& call, Draft& draft) {
  draft.fixed["reboot_type"] = text_in(call.query, "type").value_or("hard");
  return {};
}

Granted<void> prepare_disk_replacement(RemoteCall const& call, Draft& draft) {
  if (is_falsy(draft.body)) {
    json::object said;
    for (auto const* name : {"remote_node", "mode", "disks", "iallocator"}) {
      if (auto const text = text_in(call.query, name)) said[name] = *text;
    }
    draft.body = std::move(said);
  }
  auto* body = draft.body.if_object();
  auto* disks = body ? body->if_contains("disks") : nullptr;
  if (!disks) return {};
  if (is_falsy(*disks)) {
    body->erase("disks");
    return {};
  }
  auto indexes = disk_indexes(*disks);
  if (!indexes) return tl::unexpected(indexes.error());
  *disks = std::move(*indexes);
  return {};
}

Granted<void> prepare_disk_growth(RemoteCall const& call, Draft& draft) {
  auto const& place = call.places.back();
  auto const disk = whole_number(place);
  auto const is_digit = [](char c) { return c >= '0' && c <= '9'; };
  // The path of no disk is no path.
  if (!disk || !std::ranges::all_of(place, is_digit)) return refuse(404, "");
  draft.fixed["disk"] = *disk;
  return {};
}

Granted<void> prepare_export_preparation(RemoteCall const& call, Draft& draft) {
  draft.fixed["mode"] = text_or_null(call.query, "mode");
  return {};
}

Granted<std::vector<json::object>> reinstallation(RemoteCall const& call) {
  auto const is_in_body = call.body && !is_falsy(*call.body);
  auto const is_in_query = text_in(call.query, "os") || text_in(call.query, "nostartup");
  if (is_in_body && is_in_query) return refuse(400, "Can't combine query and body parameters");
  auto const wish = is_in_body ? reinstallation_in(*call.body) : reinstallation_in(call.query);
  if (!wish) return tl::unexpected(wish.error());

  auto const& name = call.places.front();
  std::vector<json::object> opcodes{{{"OP_ID", "OP_INSTANCE_SHUTDOWN"}, {"instance_name", name}},
                                    {{"OP_ID", "OP_INSTANCE_REINSTALL"},
                                     {"instance_name", name},
                                     {"os_type", wish->os},
                                     {"osparams", wish->osparams}}};
  if (wish->start) {
    opcodes.push_back(
        {{"OP_ID", "OP_INSTANCE_STARTUP"}, {"instance_name", name}, {"force", false}});
  }
  if (!wish->depends.is_null()) opcodes.front()["depends"] = wish->depends;
  for (auto const& opcode : opcodes) {
    if (auto const done = check_parameters(opcode); !done) return tl::unexpected(done.error());
  }
  return opcodes;
}

}  // namespace flotte::rapi
