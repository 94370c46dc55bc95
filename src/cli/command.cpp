#include "cli/command.h"

#include <boost/json/serialize.hpp>
#include <chrono>
#include <cstdio>
#include <fstream>

#include "cli/filter.h"
#include "cli/print.h"
#include "cli/values.h"
#include "schema/schema.h"

namespace flotte::cli {

json::value text_value(std::string_view text) {
  return json::value(json::string_view(text));
}

json::array text_values(std::vector<std::string> const& texts) {
  json::array values;
  for (auto const& text : texts) values.push_back(text_value(text));
  return values;
}

std::vector<Option> with(std::vector<Option> own, std::vector<std::vector<Option>> const& more) {
  for (auto const& options : more) own.insert(own.end(), options.begin(), options.end());
  return own;
}

std::vector<Option> list_options() {
  return {
      {0, "no-headers", false, "Don't display column headers"},
      {0, "separator", true, "Separator between output fields"},
      choice({0, "units", true, "Specify units for output: h, m, g or t"}, {"h", "m", "g", "t"}),
      {'o', "output", true, "Fields, separated by commas; +FIELDS adds to the default"},
      {'v', "verbose", false, "Say what an empty cell means"},
      {'F', "filter", false, "The argument is a filter"},
      {0, "json", false, "Print JSON: a list of objects"}};
}

std::vector<Option> known_options(std::vector<std::string> const& names) {
  std::vector<Option> options;
  for (std::string_view name : names) {
    Option option;
    if (name.size() > 2 && name[1] == '/') {
      option.letter = name[0];
      name.remove_prefix(2);
    }
    option.has_value = name.ends_with('=');
    option.name = name.substr(0, name.size() - (option.has_value ? 1 : 0));
    options.push_back(std::move(option));
  }
  return options;
}

std::vector<Option> not_built_options(std::vector<std::string> const& names) {
  auto options = known_options(names);
  for (auto& option : options) option.is_built = false;
  return options;
}

std::vector<Option> without(std::vector<Option> options, std::vector<std::string> const& names) {
  std::erase_if(options, [&](Option const& option) {
    return std::ranges::find(names, option.name) != names.end();
  });
  return options;
}

std::vector<Option> list_fields_options() {
  return without(list_options(), {"units", "output", "verbose", "filter"});
}

std::vector<Option> priority_option() {
  return {choice({0, "priority", true, "low, normal or high"}, {"low", "normal", "high"})};
}

std::vector<Option> submit_options() {
  return with({{0, "submit", false, "Submit the job and return at once"},
               {0, "print-jobid", false, "Print the job's id first"},
               {0, "dry-run", false, "Only check whether it would work"}},
              {priority_option()});
}

Outcome<json::object> opcode(Call& call, std::string_view op_id) {
  json::object op;
  op["OP_ID"] = op_id;
  op["debug_level"] = static_cast<std::int64_t>(call.arguments.values("debug").size());
  if (call.arguments.has("dry-run")) op["dry_run"] = true;
  if (auto const priority = call.arguments.value("priority")) {
    if (*priority == "low") {
      op["priority"] = 10;
    } else if (*priority == "high") {
      op["priority"] = -10;
    }
  }
  auto const now = std::chrono::duration_cast<std::chrono::nanoseconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                       .count();
  json::array reason;
  if (auto const why = call.arguments.value("reason")) {
    reason.push_back(json::array{"gnt:user", text_value(*why), now});
  }
  reason.push_back(
      json::array{text_value("gnt:client:" + call.program), text_value(call.command), now});
  op["reason"] = std::move(reason);
  return op;
}

namespace {

// Where nothing was done there is nothing to tell.
std::optional<json::array> results_to_tell(Call& call, json::array results) {
  if (call.arguments.has("dry-run")) return std::nullopt;
  return results;
}

}  // namespace

Outcome<std::optional<json::array>> submit_or_run(Call& call, json::object op) {
  if (call.arguments.has("submit") || call.arguments.has("print-jobid")) {
    auto const ids = OK(call.session.submit(json::array{json::array{std::move(op)}}));
    if (call.arguments.has("print-jobid")) std::printf("%lld\n", static_cast<long long>(ids[0]));
    if (call.arguments.has("submit")) {
      if (!call.arguments.has("print-jobid")) {
        std::fprintf(stderr, "JobID: %lld\n", static_cast<long long>(ids[0]));
      }
      return std::optional<json::array>();
    }
    return results_to_tell(call, OK(call.session.follow(ids[0])));
  }
  return results_to_tell(call, OK(call.session.run(json::array{std::move(op)})));
}

Outcome<std::vector<JobEnd>> follow_jobs(Call& call, json::array const& results) {
  std::vector<std::int64_t> ids;
  for (auto const& job : results.at(0).at("jobs").as_array()) {
    if (!job.at(0).as_bool()) return stop(python_text(job.at(1)));
    ids.push_back(job.at(1).to_number<std::int64_t>());
  }
  if (!ids.empty()) {
    std::printf("Submitted jobs %s\n", fmt::format("{}", fmt::join(ids, ", ")).c_str());
  }
  std::vector<JobEnd> ends;
  for (auto const id : ids) {
    std::printf("Waiting for job %lld ...\n", static_cast<long long>(id));
    std::fflush(stdout);
    ends.push_back({id, call.session.follow(id)});
    auto const& end = ends.back().results;
    if (!end) {
      std::fprintf(stderr, "Job %lld has failed: %s\n", static_cast<long long>(id),
                   end.error().text.c_str());
    }
  }
  return ends;
}

Outcome<TableOptions> table_options(Call& call) {
  TableOptions options;
  options.has_headers = !call.arguments.has("no-headers");
  options.separator = call.arguments.value("separator");
  options.is_verbose = call.arguments.has("verbose");
  if (auto const unit = call.arguments.value("units")) {
    if (*unit == "h") {
      options.unit = Unit::Human;
    } else if (*unit == "m") {
      options.unit = Unit::Mebi;
    } else if (*unit == "g") {
      options.unit = Unit::Gibi;
    } else {
      options.unit = Unit::Tebi;
    }
  }
  return options;
}

std::vector<std::string> chosen_fields(Call& call, std::string const& default_fields) {
  auto const wanted = call.arguments.value_or("output", default_fields);
  return split(wanted.starts_with("+") ? default_fields + "," + wanted.substr(1) : wanted, ',');
}

namespace {

// Names, patterns of names, or one filter.
Outcome<int> choose_objects(Call& call, std::string const& what, json::object& request) {
  auto const& given = call.arguments.positional();
  if (call.arguments.has("filter") && given.size() != 1) {
    return stop(Error{ErrorCode::WrongInput, "Exactly one argument must be given as a filter"});
  }
  if (call.arguments.has("filter") || (given.size() == 1 && may_be_filter(given[0]))) {
    auto filter = parse_filter(given[0]);
    if (!filter) {
      return stop(fmt::format("Error while parsing query filter: {}", filter.error().message));
    }
    request["qfilter"] = std::move(*filter);
    return 0;
  }
  auto const is_glob = [](std::string const& name) {
    return name.find_first_of("*?") != std::string::npos;
  };
  if (what != "job" && std::ranges::any_of(given, is_glob)) {
    request["qfilter"] = filter_of_globs("name", given);
    return 0;
  }
  json::array names;
  for (auto const& name : given) names.push_back(text_value(name));
  request["names"] = std::move(names);
  return 0;
}

// As a person reads it on a terminal.
std::string wrapped(std::string const& line) {
  constexpr std::size_t width = 70;
  if (line.size() <= width) return line + "\n";
  std::string out;
  std::string rest = line;
  while (rest.size() > width) {
    auto const blank = rest.rfind(' ', width);
    if (blank == std::string::npos || blank == 0) break;
    out += rest.substr(0, blank) + "\n";
    rest = rest.substr(blank + 1);
  }
  return out + rest + "\n";
}

json::value kind_title(json::value const& kind) {
  constexpr std::pair<std::string_view, std::string_view> titles[] = {
      {"unknown", "Unknown"},
      {"text", "Text"},
      {"bool", "Boolean"},
      {"number", "Number"},
      {"float", "Floating-point number"},
      {"unit", "Storage size"},
      {"timestamp", "Timestamp"},
      {"other", "Custom"}};
  for (auto const& [name, title] : titles) {
    if (kind == text_value(name)) return text_value(title);
  }
  return kind;
}

std::string serialized(json::value const& value) {
  return json::serialize(value);
}

json::object list_request(Call& call, std::string const& what, std::string const& default_fields) {
  return {{"what", text_value(what)}, {"fields", text_values(chosen_fields(call, default_fields))}};
}

// What the query answers, as a table.
Outcome<int> show(Call& call, json::object const& request) {
  auto options = OK(table_options(call));
  options.is_of_groups = request.at("what") == text_value("group");
  auto const answer = OK(call.session.post("query", request));
  if (call.arguments.has("json")) {
    std::printf("%s\n", serialized(table_json(answer)).c_str());
  } else {
    std::fputs(render_table(answer, options).c_str(), stdout);
  }
  auto const unknown = unknown_fields(answer);
  if (unknown.empty()) return 0;
  std::fflush(stdout);
  std::fprintf(stderr, "Warning: Queried for unknown fields %s\n",
               fmt::format("{}", fmt::join(unknown, ", ")).c_str());
  return exit_unknown_field;
}

}  // namespace

Outcome<int> list(Call& call, std::string const& what, std::string const& default_fields,
                  json::value const& filter) {
  auto request = list_request(call, what, default_fields);
  OK(choose_objects(call, what, request));
  if (!filter.is_null()) {
    auto& chosen = request["qfilter"];
    chosen = chosen.is_null() ? filter : json::value(json::array{"&", chosen, filter});
  }
  return show(call, request);
}

Outcome<int> list_named(Call& call, std::string const& what, std::string const& default_fields,
                        std::vector<std::string> const& names) {
  auto request = list_request(call, what, default_fields);
  request["names"] = text_values(names);
  return show(call, request);
}

Outcome<json::array> rows_of(Call& call, std::string const& what, json::array fields,
                             std::vector<std::string> const& names) {
  auto const answer = OK(call.session.post(
      "query",
      {{"what", text_value(what)}, {"fields", std::move(fields)}, {"names", text_values(names)}}));
  return table_json(answer).as_array();
}

Outcome<int> list_fields(Call& call, std::string const& what) {
  json::array names;
  for (auto const& name : call.arguments.positional()) names.push_back(text_value(name));
  auto const answer =
      OK(call.session.post("query-fields", {{"what", text_value(what)}, {"fields", names}}));
  json::array rows;
  std::vector<std::string> unknown;
  for (auto const& field : answer.at("fields").as_array()) {
    if (field.at("kind") == json::value("unknown"))
      unknown.push_back(python_text(field.at("name")));
    json::array row;
    for (auto const* key : {"name", "kind", "title", "doc"}) {
      auto const& value = field.at(key);
      row.push_back(json::array{0, key == std::string_view("kind") ? kind_title(value) : value});
    }
    rows.push_back(std::move(row));
  }
  json::array columns;
  for (auto const* title : {"Name", "Type", "Title", "Description"}) {
    columns.push_back({{"name", title}, {"title", title}, {"kind", "text"}, {"doc", ""}});
  }
  json::value const table{{"fields", std::move(columns)}, {"data", std::move(rows)}};
  auto const options = OK(table_options(call));
  if (call.arguments.has("json")) {
    std::printf("%s\n", serialized(answer.at("fields")).c_str());
  } else {
    std::fputs(render_table(table, options).c_str(), stdout);
  }
  if (unknown.empty()) return 0;
  std::fflush(stdout);
  std::fprintf(stderr, "Warning: Queried for unknown fields %s\n",
               fmt::format("{}", fmt::join(unknown, ", ")).c_str());
  return exit_unknown_field;
}

Outcome<void> confirm(Call& call, std::string const& question, Unless unless, int refused) {
  auto const is_forced = call.arguments.has("force") || call.arguments.has("force-multiple");
  if (is_forced && unless == Unless::Forced) return {};
  // As Ganeti: on the terminal itself, and who can't be asked has said no.
  std::fstream terminal("/dev/tty");
  if (!terminal) return stop("", refused);
  for (;;) {
    for (auto const& line : split(question, '\n')) terminal << wrapped(line);
    terminal << "y/[n]/?: " << std::flush;
    std::string answer;
    if (!std::getline(terminal, answer)) return stop("", refused);
    answer = strip(answer);
    if (answer == "y" || answer == "Y") return {};
    if (answer == "n" || answer == "N") return stop("", refused);
    if (answer == "?") {
      terminal << " y - Perform the operation\n n - Do not perform the operation\n\n";
    }
  }
}

}  // namespace flotte::cli
