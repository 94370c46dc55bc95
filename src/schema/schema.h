// Field tables: a field (name, type, sentence, default, check, command-line flag) is declared once,
// and JSON, command line, help and documentation read the table.
//
// A struct takes part by a static function `fields()` that returns a table of
// schema::field<&Struct::member>(...) rows, kept in its .cpp. One codec serves each member *type*,
// so a table is a constexpr array and decoding an ordinary loop. The default of a field is what the
// struct's own member initialiser says. Values; use from any thread.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/id.h"
#include "base/result.h"
#include "base/size.h"

namespace flotte::schema {

namespace json = boost::json;

// What becomes of members that no field has: those of a newer or older build are ignored at every
// level, those of a person's input are refused at every level. An opcode shares its outermost level
// with the parameters that all opcodes have.
enum class UnknownKeys { Refuse, Ignore, IgnoreOutermost };

// How one C++ type is written in JSON.
struct Codec {
  // "str", "?int", "list str": docs/ganeti.md, "Opcodes and jobs".
  std::string_view type_name;
  json::value (*encode)(void const* from);
  // `where` names the value in errors: "disks[0].size".
  Result<void> (*decode)(void* into, json::value const& from, std::string_view where,
                         UnknownKeys unknown);
  // For programs: JSON Schema, draft 2020-12.
  json::object (*json_schema)();
};

enum class Presence { Optional, Required };

struct Field {
  std::string_view name;  // the wire name
  std::string_view doc;   // one sentence
  Codec const* codec;
  void* (*locate)(void* object);
  Presence presence = Presence::Optional;
  // For the command line: "n/node" (short/long), "no-start" or empty when the field has no flag of
  // its own.
  std::string_view flag = {};
  // Shown as "<secret>" wherever people or logs may see it.
  bool is_secret = false;
  // Nobody may find it where things are stored: what a job is given and forgets when it ends.
  bool is_sealed = false;

