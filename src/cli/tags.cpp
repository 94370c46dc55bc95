#include "cli/tags.h"

#include <algorithm>
#include <cstdio>
#include <fstream>

#include "cli/print.h"
#include "cli/values.h"

namespace flotte::cli {
namespace {

std::string tag_kind(Call const& call) {
  if (call.program == "gnt-cluster") return "cluster";
  if (call.program == "gnt-group") return "nodegroup";
  if (call.program == "gnt-network") return "network";
  return call.program == "gnt-node" ? "node" : "instance";
}

// As queries name it.
std::string resource(Call const& call) {
  return tag_kind(call) == "nodegroup" ? "group" : tag_kind(call);
}

// A tag a line; "-" is standard input.
Outcome<int> read_tags(std::string const& path, std::vector<std::string>& tags) {
  std::ifstream file(path == "-" ? "/dev/stdin" : path);
  for (std::string line; std::getline(file, line);) {
    if (auto const tag = strip(line); !tag.empty()) tags.push_back(tag);
  }
  if (!file.eof()) return stop(fmt::format("Can't read {}", path));
  return 0;
}

Outcome<int> change_tags(Call& call, std::string_view op_id) {
  auto op = OK(opcode(call, op_id));
  auto words = call.arguments.positional();
  op["kind"] = text_value(tag_kind(call));
  if (tag_kind(call) != "cluster") {
    op["name"] = text_value(words[0]);
    words.erase(words.begin());
  }
  if (auto const path = call.arguments.value("from")) OK(read_tags(*path, words));
  if (words.empty()) {
    return stop(Error{ErrorCode::WrongInput,
                      op_id == "OP_TAGS_SET" ? "No tags to be added" : "No tags to be removed"});
  }
  json::array tags;
  for (auto const& tag : words) tags.push_back(text_value(tag));
  op["tags"] = std::move(tags);
  OK(submit_or_run(call, std::move(op)));
  return 0;
}

}  // namespace

std::vector<Option> tag_options() {
  return with({{0, "from", true, "A file with more tags, one a line"}}, {submit_options()});
}

Outcome<int> add_tags(Call& call) {
  return change_tags(call, "OP_TAGS_SET");
}
Outcome<int> remove_tags(Call& call) {
  return change_tags(call, "OP_TAGS_DEL");
}

Outcome<int> list_tags(Call& call) {
  json::value tags;
  if (tag_kind(call) == "cluster") {
    tags = OK(call.session.get("cluster")).at("tags");
  } else {
    auto const answer = OK(call.session.post(
        "query", {{"what", text_value(resource(call))},
                  {"fields", json::array{"tags"}},
                  {"names", json::array{text_value(call.arguments.positional()[0])}}}));
    tags = answer.at("data").at(0).at(0).at(1);
  }
  for (auto const& tag : tags.as_array()) std::printf("%s\n", python_text(tag).c_str());
  return 0;
}

Outcome<int> search_tags(Call& call) {
  auto op = OK(opcode(call, "OP_TAGS_SEARCH"));
  op["pattern"] = text_value(call.arguments.positional()[0]);
  auto const results = OK(submit_or_run(call, std::move(op)));
  if (!results) return 0;
  std::vector<std::string> lines;
  for (auto const& found : results->at(0).as_array()) {
    lines.push_back(fmt::format("{} {}", python_text(found.at(0)), python_text(found.at(1))));
  }
  std::ranges::sort(lines);
  for (auto const& line : lines) std::printf("%s\n", line.c_str());
  return lines.empty() ? exit_failure : 0;
}

}  // namespace flotte::cli
