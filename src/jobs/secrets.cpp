#include "jobs/secrets.h"

namespace flotte::jobs {
namespace {

constexpr std::string_view mark = "flotte:secret";

json::value const* index_in(json::value const& value) {
  auto const* object = value.if_object();
  return object && object->size() == 1 ? object->if_contains(mark) : nullptr;
}

}  // namespace

std::string secrets_key(JobId job) {
  return fmt::format("{}{:012}", secrets_prefix, number(job));
}

void take_secrets(json::object& opcode, json::array& secrets) {
  opcodes::for_each_sealed(opcode, [&](json::value& value) {
    if (index_in(value)) return;
    secrets.push_back(std::move(value));
    value = json::object{{mark, static_cast<std::int64_t>(secrets.size()) - 1}};
  });
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
