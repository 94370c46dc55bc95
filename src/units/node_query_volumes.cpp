#include "units/node_query_volumes.h"

#include <algorithm>
#include <map>

#include "base/lookup.h"
#include "jobs/job_context.h"
#include "model/disk_templates.h"

namespace flotte::units {
namespace {

// "vg/name" of every configured volume, to its instance.
std::map<std::string, std::string> owners(model::Cluster const& cluster) {
  std::map<std::string, std::string> found;
  for (auto const& [id, instance] : cluster.instances()) {
    for (auto const& disk : instance->disks) {
      if (model::is_volume(disk.dev_type) && disk.logical_id.size() == 2) {
        found[fmt::format("{}/{}", disk.logical_id[0], disk.logical_id[1])] = instance->name;
      }
    }
  }
  return found;
}

json::value cell(std::string_view field, rpc::Volume const& volume, std::string const& node,
                 std::string const& instance) {
  auto const text = [](std::string const& value) { return json::value(json::string_view(value)); };
  if (field == "node") return text(node);
  if (field == "phys") return text(volume.phys);
  if (field == "vg") return text(volume.vg);
  if (field == "name") return text(volume.name);
  if (field == "size") return volume.size.value;
  return text(instance);
}

}  // namespace

Result<jobs::LockSet> NodeQueryVolumes::locks(Op const&, model::Cluster const&) {
  return jobs::LockSet{jobs::all_shared(jobs::LockLevel::Node)};
}

Result<NodeQueryVolumes::Facts> NodeQueryVolumes::inspect(Op const& op,
                                                          model::Cluster const& cluster,
                                                          jobs::NodeReader& nodes) {
  for (auto const& field : op.output_fields) {
    constexpr std::string_view known[] = {"phys", "vg", "name", "size", "node", "instance"};
    if (std::ranges::find(known, field) == std::end(known)) {
      return fail(ErrorCode::WrongInput, "Unknown output fields selected: {}", field);
    }
  }
  std::vector<model::NodePtr> wanted;
  for (auto const& name : op.nodes) wanted.push_back(TRY(cluster.node(name)));
  if (op.nodes.empty()) wanted = cluster.nodes_by_name();
  Facts facts;
  auto const instances = owners(cluster);
  std::erase_if(wanted, [](model::NodePtr const& node) { return node->offline; });
  auto answers = TRY(nodes.ask_all(wanted, rpc::NodeVolumes{}));
  for (auto const& node : wanted) {
    auto& answer = known_at(answers, node->uuid);
    if (!answer) {
      facts.warnings.push_back(fmt::format("Can't compute volume data on node {}: {}", node->name,
                                           answer.error().message));
      continue;
    }
    auto& volumes = answer->volumes;
    std::ranges::sort(volumes, {}, &rpc::Volume::phys);
    for (auto const& volume : volumes) {
      if (volume.is_hidden) continue;
      auto const owner = instances.find(fmt::format("{}/{}", volume.vg, volume.name));
      json::array row;
      for (auto const& field : op.output_fields) {
        row.push_back(
            cell(field, volume, node->name, owner == instances.end() ? "-" : owner->second));
      }
      facts.answer.push_back(std::move(row));
    }
  }
  return facts;
}

Result<NodeQueryVolumes::Plan> NodeQueryVolumes::plan(Op const&, model::Cluster const&,
                                                      Facts const& facts) {
  return facts;
}

Result<json::value> NodeQueryVolumes::apply(Plan const& plan, jobs::JobContext& job) {
  return tell(plan, job);
}

}  // namespace flotte::units
