#include "rapi/rows.h"

#include "rapi/live_query.h"

namespace flotte::rapi {

Refusal refusal_of(Error const& error) {
  switch (error.code) {
    case ErrorCode::UnknownEntity:
      return {404, error.message};
    case ErrorCode::InternalError:
      return {500, error.message};
    case ErrorCode::TempInsufficientResources:
      return {503, error.message};
    case ErrorCode::WrongState:
      return {error.error_class == ErrorClass::QueueDrained ? 503U : 400U, error.message};
    default:
      return {400, error.message};
  }
}

Granted<json::object> query(Services const& services, std::string_view what, json::array fields,
                            json::array names, json::value filter) {
  json::object body{{"what", what}, {"fields", std::move(fields)}, {"qfilter", std::move(filter)}};
  if (!names.empty()) body["names"] = std::move(names);
  auto answer = run_query(services.seams, services.queue, services.leader_epoch, body);
  if (!answer) return tl::unexpected(refusal_of(answer.error()));
  return std::move(answer->as_object());
}

Granted<std::vector<json::object>> rows(Services const& services, std::string_view what,
                                        Fields const& fields, Names const& names) {
  auto answer = query(services, what, json::array(fields.begin(), fields.end()),
                      json::array(names.begin(), names.end()));
  if (!answer) return tl::unexpected(answer.error());
  std::vector<json::object> dicts;
  for (auto& row : (*answer)["data"].get_array()) {
    auto& dict = dicts.emplace_back();
    dict.reserve(fields.size());
    for (std::size_t i = 0; i < fields.size(); ++i) {
      auto& cell = row.get_array()[i].get_array();
      dict.emplace(fields[i], cell[0] == 0 ? std::move(cell[1]) : json::value(nullptr));
    }
  }
  return dicts;
}

}  // namespace flotte::rapi
