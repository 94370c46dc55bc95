#include "units/instance_activate_disks.h"

#include "jobs/job_context.h"
#include "store/config_store.h"
#include "units/instance_steps.h"

namespace flotte::units {

Result<jobs::LockSet> InstanceActivateDisks::locks(Op const& op, model::Cluster const& cluster) {
  auto const instance = TRY(cluster.instance(op.instance_name));
  return jobs::LockSet{jobs::exclusive(jobs::LockLevel::Instance, instance->name),
                       jobs::shared(jobs::LockLevel::Node, instance->primary_node.text())};
}

Result<InstanceActivateDisks::Facts> InstanceActivateDisks::inspect(Op const& op,
                                                                    model::Cluster const& cluster,
                                                                    jobs::NodeReader&) {
  TRY(online_primary(cluster, *TRY(cluster.instance(op.instance_name))));
  return Facts{};
}

Result<InstanceActivateDisks::Plan> InstanceActivateDisks::plan(Op const& op,
                                                                model::Cluster const& cluster,
                                                                Facts const&) {
  auto const instance = TRY(cluster.instance(op.instance_name));
  auto const node = TRY(cluster.node(instance->primary_node));
  return Plan{.instance = instance->uuid,
              .node = node->uuid,
              .node_name = node->name,
              .spec = instance_spec(cluster, *instance)};
}

Result<json::value> InstanceActivateDisks::apply(Plan const& plan, jobs::JobContext& job) {
  // An active disk does no harm, and the guest may be using it already: nothing is undone.
  TRY(job.keep());
  TRY(job.commit("Recording that its disks are active",
                 [&](store::ClusterEdit& edit) -> Result<void> {
                   auto instance = TRY(edit.get(plan.instance));
                   instance.disks_active = true;
                   edit.put(std::move(instance));
                   return {};
                 }));
  json::array answer;
  for (auto const& disk : plan.spec.disks) {
    auto const device =
        TRY(job.step(fmt::format("Activating disk {} of {}", disk.index, plan.spec.name), plan.node,
                     rpc::BlockdevAssemble{plan.spec.name, disk, plan.spec.epoch}));
    answer.push_back(json::array{json::string_view(plan.node_name),
                                 json::string(fmt::format("disk/{}", disk.index)),
                                 json::string_view(device.path)});
  }
  return answer;
}

schema::Fields InstanceActivateDisks::Plan::fields() {
  using schema::field;
  static constexpr schema::Field table[] = {
      field<&Plan::instance>("instance", "The instance."),
      field<&Plan::node>("node", "Its primary node."),
      field<&Plan::node_name>("node_name", "Its primary node's name."),
      field<&Plan::spec>("spec", "Whose disks they are."),
  };
  return table;
}

}  // namespace flotte::units
