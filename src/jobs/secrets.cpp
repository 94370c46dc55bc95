#include "jobs/secrets.h"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <utility>
#include <vector>

namespace flotte::jobs {
namespace {

constexpr std::string_view mark = "flotte:secret";

json::value const* index_in(json::value const& value) {
  auto const* object = value.if_object();
  return object && object->size() == 1 ? object->if_contains(mark) : nullptr;
}

// Names, and which secrets they have.
using Named = std::vector<std::pair<std::string, std::size_t>>;

void take_names(json::value const& value, std::size_t count, Named& named) {
  if (auto const* object = value.if_object()) {
    for (auto const& [name, member] : *object) {
      auto const* index = index_in(member);
      auto const* place = index ? index->if_int64() : nullptr;
      if (place && *place >= 0 && static_cast<std::size_t>(*place) < count) {
        named.emplace_back(std::string(std::string_view(name)), static_cast<std::size_t>(*place));
      }
      take_names(member, count, named);
    }
  } else if (auto const* array = value.if_array()) {
    for (auto const& one : *array) take_names(one, count, named);
  }
}

Named names_in(json::object const& opcode, std::size_t count) {
  Named named;
  take_names(opcode, count, named);
  return named;
}

json::object mark_of(std::size_t place) {
  return {{mark, static_cast<std::int64_t>(place)}};
}

bool put_marks(json::value& value, Named const& named, json::array const& secrets,
               bool is_in_parameters) {
  bool has_any = false;
  if (auto* array = value.if_array()) {
    for (auto& one : *array) has_any |= put_marks(one, named, secrets, is_in_parameters);
  }
  auto* object = value.if_object();
  if (!object) return has_any;
  for (auto& [name, member] : *object) {
    auto const is_it = [&](auto const& one) {
      return one.first == std::string_view(name) && secrets[one.second] == member;
    };
    auto const found = is_in_parameters ? std::ranges::find_if(named, is_it) : named.end();
    if (found != named.end()) {
      member = mark_of(found->second);
      has_any = true;
    } else {
      has_any |= put_marks(member, named, secrets,
                           is_in_parameters || std::string_view(name).starts_with("osparams"));
    }
  }
  return has_any;
}

}  // namespace

std::string secrets_key(JobId job) {
  return fmt::format("{}{:012}", secrets_prefix, number(job));
}

void take_secrets(json::object& opcode, json::array& secrets) {
  opcodes::for_each_sealed(opcode, [&](json::value& value) {
    if (index_in(value)) return;
    secrets.push_back(std::move(value));
    value = mark_of(secrets.size() - 1);
  });
}

bool mark_secrets(json::value& made, json::object const& opcode, json::array const& secrets) {
  return put_marks(made, names_in(opcode, secrets.size()), secrets, false);
}

bool mark_secrets(std::string& text, json::object const& opcode, json::array const& secrets) {
  bool has_any = false;
  for (auto const& [name, place] : names_in(opcode, secrets.size())) {
    auto const as_member = [&](json::value const& value) {
      auto const member = json::serialize(json::object{{name, value}});
      return member.substr(1, member.size() - 2);
    };
    auto const clear = as_member(secrets[place]);
    auto const marked = as_member(mark_of(place));
    for (auto at = text.find(clear); at != std::string::npos; at = text.find(clear, at)) {
      text.replace(at, clear.size(), marked);
      at += marked.size();
      has_any = true;
    }
  }
  return has_any;
}

Result<void> put_secrets(json::value& value, json::array const& secrets) {
  if (auto const* index = index_in(value)) {
    auto const* place = index->if_int64();
    if (!place || *place < 0 || static_cast<std::size_t>(*place) >= secrets.size()) {
      return fail(ErrorCode::EnvironmentError,
                  "The secret parameters of the job are lost: their key was taken away. Submit it "
                  "again");
    }
    value = secrets[static_cast<std::size_t>(*place)];
  } else if (auto* object = value.if_object()) {
    for (auto& [name, member] : *object) TRY(put_secrets(member, secrets));
  } else if (auto* array = value.if_array()) {
    for (auto& member : *array) TRY(put_secrets(member, secrets));
  }
  return {};
}

}  // namespace flotte::jobs
