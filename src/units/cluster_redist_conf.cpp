#include "units/cluster_redist_conf.h"

#include "jobs/job_context.h"

namespace flotte::units {

Result<jobs::LockSet> ClusterRedistConf::locks(Op const&, model::Cluster const&) {
  return jobs::LockSet{};
}

Result<ClusterRedistConf::Facts> ClusterRedistConf::inspect(Op const&, model::Cluster const&,
                                                            jobs::NodeReader&) {
  return Facts{};
}

Result<ClusterRedistConf::Plan> ClusterRedistConf::plan(Op const&, model::Cluster const&,
                                                        Facts const&) {
  return Plan{};
}

Result<json::value> ClusterRedistConf::apply(Plan const&, jobs::JobContext& job) {
  for (auto const& fault : job.rewrite_ssconf()) job.warn(fault);
  return nullptr;
}

}  // namespace flotte::units
