#include "units/node_set_params.h"

#include <algorithm>

#include "jobs/job_context.h"
#include "model/params.h"
#include "store/config_store.h"
#include "units/hooks.h"

namespace flotte::units {
namespace {

using Op = opcodes::NodeSetParams;

Result<void> check_modification(Op const& op) {
  if (!op.offline && !op.master_candidate && !op.drained && !op.master_capable && !op.vm_capable &&
      !op.ndparams && !op.powered) {
    return fail(ErrorCode::WrongInput, "Please pass at least one modification");
  }
  auto const flags = {op.offline, op.master_candidate, op.drained, op.master_capable,
                      op.vm_capable};
  auto const is_set = [](std::optional<bool> flag) { return flag.value_or(false); };
  if (std::ranges::count_if(flags, is_set) > 1) {
    return fail(ErrorCode::WrongInput,
                "Can't set the node into more than one state at the same time");
  }
  return {};
}

Result<void> check_role(Op const& op, model::Cluster const& cluster, model::Node const& node) {
  auto const changes_role = op.master_candidate || op.drained || op.offline;
  auto const is_master = node.uuid == cluster.settings().master_node;
  if (changes_role && is_master) {
    return fail(ErrorCode::WrongInput, "The master role can be changed only via master-failover");
  }
  if (op.master_capable == false && is_master) {
    return fail(ErrorCode::WrongState, "Master must remain master capable");
  }
  if (changes_role) {
    return fail(ErrorCode::WrongInput, "Changing the role of a node is not built yet");
  }
  if (op.powered) {
    return fail(ErrorCode::WrongState,
                "Unable to change power state for node {} as it does not support out-of-band "
                "handling",
                op.node_name);
  }
  return {};
}

Result<void> check_empty(model::Cluster const& cluster, model::Node const& node) {
  for (auto const& [id, instance] : cluster.instances()) {
    if (instance->primary_node != node.uuid) continue;
    return fail(ErrorCode::WrongState, "Node {} hosts instances, cannot unset the vm_capable flag",
                node.name);
  }
  return {};
}

}  // namespace

Result<jobs::LockSet> NodeSetParams::locks(Op const& op, model::Cluster const& cluster) {
  auto const node = TRY(cluster.node(std::string_view(op.node_name)));
  return jobs::LockSet{jobs::exclusive(jobs::LockLevel::Node, node->uuid.text())};
}

Result<NodeSetParams::Facts> NodeSetParams::inspect(Op const&, model::Cluster const&,
                                                    jobs::NodeReader&) {
  return Facts{};
}

Result<NodeSetParams::Plan> NodeSetParams::plan(Op const& op, model::Cluster const& cluster,
                                                Facts const&) {
  TRY(check_modification(op));
  Plan plan{.node = *TRY(cluster.node(std::string_view(op.node_name))), .told = {}};
  auto& node = plan.node;
  TRY(check_role(op, cluster, node));
  if (op.ndparams) {
    if (op.ndparams->contains("exclusive_storage")) {
      return fail(ErrorCode::WrongInput,
                  "The following node parameters are global and cannot be customized at node "
                  "level, please modify them at cluster or group level: exclusive_storage");
    }
    node.ndparams =
        model::overlay(node.ndparams, TRY(model::enforce(model::node_params(), *op.ndparams)));
  }
  for (auto const& [name, wish, flag] :
       {std::tuple{"master_capable", &op.master_capable, &node.master_capable},
        std::tuple{"vm_capable", &op.vm_capable, &node.vm_capable}}) {
    if (!*wish) continue;
    *flag = **wish;
    plan.told.push_back({json::string(name), **wish ? "True" : "False"});
  }
  if (op.vm_capable == false) TRY(check_empty(cluster, node));
  return plan;
}

Result<jobs::Hooks> NodeSetParams::hooks(Op const&, model::Cluster const& cluster,
                                         Plan const& plan) {
  auto const& node = plan.node;
  auto hooks = cluster_hooks("node-modify", cluster,
                             {{"OP_TARGET", node.name},
                              {"MASTER_CANDIDATE", hook_text(node.master_candidate)},
                              {"OFFLINE", hook_text(node.offline)},
                              {"DRAINED", hook_text(node.drained)},
                              {"MASTER_CAPABLE", hook_text(node.master_capable)},
                              {"VM_CAPABLE", hook_text(node.vm_capable)}});
  hooks.object_type = "NODE";
  if (node.uuid != cluster.settings().master_node) {
    hooks.pre_nodes.push_back(node.uuid);
    hooks.post_nodes.push_back(node.uuid);
  }
  return hooks;
}

Result<json::value> NodeSetParams::apply(Plan const& plan, jobs::JobContext& job) {
  TRY(job.commit("Changing the node", [&](store::ClusterEdit& edit) -> Result<void> {
    edit.put(plan.node);
    return {};
  }));
  json::array told;
  for (auto const& one : plan.told) told.push_back(one);
  return told;
}

schema::Fields NodeSetParams::Plan::fields() {
  static constexpr schema::Field table[] = {
      schema::field<&Plan::node>("node", "The node from now on."),
      schema::field<&Plan::told>("told", "What is told of it.")};
  return table;
}

}  // namespace flotte::units
