#include "units/group_verify_disks.h"

#include <algorithm>

#include "jobs/job_context.h"
#include "model/disk_templates.h"
#include "units/disk_survey.h"

namespace flotte::units {
namespace {

std::string id_of(model::Disk const& disk) {
  if (model::is_volume(disk.dev_type)) {
    return fmt::format("/dev/{}", fmt::join(disk.logical_id, "/"));
  }
  return disk.logical_id.empty() ? std::string() : disk.logical_id.back();
}

}  // namespace

Result<jobs::LockSet> GroupVerifyDisks::locks(Op const& op, model::Cluster const& cluster) {
  auto const group = TRY(cluster.group(op.group_name));
  return jobs::LockSet{jobs::all_shared(jobs::LockLevel::Instance),
                       jobs::shared(jobs::LockLevel::NodeGroup, group->uuid.text()),
                       jobs::all_shared(jobs::LockLevel::Node)};
}

Result<GroupVerifyDisks::Facts> GroupVerifyDisks::inspect(Op const& op,
                                                          model::Cluster const& cluster,
                                                          jobs::NodeReader& nodes) {
  auto const group = TRY(cluster.group(op.group_name));
  json::object bad_nodes;
  json::array inactive;
  json::object missing;
  std::vector<model::InstancePtr> wanted;
  for (auto const& instance : cluster.instances_by_name()) {
    auto const node = TRY(cluster.node(instance->primary_node));
    if (node->group == group->uuid && instance->admin_state == model::AdminState::Up) {
      wanted.push_back(instance);
    }
  }
  auto const survey = survey_disks(cluster, wanted, nodes);
  for (auto const& instance : wanted) {
    auto const answer = survey.find(instance->uuid);
    if (answer == survey.end()) continue;
    auto const& found = answer->second;
    auto const node = TRY(cluster.node(instance->primary_node));
    if (!found) {
      bad_nodes[node->name] = found.error().message;
      continue;
    }
    json::array gone;
    bool is_active = true;
    for (std::size_t i = 0; i < found->devices.size() && i < instance->disks.size(); ++i) {
      auto const& device = found->devices[i];
      if (!device) {
        gone.push_back(json::array{json::string_view(node->name),
                                   json::string_view(id_of(instance->disks[i]))});
      } else if (!device->is_active) {
        is_active = false;
      }
    }
    if (!gone.empty()) {
      missing[instance->name] = std::move(gone);
    } else if (!is_active) {
      inactive.push_back(json::string_view(instance->name));
    }
  }
  return Facts{json::array{std::move(bad_nodes), std::move(inactive), std::move(missing)}};
}

Result<GroupVerifyDisks::Plan> GroupVerifyDisks::plan(Op const&, model::Cluster const&,
                                                      Facts const& facts) {
  return facts;
}

Result<json::value> GroupVerifyDisks::apply(Plan const& plan, jobs::JobContext&) {
  return plan.answer;
}

schema::Fields GroupVerifyDisks::Plan::fields() {
  static constexpr schema::Field table[] = {
      schema::field<&Plan::answer>("answer", "What is answered.")};
  return table;
}

}  // namespace flotte::units
