#include "units/instance_query_data.h"

#include <algorithm>
#include <map>

#include "jobs/job_context.h"
#include "query/info.h"
#include "units/instance_steps.h"

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
  std::map<NodeId, rpc::RunningInstances> running;
  for (auto const& instance : wanted) {
    query::InstanceObserved observed;
    auto const node = TRY(cluster.node(instance->primary_node));
    if (!op.is_static && !node->offline) {
      if (!running.contains(node->uuid)) {
        running[node->uuid] =
            TRY(nodes.ask(*node, rpc::AllInstancesInfo{cluster.settings().enabled_hypervisors}));
      }
      auto const& list = running[node->uuid].instances;
      auto const found = std::ranges::find_if(list, [&](rpc::RunningInstance const& one) {
        return one.name == instance->name && one.state != rpc::RunState::UserDown;
      });
      observed.is_known = true;
      if (found != list.end()) observed.running = *found;
      if (!instance->disks.empty()) {
        observed.devices =
            TRY(nodes.ask(*node, rpc::BlockdevFind{instance->name, disk_specs(cluster, *instance)}))
                .devices;
      }
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
