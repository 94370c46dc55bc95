#include "cli/instance_selection.h"

#include <algorithm>

#include "cli/values.h"

namespace flotte::cli {
namespace {

Outcome<std::vector<std::string>> names_that_pass(Call& call, std::string_view what,
                                                  json::object request) {
  request["what"] = text_value(what);
  request["fields"] = json::array{"name"};
  auto const answer = OK(call.session.post("query", request));
  std::vector<std::string> names;
  for (auto const& row : answer.at("data").as_array()) {
    names.emplace_back(std::string_view(row.at(0).at(1).as_string()));
  }
  return names;
}

// ["|", [op, field, value], ...] for every pair of fields and values.
json::array any_of(std::vector<std::pair<char const*, char const*>> const& fields,
                   std::vector<std::string> const& values) {
  json::array any{"|"};
  for (auto const& [op, field] : fields) {
    for (auto const& value : values) any.push_back(json::array{op, field, text_value(value)});
  }
  return any;
}

// What the selection options and the arguments mean (docs/ganeti.md, "Selecting instances"), as a
// query.
Outcome<json::object> selection_query(Call& call, std::string by) {
  json::object request;
  auto given = call.arguments.positional();
  if (by == "all") return request;
  if (by == "instance") {
    json::array names;
    for (auto const& name : given) names.push_back(text_value(name));
    request["names"] = std::move(names);
    return request;
  }
  if (by == "tags") {
    request["qfilter"] = any_of({{"=[]", "tags"}}, given);
    return request;
  }
  if (by.ends_with("node-tags")) {
    given = OK(names_that_pass(call, "node", {{"qfilter", any_of({{"=[]", "tags"}}, given)}}));
    by = by == "node-tags" ? "node" : by == "pri-node-tags" ? "primary" : "secondary";
  }
  std::vector<std::pair<char const*, char const*>> fields;
  if (by != "secondary") fields.emplace_back("==", "pnode");
  if (by != "primary") fields.emplace_back("=[]", "snodes");
  request["qfilter"] = any_of(fields, given);
  return request;
}

// Of several options the last one counts.
std::string way_of_selecting(Call const& call) {
  auto const typed =
      call.arguments.last_of({"all", "instance", "node", "primary", "secondary", "tags",
                              "node-tags", "pri-node-tags", "sec-node-tags"});
  return typed.empty() ? "instance" : typed;
}

}  // namespace

std::vector<Option> selection_options() {
  return {{'f', "force", false, "Don't ask"},
          {0, "force-multiple", false, "Don't ask about several instances"},
          {0, "all", false, "All instances"},
          {0, "instance", false, "The arguments are instances (the default)"},
          {0, "node", false, "The arguments are nodes"},
          {0, "primary", false, "The arguments are primary nodes"},
          {0, "secondary", false, "The arguments are secondary nodes"},
          {0, "tags", false, "The arguments are tags of instances"},
          {0, "node-tags", false, "The arguments are tags of nodes"},
          {0, "pri-node-tags", false, "The arguments are tags of primary nodes"},
          {0, "sec-node-tags", false, "The arguments are tags of secondary nodes"}};
}

Outcome<void> check_exists(Call& call, std::string const& name) {
  auto const found = names_that_pass(call, "instance", {{"names", json::array{text_value(name)}}});
  if (found || found.error().text.find("not found") == std::string::npos) {
    return found.map([](auto const&) {});
  }
  return stop(Error{ErrorCode::UnknownEntity, fmt::format("Instance '{}' does not exist", name)});
}

Outcome<std::vector<std::string>> selection(Call& call) {
  auto const by = way_of_selecting(call);
  auto const& given = call.arguments.positional();
  if (by == "all" && !given.empty()) {
    return stop(Error{ErrorCode::WrongInput, "Cluster filter mode takes no arguments"});
  }
  if (by != "all" && given.empty()) {
    auto const what = by == "instance"            ? "instance names"
                      : by == "tags"              ? "instance tags"
                      : by.ends_with("node-tags") ? "node tags"
                                                  : "node names";
    return stop(Error{ErrorCode::WrongInput, fmt::format("No {} passed", what)});
  }
  auto names = names_that_pass(call, "instance", OK(selection_query(call, by)));
  auto const is_unknown = !names && names.error().text.find("not found") != std::string::npos;
  // One that is not there is not passed over where there are others: that may be a slip.
  auto const is_there = [&](std::string const& name) {
    return check_exists(call, name).has_value();
  };
  if (is_unknown && std::ranges::any_of(given, is_there)) return names;
  if ((names && names->empty() && by != "all") || is_unknown) {
    return stop(Error{ErrorCode::WrongInput, "Selection filter does not match any instances"});
  }
  return names;
}

bool is_for_many(Call const& call, std::vector<std::string> const& names) {
  return names.size() > 1 || way_of_selecting(call) != "instance";
}

std::string question_about(std::string_view verb, std::vector<std::string> const& names,
                           std::string_view note) {
  auto question = fmt::format(
      "The {} will operate on {} instances.\n{}Do you want to continue?\n"
      "Affected instances:",
      verb, names.size(), note);
  for (auto const& name : names) question += "\n  " + name;
  return question;
}

Outcome<int> for_each_of(Call& call, std::vector<std::string> const& names,
                         json::object const& op) {
  json::array jobs;
  for (auto const& name : names) {
    auto one = op;
    one["instance_name"] = text_value(name);
    jobs.push_back(json::array{std::move(one)});
  }
  auto const ids = OK(call.session.submit(jobs));
  if (call.arguments.has("submit")) {
    for (std::size_t i = 0; i < ids.size(); ++i) {
      std::printf("%lld: %s\n", static_cast<long long>(ids[i]), names[i].c_str());
    }
    return 0;
  }
  if (is_for_many(call, names)) {
    std::printf("Submitted jobs %s\n", fmt::format("{}", fmt::join(ids, ", ")).c_str());
  }
  int exit_code = 0;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    std::printf("Waiting for job %lld for %s ...\n", static_cast<long long>(ids[i]),
                names[i].c_str());
    std::fflush(stdout);
    auto const result = call.session.follow(ids[i]);
    if (!result) {
      std::fprintf(stderr, "Job %lld for %s has failed: %s\n", static_cast<long long>(ids[i]),
                   names[i].c_str(), result.error().text.c_str());
      exit_code = exit_failure;
    }
  }
  return exit_code;
}

}  // namespace flotte::cli
