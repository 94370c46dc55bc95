#include "units/disk_survey.h"

#include "units/instance_steps.h"

namespace flotte::units {
namespace {

using Answers = std::map<InstanceId, Result<rpc::BlockdevFound>>;

Answers ask(model::NodePtr const& node, std::vector<model::InstancePtr> const& instances,
            model::Cluster const& cluster, jobs::NodeReader& nodes) {
  Answers answers;
  std::optional<Error> is_away;
  for (auto const& instance : instances) {
    auto answer =
        is_away
            ? Result<rpc::BlockdevFound>(Failure(*is_away))
            : nodes.ask(*node, rpc::BlockdevFind{instance->name, disk_specs(cluster, *instance)});
    if (!answer && answer.error().error_class == ErrorClass::Unreachable) is_away = answer.error();
    answers.emplace(instance->uuid, std::move(answer));
  }
  return answers;
}

}  // namespace

Answers survey_disks(model::Cluster const& cluster,
                     std::vector<model::InstancePtr> const& instances, jobs::NodeReader& nodes) {
  std::map<NodeId, std::vector<model::InstancePtr>> by_node;
  for (auto const& instance : instances) {
    if (!instance->disks.empty()) by_node[instance->primary_node].push_back(instance);
  }
  auto to_ask = cluster.online_nodes();
  std::erase_if(to_ask, [&](model::NodePtr const& node) { return !by_node.contains(node->uuid); });
  auto surveyed = nodes.at_each(to_ask, [&](model::NodePtr const& node) -> Result<Answers> {
    return ask(node, by_node.find(node->uuid)->second, cluster, nodes);
  });
  Answers all;
  for (auto& [id, answers] : surveyed) {
    if (answers) {
      all.merge(*answers);
      continue;
    }
    for (auto const& instance : by_node[id]) {
      all.emplace(instance->uuid, Failure(answers.error()));
    }
  }
  return all;
}

}  // namespace flotte::units
