#include "rapi/os_list.h"

#include <algorithm>
#include <map>

#include "base/lookup.h"
#include "rpc/ask_all.h"
#include "store/config_store.h"

namespace flotte::rapi {
namespace {

constexpr std::chrono::seconds node_timeout{20};

// One OS definition as all nodes that answered see it.
using Seen = std::vector<rpc::OsDefinition>;

template <class T>
json::array array_of(std::vector<T> const& values) {
  return json::array(values.begin(), values.end());
}

json::object dict_of(std::string const& name, Seen const& seen, std::size_t nodes,
                     model::Settings const& settings) {
  auto const& first = seen.front();
  auto const is_listed = [&](std::vector<std::string> const& names) {
    return std::ranges::find(names, name) != names.end();
  };
  json::array parameters;
  for (auto const& parameter : first.parameters) {
    parameters.push_back(json::object{{"name", parameter.name}, {"description", parameter.doc}});
  }
  auto const is_valid = seen.size() == nodes && std::ranges::all_of(seen, [](auto const& os) {
                          return os.diagnose.empty();
                        });
  return {{"name", name},
          {"valid", is_valid},
          {"variants", array_of(first.variants)},
          {"parameters", std::move(parameters)},
          {"api_versions", array_of(first.api_versions)},
          {"blacklisted", is_listed(settings.blacklisted_os)},
          {"hidden", is_listed(settings.hidden_os)},
          {"trusted", first.trusted}};
}

}  // namespace

Granted<json::value> list_os(Services const& services, RemoteCall const& call) {
  auto const is_bulk = flag_in(call.query, "bulk");
  if (!is_bulk) return tl::unexpected(is_bulk.error());
  auto const cluster = services.seams.config.snapshot();
  auto nodes = cluster->online_nodes();
  std::erase_if(nodes, [](model::NodePtr const& node) { return !node->vm_capable; });
  auto const answers =
      rpc::ask_all(services.seams.clock, services.seams.nodes, nodes, rpc::OsDiagnose{},
                   {.leader_epoch = services.leader_epoch, .timeout = node_timeout});
  std::map<std::string, Seen> all;
  std::size_t asked = 0;
  // What a node that is away has, nobody can say.
  for (auto const& node : nodes) {
    auto const& answer = known_at(answers, node->uuid);
    if (!answer) continue;
    ++asked;
    for (auto const& os : answer->definitions) all[os.name].push_back(os);
  }
  if (asked == 0 && !nodes.empty()) return refuse(502, "Can't get OS list: no node answers");
  json::array list;
  for (auto const& [name, seen] : all) {
    if (*is_bulk) {
      list.push_back(dict_of(name, seen, asked, cluster->settings()));
      continue;
    }
    auto const& variants = seen.front().variants;
    if (variants.empty()) list.emplace_back(name);
    for (auto const& variant : variants) list.emplace_back(fmt::format("{}+{}", name, variant));
  }
  return json::value(std::move(list));
}

}  // namespace flotte::rapi
