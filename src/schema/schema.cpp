#include "schema/schema.h"

#include <boost/json/parse.hpp>
#include <boost/json/parse_options.hpp>
#include <boost/json/serialize.hpp>
#include <cmath>

#include "base/utf8.h"

namespace flotte::schema {
namespace {

constexpr std::size_t json_depth_max = 32;
constexpr std::size_t json_bytes_max = 64 * 1024 * 1024;

std::string joined(std::string_view where, std::string_view name) {
  return where.empty() ? std::string(name) : fmt::format("{}.{}", where, name);
}

Field const* find(Fields fields, std::string_view name) {
  for (auto const& field : fields) {
    if (field.name == name) return &field;
  }
  return nullptr;
}

template <class T>
json::value encode_plain(void const* from) {
  return json::value(*static_cast<T const*>(from));
}

Result<std::int64_t> whole_number(json::value const& from, std::string_view where) {
  if (from.is_int64()) return from.get_int64();
  if (from.is_double() && std::trunc(from.get_double()) == from.get_double() &&
      std::abs(from.get_double()) < 9e15) {
    return static_cast<std::int64_t>(from.get_double());
  }
  return wrong_type(where, "int", from);
}

}  // namespace

json::object json_schema_of(Fields fields) {
  json::object properties;
  json::array required;
  for (auto const& field : fields) {
    auto property = field.codec->json_schema();
    property["description"] = field.doc;
    properties[field.name] = std::move(property);
    if (field.presence == Presence::Required) required.emplace_back(field.name);
  }
  json::object schema{
      {"type", "object"}, {"properties", std::move(properties)}, {"additionalProperties", false}};
  if (!required.empty()) schema["required"] = std::move(required);
  return schema;
}

json::object encode_object(Fields fields, void const* object, Secrets secrets) {
  json::object out;
  out.reserve(fields.size());
  for (auto const& field : fields) {
    if (field.is_secret && secrets == Secrets::Hide) {
      out.emplace(field.name, "<secret>");
    } else {
      out.emplace(field.name, field.codec->encode(field.locate_const(object)));
    }
  }
  return out;
}

Result<void> decode_object(Fields fields, void* object, json::value const& from,
                           std::string_view where, UnknownKeys unknown) {
  if (!from.is_object()) return wrong_type(where, "dict", from);
  auto const& members = from.get_object();
  if (unknown == UnknownKeys::Refuse) {
    for (auto const& [key, value] : members) {
      if (!find(fields, key)) {
        return fail(ErrorCode::WrongInput, "Unknown parameter '{}'",
                    joined(where, std::string_view(key)));
      }
    }
  }
  auto const inside = unknown == UnknownKeys::IgnoreOutermost ? UnknownKeys::Refuse : unknown;
  for (auto const& field : fields) {
    auto const* value = members.if_contains(field.name);
    if (value) {
      TRY(field.codec->decode(field.locate(object), *value, joined(where, field.name), inside));
    } else if (field.presence == Presence::Required) {
      return fail(ErrorCode::WrongInput, "Required parameter '{}' is missing",
                  joined(where, field.name));
    }
  }
  return {};
}

Result<json::value> parse(std::string_view text) {
  if (text.size() > json_bytes_max) {
    return fail(ErrorCode::WrongInput, "JSON text of {} bytes is too large", text.size());
  }
  json::parse_options options;
  options.max_depth = json_depth_max;
  boost::json::error_code error;
  auto value = json::parse(json::string_view(text.data(), text.size()), error, {}, options);
  if (error) return fail(ErrorCode::WrongInput, "Invalid JSON: {}", error.message());
  return value;
}

Failure wrong_type(std::string_view where, std::string_view wanted, json::value const& got) {
  auto text = json::serialize(got);
  constexpr std::size_t shown_max = 80;
  if (text.size() > shown_max) text = fmt::format("{}...", beginning_of(text, shown_max));
  return fail(ErrorCode::WrongInput, "Parameter '{}' must be {}, not {}", where, wanted, text);
}

constinit Codec const CodecFor<bool>::codec{
    "bool", encode_plain<bool>,
    [](void* into, json::value const& from, std::string_view where, UnknownKeys) -> Result<void> {
      if (!from.is_bool()) return wrong_type(where, "bool", from);
      *static_cast<bool*>(into) = from.get_bool();
      return {};
    },
    [] { return json::object{{"type", "boolean"}}; }};

constinit Codec const CodecFor<std::int64_t>::codec{
    "int", encode_plain<std::int64_t>,
    [](void* into, json::value const& from, std::string_view where, UnknownKeys) -> Result<void> {
      *static_cast<std::int64_t*>(into) = TRY(whole_number(from, where));
      return {};
    },
    [] { return json::object{{"type", "integer"}}; }};

constinit Codec const CodecFor<double>::codec{
    "float", encode_plain<double>,
    [](void* into, json::value const& from, std::string_view where, UnknownKeys) -> Result<void> {
      if (!from.is_number()) return wrong_type(where, "float", from);
      *static_cast<double*>(into) = from.to_number<double>();
      return {};
    },
    [] { return json::object{{"type", "number"}}; }};

constinit Codec const CodecFor<std::string>::codec{
    "str",
    [](void const* from) {
      return json::value(json::string_view(*static_cast<std::string const*>(from)));
    },
    [](void* into, json::value const& from, std::string_view where, UnknownKeys) -> Result<void> {
      if (!from.is_string()) return wrong_type(where, "str", from);
      static_cast<std::string*>(into)->assign(from.get_string().data(), from.get_string().size());
      return {};
    },
    [] { return json::object{{"type", "string"}}; }};

// Of MiB and of bytes.
template <class Size>
constexpr Codec size_codec{
    "int>=0", [](void const* from) { return json::value(static_cast<Size const*>(from)->value); },
    [](void* into, json::value const& from, std::string_view where, UnknownKeys) -> Result<void> {
      auto const number = TRY(whole_number(from, where));
      constexpr auto wanted = std::is_same_v<Size, MiB> ? "a size in MiB" : "a size in bytes";
      if (number < 0) return wrong_type(where, wanted, from);
      static_cast<Size*>(into)->value = number;
      return {};
    },
    [] { return json::object{{"type", "integer"}, {"minimum", 0}}; }};

constinit Codec const CodecFor<MiB>::codec = size_codec<MiB>;
constinit Codec const CodecFor<Bytes>::codec = size_codec<Bytes>;

constinit Codec const CodecFor<JobId>::codec{
    "jobid", [](void const* from) { return json::value(number(*static_cast<JobId const*>(from))); },
    [](void* into, json::value const& from, std::string_view where, UnknownKeys) -> Result<void> {
      *static_cast<JobId*>(into) = JobId{TRY(whole_number(from, where))};
      return {};
    },
    [] { return json::object{{"type", "integer"}}; }};

constinit Codec const CodecFor<json::value>::codec{
    "any", encode_plain<json::value>,
    [](void* into, json::value const& from, std::string_view, UnknownKeys) -> Result<void> {
      *static_cast<json::value*>(into) = from;
      return {};
    },
    [] { return json::object(); }};

constinit Codec const CodecFor<json::object>::codec{
    "dict", encode_plain<json::object>,
    [](void* into, json::value const& from, std::string_view where, UnknownKeys) -> Result<void> {
      if (!from.is_object()) return wrong_type(where, "dict", from);
      *static_cast<json::object*>(into) = from.get_object();
      return {};
    },
    [] { return json::object{{"type", "object"}}; }};

constinit Codec const CodecFor<json::array>::codec{
    "list", encode_plain<json::array>,
    [](void* into, json::value const& from, std::string_view where, UnknownKeys) -> Result<void> {
      if (!from.is_array()) return wrong_type(where, "list", from);
      *static_cast<json::array*>(into) = from.get_array();
      return {};
    },
    [] { return json::object{{"type", "array"}}; }};

}  // namespace flotte::schema
