#include "units/backup_remove.h"

#include <algorithm>

#include "jobs/job_context.h"
#include "units/instance_names.h"

namespace flotte::units {
namespace {

// One may be the export of an instance that is gone.
Result<std::string> name_of(opcodes::BackupRemove const& op, model::Cluster const& cluster) {
  if (auto const instance = cluster.instance(op.instance_name)) return (*instance)->name;
  return normalized_name(op.instance_name);
}

}  // namespace

Result<jobs::LockSet> BackupRemove::locks(Op const& op, model::Cluster const& cluster) {
  return jobs::LockSet{jobs::exclusive(jobs::LockLevel::Instance, TRY(name_of(op, cluster))),
                       jobs::all_shared(jobs::LockLevel::Node)};
}

Result<BackupRemove::Facts> BackupRemove::inspect(Op const& op, model::Cluster const& cluster,
                                                  jobs::NodeReader& nodes) {
  auto const name = TRY(name_of(op, cluster));
  Facts facts;
  for (auto const& [id, answer] : TRY(nodes.ask_all(cluster.online_nodes(), rpc::ExportList{}))) {
    if (!answer) {
      facts.warnings.push_back(fmt::format("Failed to query node {} (continuing): {}",
                                           TRY(cluster.node(id))->name, answer.error().message));
      continue;
    }
    auto const& names = answer->names;
    if (std::ranges::find(names, name) != names.end()) facts.nodes.push_back(id);
  }
  return facts;
}

Result<BackupRemove::Plan> BackupRemove::plan(Op const& op, model::Cluster const& cluster,
                                              Facts const& facts) {
  return Plan{.name = TRY(name_of(op, cluster)), .nodes = facts.nodes, .warnings = facts.warnings};
}

Result<boost::json::value> BackupRemove::apply(Plan const& plan, jobs::JobContext& job) {
  for (auto const& warning : plan.warnings) job.warn(warning);
  if (plan.nodes.empty()) {
    job.log(
        "Export not found. If trying to remove an export belonging to a deleted instance please "
        "use its Fully Qualified Domain Name.");
    return nullptr;
  }
  // What of one is gone can't be brought back.
  TRY(job.keep());
  for (auto const& node : plan.nodes) {
    TRY(job.step(fmt::format("Removing the export of {}", plan.name), node,
                 rpc::ExportRemove{plan.name, plan.name}));
  }
  return nullptr;
}

schema::Fields BackupRemove::Plan::fields() {
  using schema::field;
  static constexpr schema::Field table[] = {
      field<&Plan::name>("name", "Of the export."),
      field<&Plan::nodes>("nodes", "That have one."),
      field<&Plan::warnings>("warnings", "What is warned of before."),
  };
  return table;
}

}  // namespace flotte::units
