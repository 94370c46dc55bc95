#include "units/instance_query_data.h"

#include <algorithm>
#include <map>
#include <set>

#include "jobs/job_context.h"
#include "query/info.h"
#include "units/disk_survey.h"

namespace flotte::units {

Result<jobs::LockSet> InstanceQueryData::locks(Op const&, model::Cluster const&) {
  return jobs::LockSet{};
}

Result<InstanceQueryData::Facts> InstanceQueryData::inspect(Op const& op,
                                                            model::Cluster const& cluster,
                                                            jobs::NodeReader& nodes) {
  std::vector<model::InstancePtr> wanted;
  for (auto const& name : op.instances) wanted.push_back(TRY(cluster.instance(name)));
  if (op.instances.empty()) wanted = cluster.instances_by_name();
  Facts facts;
  // One answer a node serves all its instances.
  rpc::OfNodes<rpc::RunningInstances> running;
  std::map<InstanceId, Result<rpc::BlockdevFound>> survey;
  if (!op.is_static) {
    std::set<NodeId> theirs;
    for (auto const& instance : wanted) theirs.insert(instance->primary_node);
    auto to_ask = cluster.online_nodes();
    std::erase_if(to_ask, [&](model::NodePtr const& node) { return !theirs.contains(node->uuid); });
    running =
        TRY(nodes.ask_all(to_ask, rpc::AllInstancesInfo{cluster.settings().enabled_hypervisors}));
    survey = survey_disks(cluster, wanted, nodes);
  }
  for (auto const& instance : wanted) {
    query::InstanceObserved observed;
    auto const answer = running.find(instance->primary_node);
    if (answer != running.end()) {
      if (!answer->second) return Failure(answer->second.error());
      auto const& list = answer->second->instances;
      auto const found = std::ranges::find_if(list, [&](rpc::RunningInstance const& one) {
        return one.name == instance->name && one.state != rpc::RunState::UserDown;
      });
      observed.is_known = true;
      if (found != list.end()) observed.running = *found;
      auto const disks = survey.find(instance->uuid);
      if (disks != survey.end()) observed.devices = TRY(disks->second).devices;
    }
    facts.answer[instance->name] = query::instance_info(cluster, *instance, observed);
  }
  return facts;
}

Result<InstanceQueryData::Plan> InstanceQueryData::plan(Op const&, model::Cluster const&,
                                                        Facts const& facts) {
  return Plan{.answer = facts.answer};
}

Result<json::value> InstanceQueryData::apply(Plan const& plan, jobs::JobContext&) {
  return plan.answer;
}

schema::Fields InstanceQueryData::Plan::fields() {
  static constexpr schema::Field table[] = {
      schema::field<&Plan::answer>("answer", "By name, what is known of each instance.")};
  return table;
}

}  // namespace flotte::units
