#include "units/instance_recreate_disks.h"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <filesystem>
#include <map>
#include <set>

#include "jobs/job_context.h"
#include "model/disk_templates.h"
#include "store/config_store.h"
#include "units/hooks.h"
#include "units/instance_steps.h"

namespace flotte::units {
namespace {

using Wishes = std::map<std::int64_t, json::object>;  // by index

// [index, ...] or [[index, {parameters}], ...]; empty: all as they were.
Result<Wishes> wishes_in(json::array const& given, model::Instance const& instance) {
  Wishes wishes;
  std::set<std::int64_t> twice;
  for (auto const& one : given) {
    auto const* pair = one.if_array();
    auto const is_whole =
        pair && pair->size() == 2 && (*pair)[0].is_int64() && (*pair)[1].is_object();
    if (!is_whole && !one.is_int64()) {
      return fail(ErrorCode::WrongInput, "A disk is an index or [index, {{parameters}}], not {}",
                  json::serialize(one));
    }
    auto const index = is_whole ? (*pair)[0].get_int64() : one.get_int64();
    auto const is_new =
        wishes.emplace(index, is_whole ? (*pair)[1].get_object() : json::object()).second;
    if (!is_new) twice.insert(index);
  }
  if (!twice.empty()) {
    return fail(ErrorCode::WrongInput, "Some disks have been specified more than once: {}",
                fmt::join(twice, ", "));
  }
  for (std::size_t i = 0; given.empty() && i < instance.disks.size(); ++i) {
    wishes[static_cast<std::int64_t>(i)];
  }
  return wishes;
}

Result<std::int64_t> number_in(json::value const& value, std::int64_t index, std::string_view key) {
  if (value.is_int64() && value.get_int64() > 0) return value.get_int64();
  if (value.is_string() && key == "size") {
    return TRY(parse_size(std::string_view(value.get_string()))).value;
  }
  return fail(ErrorCode::WrongInput, "Invalid {} {} for disk {}", key, json::serialize(value),
              index);
}

Result<void> change(model::Disk& disk, std::int64_t index, json::object const& wish) {
  static std::set<std::string_view> const modifyable{"size", "mode", "spindles"};
  std::vector<std::string> unknown;
  for (auto const& [key, value] : wish) {
    if (!modifyable.contains(std::string_view(key))) unknown.emplace_back(std::string_view(key));
  }
  if (!unknown.empty()) {
    auto const is_known = unknown.front() == "name" || unknown.front() == "vg" ||
                          unknown.front() == "metavg" || unknown.front() == "adopt";
    if (!is_known) {
      return fail_as(ErrorClass::Parameter, ErrorCode::WrongInput, "Unknown parameter '{}'",
                     unknown.front());
    }
    return fail(ErrorCode::WrongInput,
                "Parameters for disk {} try to change unmodifyable parameter(s): {}", index,
                fmt::join(unknown, ", "));
  }
  if (auto const* size = wish.if_contains("size")) {
    disk.size = MiB{TRY(number_in(*size, index, "size"))};
  }
  if (auto const* spindles = wish.if_contains("spindles")) {
    disk.spindles = TRY(number_in(*spindles, index, "spindles"));
  }
  if (auto const* mode = wish.if_contains("mode")) {
    auto const text = mode->is_string() ? std::string(std::string_view(mode->get_string())) : "";
    auto const known = schema::enum_from<model::DiskMode>(text);
    if (!known) {
      return fail(ErrorCode::WrongInput, "Invalid disk access mode '{}' of disk {}: rw or ro", text,
                  index);
    }
    disk.mode = *known;
  }
  return {};
}

// Only the node that it has.
Result<void> check_nodes(opcodes::InstanceRecreateDisks const& op, model::Cluster const& cluster,
                         model::Instance const& instance, Wishes const& wishes) {
  if (op.iallocator) {
    return fail(ErrorCode::WrongInput, "Letting an allocator choose a node is not built yet");
  }
  for (auto const& uuid : op.node_uuids.value_or(std::vector<std::string>())) {
    if (uuid == instance.primary_node.text()) continue;
    return fail(ErrorCode::WrongInput,
                "Making the disks of {} on another node (UUID {}) is not built yet; leave out "
                "node_uuids",
                instance.name, uuid);
  }
  if (op.nodes.empty()) return {};
  if (op.nodes.size() != 1) {
    return fail(ErrorCode::WrongInput,
                "Instance {} currently has 1 nodes, but {} replacement nodes were specified",
                instance.name, op.nodes.size());
  }
  auto const node = TRY(cluster.node(op.nodes.front()));
  if (wishes.size() != instance.disks.size()) {
    return fail(ErrorCode::WrongInput,
                "Can't recreate disks partially and change the nodes at the same time");
  }
  if (node->uuid == instance.primary_node) return {};
  return fail(ErrorCode::WrongInput,
              "Making the disks of {} on another node ({}) is not built yet; leave out -n",
              instance.name, node->name);
}

// What is where the disk should be, whoever's it is.
class Places {
 public:
  Places(model::Node const& node, jobs::NodeReader& nodes) : node_(node), nodes_(nodes) {}

  Result<std::string> what_is_at(model::Disk const& disk) {
    if (!model::is_volume(disk.dev_type)) return file(disk.logical_id.back());
    if (!volumes_) volumes_ = TRY(nodes_.ask(node_, rpc::NodeVolumes{}));
    for (auto const& volume : volumes_->volumes) {
      if (std::vector{volume.vg, volume.name} == disk.logical_id) {
        auto const& what = volume.fault.empty() ? volume.hindrance : volume.fault;
        return fmt::format("volume {}/{}{}{}", volume.vg, volume.name,
                           what.empty() ? "" : ", which ", what);
      }
    }
    return std::string();
  }

