#include "units/cluster_repair_disk_sizes.h"

#include <algorithm>
#include <map>

#include "jobs/job_context.h"
#include "store/config_store.h"
#include "units/disk_survey.h"

namespace flotte::units {
namespace {

Result<std::vector<model::InstancePtr>> wanted(opcodes::ClusterRepairDiskSizes const& op,
                                               model::Cluster const& cluster) {
  if (op.instances.empty()) return cluster.instances_by_name();
  std::map<std::string, model::InstancePtr> instances;  // also where one is named twice
  for (auto const& name : op.instances) {
    auto instance = TRY(cluster.instance(name));
    instances.emplace(instance->name, instance);
  }
  std::vector<model::InstancePtr> list;
  for (auto const& [name, instance] : instances) list.push_back(instance);
  return list;
}

}  // namespace

Result<jobs::LockSet> ClusterRepairDiskSizes::locks(Op const& op, model::Cluster const& cluster) {
  jobs::LockSet locks{jobs::all_shared(jobs::LockLevel::NodeRes)};
  for (auto const& instance : TRY(wanted(op, cluster))) {
    locks.push_back(jobs::exclusive(jobs::LockLevel::Instance, instance->name));
  }
  return locks;
}

Result<ClusterRepairDiskSizes::Facts> ClusterRepairDiskSizes::inspect(Op const& op,
                                                                      model::Cluster const& cluster,
                                                                      jobs::NodeReader& nodes) {
  Facts facts;
  auto const instances = TRY(wanted(op, cluster));
  auto const survey = survey_disks(cluster, instances, nodes);
  Result<rpc::BlockdevFound> const offline = fail(ErrorCode::EnvironmentError, "it is offline");
  for (auto const& instance : instances) {
    if (instance->disks.empty()) continue;
    auto const node = TRY(cluster.node(instance->primary_node));
    auto const answer = survey.find(instance->uuid);
    auto const& found = answer == survey.end() ? offline : answer->second;
    if (!found) {
      facts.warnings.push_back(
          fmt::format("Failure in blockdev_getdimensions call to node {}, ignoring: {}", node->name,
                      found.error().message));
      continue;
    }
    for (std::size_t i = 0; i < found->devices.size() && i < instance->disks.size(); ++i) {
      auto const& disk = instance->disks[i];
      auto const& device = found->devices[i];
      if (!device || device->size.value == 0) {
        facts.warnings.push_back(fmt::format(
            "Disk {} of instance {} did not return size information, ignoring", i, instance->name));
      } else if (device->size != disk.size) {
        facts.corrections.push_back({.instance = instance->uuid,
                                     .disk = disk.uuid,
                                     .name = instance->name,
                                     .index = static_cast<std::int64_t>(i),
                                     .recorded = disk.size,
                                     .actual = device->size});
      }
    }
  }
  return facts;
}

Result<ClusterRepairDiskSizes::Plan> ClusterRepairDiskSizes::plan(Op const&, model::Cluster const&,
                                                                  Facts const& facts) {
  return facts;
}

Result<json::value> ClusterRepairDiskSizes::apply(Plan const& plan, jobs::JobContext& job) {
  for (auto const& warning : plan.warnings) job.warn(warning);
  json::array changed;
  for (auto const& one : plan.corrections) {
    job.info(fmt::format(
        "Disk {} of instance {} has mismatched size, correcting: recorded {}, actual {}", one.index,
        one.name, one.recorded.value, one.actual.value));
    TRY(job.commit(fmt::format("Recording the size of disk {} of {}", one.index, one.name),
                   [&](store::ClusterEdit& edit) -> Result<void> {
                     auto instance = TRY(edit.get(one.instance));
                     auto const disk =
                         std::ranges::find(instance.disks, one.disk, &model::Disk::uuid);
                     if (disk == instance.disks.end()) return {};
                     disk->size = one.actual;
                     edit.put(std::move(instance));
                     return {};
                   }));
    changed.push_back(
        json::array{json::string_view(one.name), one.index, "size", one.actual.value});
  }
  return changed;
}

schema::Fields ClusterRepairDiskSizes::Correction::fields() {
  using schema::field;
  static constexpr schema::Field table[] = {
      field<&Correction::instance>("instance", "The instance."),
      field<&Correction::disk>("disk", "The disk."),
      field<&Correction::name>("name", "The instance's name."),
      field<&Correction::index>("index", "Which of its disks."),
      field<&Correction::recorded>("recorded", "MiB in the configuration."),
      field<&Correction::actual>("actual", "MiB on the node."),
  };
  return table;
}

schema::Fields ClusterRepairDiskSizes::Plan::fields() {
  using schema::field;
  static constexpr schema::Field table[] = {
      field<&Plan::corrections>("corrections", "Sizes to record."),
      field<&Plan::warnings>("warnings", "What could not be seen."),
  };
  return table;
}

}  // namespace flotte::units
