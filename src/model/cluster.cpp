#include "model/cluster.h"

#include <algorithm>

#include "base/text.h"

namespace flotte::model {
namespace {

// Host names are the same in either case.
bool begins_with(std::string_view name, std::string_view beginning) {
  return name.size() >= beginning.size() &&
         std::ranges::equal(name.substr(0, beginning.size()), beginning, {}, lower, lower);
}

bool is_same(std::string_view a, std::string_view b) {
  return a.size() == b.size() && begins_with(a, b);
}

// A short name stands for the one full name that continues it with a dot.
bool is_short_for(std::string_view short_name, std::string_view full_name) {
  return full_name.size() > short_name.size() && full_name[short_name.size()] == '.' &&
         begins_with(full_name, short_name);
}

template <class Map>
auto find_object(Map const& objects, std::string_view wanted, std::string_view kind)
    -> Result<typename Map::mapped_type> {
  typename Map::mapped_type found;
  for (auto const& [id, object] : objects) {
    if (is_same(object->name, wanted) || id.text() == wanted) return object;
    if (is_short_for(wanted, object->name)) {
      if (found) {
        return fail(ErrorCode::WrongInput, "{} name '{}' is ambiguous: {} and {} both match", kind,
                    wanted, found->name, object->name);
      }
      found = object;
    }
  }
  if (!found) return fail(ErrorCode::UnknownEntity, "{} '{}' not known", kind, wanted);
  return found;
}

template <class Map>
auto by_name(Map const& objects) {
  std::vector<typename Map::mapped_type> list;
  list.reserve(objects.size());
  for (auto const& [id, object] : objects) list.push_back(object);
  std::ranges::sort(list, {}, [](auto const& object) -> auto const& { return object->name; });
  return list;
}

}  // namespace

Result<InstancePtr> Cluster::instance(std::string_view name_or_uuid) const {
  auto const exact = instance_names_->find(name_or_uuid);
  if (exact != instance_names_->end()) return instances_.at(exact->second);
  return find_object(instances_, name_or_uuid, "Instance");
}

Result<NodePtr> Cluster::node(std::string_view name_or_uuid) const {
  return find_object(nodes_, name_or_uuid, "Node");
}

// Groups have no short names.
Result<GroupPtr> Cluster::group(std::string_view name_or_uuid) const {
  for (auto const& [id, group] : groups_) {
    if (group->name == name_or_uuid || id.text() == name_or_uuid) return group;
  }
  return fail(ErrorCode::UnknownEntity, "Node group '{}' not found", name_or_uuid);
}

GroupPtr Cluster::group_of(NodeId const& node) const {
  auto const known = nodes_.find(node);
  auto const group = known == nodes_.end() ? groups_.end() : groups_.find(known->second->group);
  return group == groups_.end() ? nullptr : group->second;
}

std::vector<InstancePtr> Cluster::instances_by_name() const {
  return by_name(instances_);
}
std::vector<NodePtr> Cluster::nodes_by_name() const {
  return by_name(nodes_);
}

std::vector<GroupPtr> Cluster::groups_by_name() const {
  return by_name(groups_);
}

void Cluster::put(Node node) {
  auto id = node.uuid;
  nodes_[std::move(id)] = std::make_shared<Node const>(std::move(node));
}

void Cluster::put(Group group) {
  auto id = group.uuid;
  groups_[std::move(id)] = std::make_shared<Group const>(std::move(group));
}

void Cluster::put(Instance instance) {
  auto const old = instances_.find(instance.uuid);
  if (old == instances_.end() || old->second->name != instance.name) {
    auto names = *instance_names_;
    if (old != instances_.end()) names.erase(old->second->name);
    names[instance.name] = instance.uuid;
    instance_names_ =
        std::make_shared<std::map<std::string, InstanceId, std::less<>> const>(std::move(names));
  }
  auto id = instance.uuid;
  instances_[std::move(id)] = std::make_shared<Instance const>(std::move(instance));
}

void Cluster::put(DetachedDisk disk) {
  auto id = disk.disk.uuid;
  detached_disks_[std::move(id)] = std::make_shared<DetachedDisk const>(std::move(disk));
}

void Cluster::remove(InstanceId const& id) {
  auto const old = instances_.find(id);
  if (old == instances_.end()) return;
  auto names = *instance_names_;
  names.erase(old->second->name);
  instance_names_ =
      std::make_shared<std::map<std::string, InstanceId, std::less<>> const>(std::move(names));
  instances_.erase(old);
}

void Cluster::remove(NodeId const& id) {
  nodes_.erase(id);
}
void Cluster::remove(GroupId const& id) {
  groups_.erase(id);
}
void Cluster::remove(DiskId const& id) {
  detached_disks_.erase(id);
}

}  // namespace flotte::model