 private:
  Result<std::string> file(std::string const& path) {
    auto const directory = std::filesystem::path(path).parent_path().string();
    if (!files_.contains(directory)) {
      files_[directory] = TRY(nodes_.ask(node_, rpc::FileStorageList{directory}));
    }
    auto const& list = files_[directory].files;
    auto const is_there = std::ranges::find(list, path, &rpc::DiskFile::path) != list.end();
    return is_there ? "file " + path : std::string();
  }

  model::Node const& node_;
  jobs::NodeReader& nodes_;
  std::optional<rpc::VolumeList> volumes_;
  std::map<std::string, rpc::DiskFileList> files_;
};

}  // namespace

Result<jobs::LockSet> InstanceRecreateDisks::locks(Op const& op, model::Cluster const& cluster) {
  auto const instance = TRY(cluster.instance(op.instance_name));
  return jobs::LockSet{jobs::exclusive(jobs::LockLevel::Instance, instance->name),
                       jobs::shared(jobs::LockLevel::Node, instance->primary_node.text()),
                       jobs::shared(jobs::LockLevel::NodeRes, instance->primary_node.text())};
}

Result<InstanceRecreateDisks::Facts> InstanceRecreateDisks::inspect(Op const& op,
                                                                    model::Cluster const& cluster,
                                                                    jobs::NodeReader& nodes) {
  auto const instance = TRY(cluster.instance(op.instance_name));
  auto const node = TRY(online_primary(cluster, *instance));
  Facts facts;
  facts.is_running = TRY(find_running(cluster, *instance, nodes)).has_value();
  facts.node = TRY(nodes.ask(*node, rpc::NodeInfo{cluster.settings().file_storage_dir}));
  Places places(*node, nodes);
  for (auto const& disk : instance->disks) facts.there.push_back(TRY(places.what_is_at(disk)));
  return facts;
}

Result<InstanceRecreateDisks::Plan> InstanceRecreateDisks::plan(Op const& op,
                                                                model::Cluster const& cluster,
                                                                Facts const& facts) {
  auto const before = TRY(cluster.instance(op.instance_name));
  auto instance = *before;
  if (instance.disks.empty()) {
    return fail(ErrorCode::WrongInput, "Instance '{}' has no disks", instance.name);
  }
  TRY(check_not_running(instance, facts.is_running, "cannot recreate disks"));
  auto const wishes = TRY(wishes_in(op.disks, instance));
  for (auto const& [index, wish] : wishes) {
    if (index < 0 || index >= static_cast<std::int64_t>(instance.disks.size())) {
      return fail(ErrorCode::WrongInput, "Invalid disk index '{}': {} has disks 0 to {}", index,
                  instance.name, instance.disks.size() - 1);
    }
    TRY(change(instance.disks[static_cast<std::size_t>(index)], index, wish));
  }
  TRY(check_nodes(op, cluster, instance, wishes));
  Plan plan{.instance = instance.uuid,
            .name = instance.name,
            .node = instance.primary_node,
            .wipes = cluster.settings().prealloc_wipe_disks};
  for (auto const& [index, wish] : wishes) {
    auto const at = static_cast<std::size_t>(index);
    // What is on it would be lost.
    if (at < facts.there.size() && !facts.there[at].empty()) {
      return fail(ErrorCode::WrongState,
                  "Disk {} of {} is not missing: there is the {}; only missing disks are made "
                  "anew, name them with --disk=N",
                  index, instance.name, facts.there[at]);
    }
    plan.disks.push_back(disk_spec(cluster, instance, at));
    plan.changes = plan.changes || !wish.empty();
  }
  if (facts.node) {
    TRY(check_volume_space(plan.disks, *TRY(cluster.node(instance.primary_node)), *facts.node));
  }
  return plan;
}

Result<jobs::Hooks> InstanceRecreateDisks::hooks(Op const& /*op*/, model::Cluster const& cluster,
                                                 Plan const& plan) {
  return instance_hooks("instance-recreate-disks", cluster, plan.instance);
}

Result<json::value> InstanceRecreateDisks::apply(Plan const& plan, jobs::JobContext& job) {
  for (auto const& disk : plan.disks) {
    TRY(create_disk(job, plan.node, plan.name, disk, plan.wipes));
  }
  for (auto const& disk : plan.disks) {
    if (plan.wipes) TRY(wipe_disk(job, plan.node, plan.name, disk));
  }
  if (!plan.changes) return nullptr;
  TRY(job.commit("Recording what changed", [&](store::ClusterEdit& edit) -> Result<void> {
    auto instance = TRY(edit.get(plan.instance));
    for (auto const& made : plan.disks) {
      instance.disks[static_cast<std::size_t>(made.index)] = made.disk;
    }
    edit.put(std::move(instance));
    return {};
  }));
  return nullptr;
}

schema::Fields InstanceRecreateDisks::Plan::fields() {
  using schema::field;
  static constexpr schema::Field table[] = {
      field<&Plan::instance>("instance", "The instance."),
      field<&Plan::name>("name", "Its name."),
      field<&Plan::node>("node", "Its primary node."),
      field<&Plan::disks>("disks", "Disks that are made."),
      field<&Plan::changes>("changes", "Whether they differ from what was."),
      field<&Plan::wipes>("wipes", "Whether they are overwritten first."),
  };
  return table;
}

}  // namespace flotte::units
