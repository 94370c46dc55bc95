#include "units/cluster_rename.h"

#include "base/ip.h"
#include "jobs/job_context.h"
#include "store/config_store.h"
#include "units/hooks.h"
#include "units/instance_names.h"
#include "units/master_address.h"

namespace flotte::units {

Result<jobs::LockSet> ClusterRename::locks(Op const&, model::Cluster const& cluster) {
  return jobs::LockSet{jobs::exclusive(jobs::LockLevel::Cluster, "settings"),
                       jobs::shared(jobs::LockLevel::Node, cluster.settings().master_node.text())};
}

// A cluster without an address has a name that nobody needs to know.
Result<ClusterRename::Facts> ClusterRename::inspect(Op const& op, model::Cluster const& cluster,
                                                    jobs::NodeReader& nodes) {
  auto const checks = has_master_address(cluster) ? NameChecks::NameAndAddress : NameChecks::None;
  return Facts{TRY(look_up_name(op.name, checks, cluster, nodes))};
}

Result<ClusterRename::Plan> ClusterRename::plan(Op const& op, model::Cluster const& cluster,
                                                Facts const& facts) {
  auto const& settings = cluster.settings();
  Plan plan{.master = settings.master_node,
            .name = TRY(normalized_name(facts.resolved ? facts.resolved->name : op.name)),
            .ip = canonical_ip(facts.resolved ? facts.resolved->ip : settings.master_ip)};
  // An older version may have stored it in another form.
  auto const is_same_address = plan.ip == canonical_ip(settings.master_ip);
  if (plan.name == settings.cluster_name && is_same_address) {
    return fail(ErrorCode::WrongInput,
                "Neither the name nor the IP address of the cluster has changed");
  }
  if (is_same_address) return plan;
  if (facts.resolved->answers) {
    return fail(ErrorCode::ResourceNotUnique,
                "The given cluster IP address ({}) is reachable on the network", plan.ip);
  }
  plan.address_before = TRY(master_address_of(cluster, false));
  plan.address_after = *plan.address_before;
  plan.address_after->ip = plan.ip;
  plan.address_after->is_up = true;
  return plan;
}

Result<jobs::Hooks> ClusterRename::hooks(Op const&, model::Cluster const& cluster,
                                         Plan const& plan) {
  return cluster_hooks("cluster-rename", cluster,
                       {{"OP_TARGET", cluster.settings().cluster_name}, {"NEW_NAME", plan.name}});
}

// At each moment the configured address is there: who looks after it meanwhile, or after a death in
// between, brings back none that is no longer the cluster's.
Result<json::value> ClusterRename::apply(Plan const& plan, jobs::JobContext& job) {
  if (auto const& raised = plan.address_after) {
    auto back = *raised;
    back.is_up = false;
    TRY(job.step(fmt::format("Raising the cluster's address {}", raised->ip), plan.master, *raised,
                 {.undo = jobs::undo_call(plan.master, back)}));
  }
  TRY(job.commit("Renaming the cluster", [&](store::ClusterEdit& edit) -> Result<void> {
    auto settings = edit.settings();
    settings.cluster_name = plan.name;
    settings.master_ip = plan.ip;
    edit.put(std::move(settings));
    return {};
  }));
  TRY(job.keep());
  if (auto const& dropped = plan.address_before) {
    auto const gone = job.step(fmt::format("Dropping the cluster's address {}", dropped->ip),
                               plan.master, *dropped);
    if (!gone) {
      job.warn(fmt::format(
          "The old address could not be dropped: {}; do it with 'ip address del {}/{} dev {}'",
          gone.error().message, dropped->ip, dropped->netmask, dropped->netdev));
    }
  }
  return json::value(json::string_view(plan.name));
}

schema::Fields ClusterRename::Plan::fields() {
  using schema::field;
  static constexpr schema::Field table[] = {
      field<&Plan::master>("master", "UUID of the master."),
      field<&Plan::name>("name", "The new name."),
      field<&Plan::ip>("ip", "Its address; empty: none."),
      field<&Plan::address_before>("address_before", "The address to drop."),
      field<&Plan::address_after>("address_after", "The address to raise."),
  };
  return table;
}

}  // namespace flotte::units
