#include "cli/answers.h"

#include "base/text.h"

namespace flotte::cli {
namespace {

json::value const nothing;

json::value const& known(Of of, std::string_view name) {
  auto const* found = member(of, name);
  return found ? *found : nothing;
}

}  // namespace

json::value const* member(Of of, std::string_view name) {
  return of.object ? of.object->if_contains(name) : nullptr;
}

json::value const* item(json::value const& of, std::size_t index) {
  auto const* list = of.if_array();
  return list && index < list->size() ? &(*list)[index] : nullptr;
}

std::string text(json::value const& value) {
  return value.is_string() ? std::string(std::string_view(value.get_string())) : std::string();
}

std::string text_in(Of of, std::string_view name) {
  return text(known(of, name));
}

bool is_true_in(Of of, std::string_view name) {
  auto const& value = known(of, name);
  return value.is_bool() && value.get_bool();
}

std::optional<std::int64_t> number(json::value const& value) {
  if (value.is_int64()) return value.get_int64();
  return value.is_string() ? whole_number(std::string_view(value.get_string())) : std::nullopt;
}

std::optional<std::int64_t> number_in(Of of, std::string_view name) {
  return number(known(of, name));
}

json::array list_in(Of of, std::string_view name) {
  auto const* list = known(of, name).if_array();
  return list ? *list : json::array();
}

json::object object_in(Of of, std::string_view name) {
  auto const* object = known(of, name).if_object();
  return object ? *object : json::object();
}

}  // namespace flotte::cli
