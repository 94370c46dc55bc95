#include "rapi/os_list.h"

#include <limits>

#include "rapi/rows.h"

namespace flotte::rapi {
namespace {

constexpr std::chrono::seconds patience{60};

json::array fields_of(bool is_bulk) {
  if (!is_bulk) return {"name", "variants"};
  return {"name",         "valid",       "variants", "parameters",
          "api_versions", "blacklisted", "hidden",   "trusted"};
}

// A sink that is never told of the job's log.
Granted<json::array> result_of(Services const& services, JobId id, net::Responder& responder) {
  auto& clock = services.seams.clock;
  auto const give_up_at = clock.now() + patience;
  auto status = jobs::Status::Queued;
  std::uint64_t progress = 0;
  while (!jobs::is_final(status)) {
    auto const now = clock.now();
    if (now >= give_up_at || responder.client_gone()) {
      return refuse(504, "Job {} takes too long", number(id));
    }
    auto const change =
        services.queue.wait_change(id, status, std::numeric_limits<std::int64_t>::max(), progress,
                                   now + std::chrono::seconds(1));
    if (!change) return tl::unexpected(refusal_of(change.error()));
    if (*change) status = (*change)->status;
  }
  auto const job = services.queue.job(id, jobs::JobQueue::Logs::Without);
  if (!job || job->status() != jobs::Status::Success || !job->ops.front().result.is_array()) {
    return refuse(500, "Can't get OS list; see job {}", number(id));
  }
  return job->ops.front().result.get_array();
}

json::object dict_of(json::array const& fields, json::array const& values) {
  json::object dict;
  for (std::size_t i = 0; i < fields.size(); ++i) dict.emplace(fields[i].get_string(), values[i]);
  json::array parameters;
  for (auto const& parameter : dict["parameters"].get_array()) {
    parameters.push_back(json::object{{"name", parameter.get_array()[0]},
                                      {"description", parameter.get_array()[1]}});
  }
  dict["parameters"] = std::move(parameters);
  return dict;
}

}  // namespace

Granted<json::value> list_os(Services const& services, RemoteCall const& call,
                             jobs::Principal const& who, net::Responder& responder) {
  auto const is_bulk = flag_in(call.query, "bulk");
  if (!is_bulk) return tl::unexpected(is_bulk.error());
  auto const fields = fields_of(*is_bulk);
  json::object const op{
      {"OP_ID", "OP_OS_DIAGNOSE"}, {"output_fields", fields}, {"names", json::array()}};
  auto const id = services.queue.submit({json::array{op}}, who).front();
  if (!id) return tl::unexpected(refusal_of(id.error()));
  auto const found = result_of(services, *id, responder);
  if (!found) return tl::unexpected(found.error());
  json::array all;
  for (auto const& os : *found) {
    auto const& values = os.get_array();
    if (*is_bulk) {
      all.push_back(dict_of(fields, values));
      continue;
    }
    std::string_view const name = values[0].get_string();
    auto const& variants = values[1].get_array();
    if (variants.empty()) all.emplace_back(name);
    for (auto const& variant : variants) {
      all.emplace_back(fmt::format("{}+{}", name, std::string_view(variant.get_string())));
    }
  }
  return json::value(std::move(all));
}

}  // namespace flotte::rapi
