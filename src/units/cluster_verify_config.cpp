#include "units/cluster_verify_config.h"

#include "jobs/job_context.h"
#include "model/params.h"
#include "units/verify_report.h"

namespace flotte::units {
namespace {

void verify_parameters(model::Cluster const& cluster, VerifyReport& report) {
  auto const& settings = cluster.settings();
  for (auto const kind : settings.enabled_hypervisors) {
    auto const checked = model::enforce_hypervisor(kind, model::filled_hvparams(settings, kind));
    if (!checked) {
      report.error(
          "ECLUSTERCFG", "cluster", settings.cluster_name,
          fmt::format("hypervisor {}: {}", schema::name_of(kind), checked.error().message));
    }
  }
  for (auto const& instance : cluster.instances_by_name()) {
    auto const filled = model::filled_hvparams(settings, *instance);
    auto const checked = model::enforce_hypervisor(instance->hypervisor, filled);
    if (!checked) {
      report.error("EINSTANCEMISSINGCFGPARAMETER", "instance", instance->name,
                   checked.error().message);
    }
  }
}

void verify_references(model::Cluster const& cluster, VerifyReport& report) {
  for (auto const& node : cluster.nodes_by_name()) {
    if (!cluster.group(node->group.text())) {
      report.error("ECLUSTERDANGLINGNODES", "node", node->name, "its group does not exist");
    }
  }
  for (auto const& instance : cluster.instances_by_name()) {
    if (!cluster.node(instance->primary_node)) {
      report.error("ECLUSTERDANGLINGINST", "instance", instance->name,
                   "its primary node does not exist");
    }
  }
}

}  // namespace

Result<jobs::LockSet> ClusterVerifyConfig::locks(Op const&, model::Cluster const&) {
  return jobs::LockSet{};
}

Result<ClusterVerifyConfig::Facts> ClusterVerifyConfig::inspect(Op const&, model::Cluster const&,
                                                                jobs::NodeReader& nodes) {
  return Facts{nodes.set_aside()};
}

Result<ClusterVerifyConfig::Plan> ClusterVerifyConfig::plan(Op const& op,
                                                            model::Cluster const& cluster,
                                                            Facts const& facts) {
  VerifyReport report(op.error_codes, op.ignore_errors);
  report.heading("Verifying cluster config");
  report.heading("Verifying cluster certificate files");
  report.heading("Verifying hypervisor parameters");
  verify_parameters(cluster, report);
  report.heading("Verifying all nodes belong to an existing group");
  verify_references(cluster, report);
  if (!facts.set_aside.empty()) report.heading("Verifying the job queue");
  for (auto const& [job, why] : facts.set_aside) {
    report.error(
        "ECLUSTERJOBQUEUE", "job", std::to_string(number(job)),
        fmt::format("set aside: {}; see 'gnt-job info {}', then archive it", why, number(job)));
  }
  return Plan{.lines = report.lines(), .is_good = report.is_good()};
}

Result<json::value> ClusterVerifyConfig::apply(Plan const& plan, jobs::JobContext& job) {
  for (auto const& line : plan.lines) job.log(line);
  return plan.is_good;
}

schema::Fields ClusterVerifyConfig::Plan::fields() {
  static constexpr schema::Field table[] = {
      schema::field<&Plan::lines>("lines", "What is told."),
      schema::field<&Plan::is_good>("is_good", "Whether nothing was found."),
  };
  return table;
}

}  // namespace flotte::units
