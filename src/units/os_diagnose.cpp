#include "units/os_diagnose.h"

#include <algorithm>
#include <map>

#include "base/lookup.h"
#include "jobs/job_context.h"

namespace flotte::units {
namespace {

// One OS as all nodes see it.
struct Found {
  std::vector<std::pair<std::string, rpc::OsDefinition>> by_node;  // node UUID, definition
};

json::array strings(std::vector<std::string> const& list) {
  json::array out;
  for (auto const& item : list) out.push_back(json::value(json::string_view(item)));
  return out;
}

json::array parameters(rpc::OsDefinition const& os) {
  json::array out;
  for (auto const& parameter : os.parameters) {
    out.push_back(json::array{json::value(json::string_view(parameter.name)),
                              json::value(json::string_view(parameter.doc))});
  }
  return out;
}

json::array numbers(std::vector<std::int64_t> const& list) {
  return json::array(list.begin(), list.end());
}

// Ganeti's node_status: {node: [[path, valid, diagnose, variants, parameters, api versions,
// trusted]]}.
json::object node_status(Found const& found) {
  json::object out;
  for (auto const& [node, os] : found.by_node) {
    out[node] =
        json::array{json::array{json::value(json::string_view(os.path)), os.diagnose.empty(),
                                json::value(json::string_view(os.diagnose)), strings(os.variants),
                                parameters(os), numbers(os.api_versions), os.trusted}};
  }
  return out;
}

bool listed(std::vector<std::string> const& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

Result<json::value> cell(std::string_view field, std::string_view name, Found const& found,
                         std::size_t nodes, model::Settings const& settings) {
  auto const& first = found.by_node.front().second;
  auto const is_valid =
      found.by_node.size() == nodes && std::ranges::all_of(found.by_node, [](auto const& row) {
        return row.second.diagnose.empty();
      });
  if (field == "name") return json::value(name);
  if (field == "valid") return json::value(is_valid);
  if (field == "node_status") return json::value(node_status(found));
  if (field == "variants") return json::value(strings(first.variants));
  if (field == "parameters") return json::value(parameters(first));
  if (field == "api_versions") return json::value(numbers(first.api_versions));
  if (field == "hidden") return json::value(listed(settings.hidden_os, name));
  if (field == "blacklisted") return json::value(listed(settings.blacklisted_os, name));
  if (field == "trusted") return json::value(first.trusted);
  if (field == "os_hvp" || field == "osparams") {
    auto const& all = field == "os_hvp" ? settings.os_hvp : settings.osparams;
    auto const* own = all.if_contains(name);
    return own ? *own : json::value(json::object());
  }
  return fail(ErrorCode::WrongInput, "Unknown output fields selected: {}", field);
}

}  // namespace

Result<jobs::LockSet> OsDiagnose::locks(Op const&, model::Cluster const&) {
  return jobs::LockSet{};
}

Result<OsDiagnose::Facts> OsDiagnose::inspect(Op const& op, model::Cluster const& cluster,
                                              jobs::NodeReader& nodes) {
  std::map<std::string, Found> all;
  std::size_t asked = 0;
  auto to_ask = cluster.online_nodes();
  std::erase_if(to_ask, [](model::NodePtr const& node) { return !node->vm_capable; });
  auto const answers = TRY(nodes.ask_all(to_ask, rpc::OsDiagnose{}));
  // What a node that is away has, nobody can say.
  for (auto const& node : to_ask) {
    auto const& answer = known_at(answers, node->uuid);
    if (!answer) continue;
    ++asked;
    for (auto const& os : answer->definitions) {
      all[os.name].by_node.emplace_back(node->uuid.text(), os);
    }
  }
  Facts facts;
  for (auto const& [name, found] : all) {
    if (!op.names.empty() && !listed(op.names, name)) continue;
    json::array row;
    for (auto const& field : op.output_fields) {
      row.push_back(TRY(cell(field, name, found, asked, cluster.settings())));
    }
    facts.answer.push_back(std::move(row));
  }
  return facts;
}

Result<OsDiagnose::Plan> OsDiagnose::plan(Op const&, model::Cluster const&, Facts const& facts) {
  return facts;
}

Result<json::value> OsDiagnose::apply(Plan const& plan, jobs::JobContext&) {
  return plan.answer;
}

}  // namespace flotte::units
