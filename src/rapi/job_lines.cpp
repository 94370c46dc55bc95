#include "rapi/job_lines.h"

#include <boost/json/serialize.hpp>

namespace flotte::rapi {

namespace json = boost::json;

std::string line_of(json::object const& object) {
  return json::serialize(object) + "\n";
}

std::string lines_of(jobs::Change const& change, Told& told) {
  std::string lines;
  auto const tell = [&](std::string_view what, json::value value) {
    lines += line_of({{"job", number(change.job)}, {what, std::move(value)}});
  };
  for (auto const& entry : change.new_log) {
    tell("log", entry.wire());
    told.log_serial = entry.serial;
  }
  if (change.progress) tell("progress", *change.progress);
  if (change.status != told.status && !jobs::is_final(change.status)) {
    tell("status", json::value(jobs::to_string(change.status)));
  }
  told.status = change.status;
  return lines;
}

std::string done_line(jobs::Job const& job) {
  json::array statuses;
  json::array results;
  for (auto const& op : job.ops) {
    statuses.push_back(json::value(jobs::to_string(op.status)));
    results.push_back(op.result);
  }
  json::object done;
  done["status"] = jobs::to_string(job.status());
  done["opstatus"] = std::move(statuses);
  done["opresult"] = std::move(results);
  return line_of({{"job", number(job.id)}, {"done", std::move(done)}});
}

}  // namespace flotte::rapi