  void const* locate_const(void const* object) const { return locate(const_cast<void*>(object)); }
};

using Fields = std::span<Field const>;

template <class T>
concept HasFields = requires {
  { T::fields() } -> std::convertible_to<Fields>;
};

enum class Secrets { Show, Hide };

json::object encode_object(Fields fields, void const* object, Secrets secrets = Secrets::Show);
// Of a dict with these members and no others.
json::object json_schema_of(Fields fields);
Result<void> decode_object(Fields fields, void* object, json::value const& from,
                           std::string_view where, UnknownKeys unknown);

template <HasFields T>
json::object encode(T const& object, Secrets secrets = Secrets::Show) {
  return encode_object(T::fields(), &object, secrets);
}

template <HasFields T>
Result<T> decode(json::value const& from, UnknownKeys unknown = UnknownKeys::Refuse,
                 std::string_view where = "") {
  T object;
  TRY(decode_object(T::fields(), &object, from, where, unknown));
  return object;
}

// Parses hostile text: depth and size are bounded, the error names the offset.
Result<json::value> parse(std::string_view text);

// Specialise for an enum: `static constexpr std::pair<E, std::string_view> names[]` and
// `type_name`.
template <class E>
struct EnumNames;

template <class E>
concept NamedEnum = std::is_enum_v<E> && requires { EnumNames<E>::names; };

template <NamedEnum E>
constexpr std::string_view name_of(E value) {
  for (auto const& [candidate, name] : EnumNames<E>::names) {
    if (candidate == value) return name;
  }
  return "?";
}

template <NamedEnum E>
std::optional<E> enum_from(std::string_view text) {
  for (auto const& [candidate, name] : EnumNames<E>::names) {
    if (name == text) return candidate;
  }
  return std::nullopt;
}

Failure wrong_type(std::string_view where, std::string_view wanted, json::value const& got);

template <class T>
struct CodecFor;

template <>
struct CodecFor<bool> {
  static Codec const codec;
};
template <>
struct CodecFor<std::int64_t> {
  static Codec const codec;
};
template <>
struct CodecFor<double> {
  static Codec const codec;
};
template <>
struct CodecFor<std::string> {
  static Codec const codec;
};
template <>
struct CodecFor<MiB> {
  static Codec const codec;
};
template <>
struct CodecFor<Bytes> {
  static Codec const codec;
};
template <>
struct CodecFor<JobId> {
  static Codec const codec;
};
template <>
struct CodecFor<json::value> {
  static Codec const codec;
};
template <>
struct CodecFor<json::object> {
  static Codec const codec;
};
template <>
struct CodecFor<json::array> {
  static Codec const codec;
};

template <class Tag>
struct CodecFor<Id<Tag>> {
  static constexpr Codec codec{
      "uuid",
      [](void const* from) { return json::value(static_cast<Id<Tag> const*>(from)->text()); },
      [](void* into, json::value const& from, std::string_view where,
         UnknownKeys unknown) -> Result<void> {
        std::string text;
        TRY(CodecFor<std::string>::codec.decode(&text, from, where, unknown));
        *static_cast<Id<Tag>*>(into) = Id<Tag>(std::move(text));
        return {};
      },
      [] { return json::object{{"type", "string"}}; }};
};

template <NamedEnum E>
struct CodecFor<E> {
  static constexpr Codec codec{
      EnumNames<E>::type_name,
      [](void const* from) { return json::value(name_of(*static_cast<E const*>(from))); },
      [](void* into, json::value const& from, std::string_view where, UnknownKeys) -> Result<void> {
        if (from.is_string()) {
          if (auto const found = enum_from<E>(std::string_view(from.get_string()))) {
            *static_cast<E*>(into) = *found;
            return {};
          }
        }
        return wrong_type(where, EnumNames<E>::type_name, from);
      },
      [] {
        json::array names;
        for (auto const& [value, name] : EnumNames<E>::names) names.emplace_back(name);
        return json::object{{"type", "string"}, {"enum", std::move(names)}};
      }};
};

template <HasFields T>
struct CodecFor<T> {
  static constexpr Codec codec{
      "dict", [](void const* from) { return json::value(encode(*static_cast<T const*>(from))); },
      [](void* into, json::value const& from, std::string_view where, UnknownKeys unknown) {
        return decode_object(T::fields(), into, from, where, unknown);
      },
      [] { return json_schema_of(T::fields()); }};
};

template <class T>
struct CodecFor<std::optional<T>> {
  static constexpr Codec codec{
      "?",
      [](void const* from) {
        auto const& optional = *static_cast<std::optional<T> const*>(from);
        return optional ? CodecFor<T>::codec.encode(&*optional) : json::value(nullptr);
      },
      [](void* into, json::value const& from, std::string_view where,
         UnknownKeys unknown) -> Result<void> {
        auto& optional = *static_cast<std::optional<T>*>(into);
        if (from.is_null()) {
          optional.reset();
          return {};
        }
        return CodecFor<T>::codec.decode(&optional.emplace(), from, where, unknown);
      },
      [] {
        return json::object{{"anyOf", json::array{CodecFor<T>::codec.json_schema(),
                                                  json::object{{"type", "null"}}}}};
      }};
};

template <class T>
struct CodecFor<std::vector<T>> {
  static constexpr Codec codec{
      "list",
      [](void const* from) {
        json::array list;
        for (auto const& item : *static_cast<std::vector<T> const*>(from)) {
          list.push_back(CodecFor<T>::codec.encode(&item));
        }
        return json::value(std::move(list));
      },
      [](void* into, json::value const& from, std::string_view where,
         UnknownKeys unknown) -> Result<void> {
        if (!from.is_array()) return wrong_type(where, "list", from);
        auto& list = *static_cast<std::vector<T>*>(into);
        list.clear();
        for (auto const& item : from.get_array()) {
          auto const name = fmt::format("{}[{}]", where, list.size());
          TRY(CodecFor<T>::codec.decode(&list.emplace_back(), item, name, unknown));
        }
        return {};
      },
      [] { return json::object{{"type", "array"}, {"items", CodecFor<T>::codec.json_schema()}}; }};
};

template <class T>
struct CodecFor<std::map<std::string, T>> {
  static constexpr Codec codec{
      "dict",
      [](void const* from) {
        json::object object;
        for (auto const& [key, item] : *static_cast<std::map<std::string, T> const*>(from)) {
          object.emplace(key, CodecFor<T>::codec.encode(&item));
        }
        return json::value(std::move(object));
      },
      [](void* into, json::value const& from, std::string_view where,
         UnknownKeys unknown) -> Result<void> {
        if (!from.is_object()) return wrong_type(where, "dict", from);
        auto& map = *static_cast<std::map<std::string, T>*>(into);
        map.clear();
        for (auto const& [key, item] : from.get_object()) {
          auto const name = fmt::format("{}.{}", where, std::string_view(key));
          TRY(CodecFor<T>::codec.decode(&map[std::string(key)], item, name, unknown));
        }
        return {};
      },
      [] {
        return json::object{{"type", "object"},
                            {"additionalProperties", CodecFor<T>::codec.json_schema()}};
      }};
};

namespace detail {
template <class Member>
struct MemberOf;
template <class C, class T>
struct MemberOf<T C::*> {
  using Class = C;
  using Type = T;
};
}  // namespace detail

// A row of a table. `Class` must be the struct itself where the member is inherited.
template <auto Member, class Class = typename detail::MemberOf<decltype(Member)>::Class>
constexpr Field field(std::string_view name, std::string_view doc,
                      Presence presence = Presence::Optional) {
  using Type = typename detail::MemberOf<decltype(Member)>::Type;
  return Field{name, doc, &CodecFor<Type>::codec,
               [](void* object) -> void* { return &(static_cast<Class*>(object)->*Member); },
               presence};
}

template <auto Member, class Class = typename detail::MemberOf<decltype(Member)>::Class>
constexpr Field required(std::string_view name, std::string_view doc) {
  return field<Member, Class>(name, doc, Presence::Required);
}

template <auto Member, class Class = typename detail::MemberOf<decltype(Member)>::Class>
constexpr Field secret(std::string_view name, std::string_view doc) {
  auto row = field<Member, Class>(name, doc);
  row.is_secret = true;
  return row;
}

// A dict whose values are secret and never stored in clear.
template <auto Member, class Class = typename detail::MemberOf<decltype(Member)>::Class>
constexpr Field sealed(std::string_view name, std::string_view doc) {
  auto row = secret<Member, Class>(name, doc);
  row.is_sealed = true;
  return row;
}

}  // namespace flotte::schema
