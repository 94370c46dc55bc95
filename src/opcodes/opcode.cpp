#include "opcodes/opcode.h"

#include <algorithm>
#include <cmath>

namespace flotte::opcodes {

using schema::Field;
using schema::field;

schema::Fields Common::fields() {
  static constexpr Field table[] = {
      field<&Common::dry_run>("dry_run", "Stop before anything is changed."),
      field<&Common::debug_level>("debug_level", "How much the scripts say."),
      field<&Common::priority>("priority", "-20 is the most urgent, 19 the least."),
      field<&Common::depends>("depends", "Jobs that must end first."),
      field<&Common::comment>("comment", "For people."),
      field<&Common::reason>("reason", "Who asked for it and why."),
  };
  return table;
}

namespace {

// Those between them are for jobs that wait.
constexpr std::int64_t priorities[] = {-10, 0, 10};

bool has_field(schema::Fields fields, std::string_view name) {
  return std::ranges::any_of(fields, [&](auto const& row) { return row.name == name; });
}

// By the name alone: an opcode within another is not told by its place.
bool is_sealed(std::string_view name) {
  static auto const names = [] {
    std::vector<std::string_view> found;
    for (auto const& opcode : all()) {
      for (auto const& row : opcode.fields) {
        if (row.is_sealed) found.push_back(row.name);
      }
    }
    return found;
  }();
  return std::ranges::find(names, name) != names.end();
}

Failure prefixed(std::string_view op_id, Error const& error) {
  return Failure(Error{error.code, fmt::format("{}: {}", op_id, error.message), error.error_class});
}

}  // namespace

Description const* find(std::string_view op_id) {
  for (auto const& row : all()) {
    if (row.op_id == op_id) return &row;
  }
  return nullptr;
}

std::optional<std::string_view> unknown_parameter(Description const& description,
                                                  json::object const& opcode) {
  for (auto const& [key, value] : opcode) {
    if (key != "OP_ID" && !has_field(description.fields, key) &&
        !has_field(Common::fields(), key)) {
      return std::string_view(key);
    }
  }
  return std::nullopt;
}

Result<json::object> normalise(json::value const& submitted) {
  if (!submitted.is_object()) return fail(ErrorCode::WrongInput, "An opcode must be a dict");
  auto const& given = submitted.get_object();
  auto const op_id = op_id_of(given);
  if (op_id.empty()) return fail(ErrorCode::WrongInput, "The opcode has no OP_ID");
  auto const* description = find(op_id);
  if (!description) {
    return fail(ErrorCode::WrongInput, "Opcode '{}' is not known or not built yet", op_id);
  }
  if (auto const unknown = unknown_parameter(*description, given)) {
    return fail(ErrorCode::WrongInput, "{}: Unknown parameter '{}'", op_id, *unknown);
  }
  auto const common = common_of(given);
  if (!common) return prefixed(op_id, common.error());
  if (std::ranges::find(priorities, common->priority) == std::end(priorities)) {
    return fail(ErrorCode::WrongInput, "{}: priority {} is none of {}", op_id, common->priority,
                fmt::join(priorities, ", "));
  }
  auto const completed = description->complete(given);
  if (!completed) return prefixed(op_id, completed.error());

  json::object out;
  out["OP_ID"] = op_id;
  for (auto const& [key, value] : schema::encode(*common)) {
    // These two are left out where nobody gave them.
    if ((key == "dry_run" || key == "debug_level") && value.is_null()) continue;
    out[key] = value;
  }
  for (auto const& [key, value] : *completed) out[key] = value;
  return out;
}

Result<Common> common_of(json::object const& opcode) {
  return schema::decode<Common>(json::value(opcode), schema::UnknownKeys::IgnoreOutermost);
}

std::string_view op_id_of(json::object const& opcode) {
  auto const* op_id = opcode.if_contains("OP_ID");
  return op_id && op_id->is_string() ? std::string_view(op_id->get_string()) : std::string_view();
}

std::string summary(json::object const& opcode) {
  auto const op_id = op_id_of(opcode);
  auto const short_id = op_id.starts_with("OP_") ? op_id.substr(3) : op_id;
  auto const* description = find(op_id);
  if (!description || description->summary_field.empty()) return std::string(short_id);
  auto const* value = opcode.if_contains(description->summary_field);
  if (!value) return std::string(short_id);
  if (value->is_string()) {
    return fmt::format("{}({})", short_id, std::string_view(value->get_string()));
  }
  if (value->is_number()) {
    auto const number = value->to_number<double>();
    // As Python prints a float: 5 seconds are "5.0" when they were typed so, else "5".
    return value->is_double() && number == std::trunc(number)
               ? fmt::format("{}({:.1f})", short_id, number)
               : fmt::format("{}({})", short_id, number);
  }
  return std::string(short_id);
}

void for_each_sealed(json::object& opcode, std::function<void(json::value&)> const& visit) {
  for (auto& [name, member] : opcode) {
    if (is_sealed(name) && member.is_object()) {
      for (auto& [key, secret] : member.get_object()) visit(secret);
    } else if (member.is_object()) {
      for_each_sealed(member.get_object(), visit);
    } else if (member.is_array()) {
      for (auto& one : member.get_array()) {
        if (one.is_object()) for_each_sealed(one.get_object(), visit);
      }
    }
  }
}

json::object without_secrets(json::object const& opcode) {
  auto shown = opcode;
  auto const* description = find(op_id_of(opcode));
  if (!description) return shown;
  for (auto const& row : description->fields) {
    auto* value = row.is_secret ? shown.if_contains(row.name) : nullptr;
    if (value && !value->is_null()) *value = "<secret>";
  }
  return shown;
}

}  // namespace flotte::opcodes
