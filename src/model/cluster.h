// The configuration of a cluster as one immutable value. A copy costs nothing and a change little,
// however many machines there are: copies share what they have in common.
//
// A Cluster is handed out by ConfigStore and never changes; use from any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/kinds.h"

namespace flotte::model {

// What `gnt-cluster init` decides and `gnt-cluster modify` changes.
struct Settings {
  ClusterId uuid;
  std::string cluster_name;
  std::string master_ip;
  std::string master_netdev;
  std::int64_t master_netmask = 32;
  NodeId master_node;
  std::string mac_prefix = "aa:00:00";
  std::string volume_group_name;  // empty: no LVM
  std::vector<std::string> reserved_lvs;
  std::string file_storage_dir;
  std::string shared_file_storage_dir;
  std::string gluster_storage_dir = "/var/run/ganeti/gluster";
  std::vector<HypervisorKind> enabled_hypervisors;  // the first is the default
  std::vector<DiskTemplate> enabled_disk_templates;
  // Only what differs from the built-in defaults of model/params.h.
  schema::json::object hvparams;  // by hypervisor
  schema::json::object os_hvp;    // by OS, then by hypervisor
  schema::json::object beparams;
  schema::json::object nicparams;
  schema::json::object ndparams;
  schema::json::object osparams;    // by OS
  schema::json::object diskparams;  // by template
  schema::json::object ipolicy;     // full: {"minmax": [...], "std": ..., ...}
  std::int64_t candidate_pool_size = 10;
  std::int64_t max_running_jobs = 20;
  std::int64_t max_tracked_jobs = 25;
  std::string default_iallocator = "hail";
  std::int64_t primary_ip_version = 4;
  bool prealloc_wipe_disks = false;
  bool maintain_node_health = false;
  bool enabled_user_shutdown = false;
  bool modify_ssh_setup = true;
  bool use_external_mip_script = false;
  std::string install_image;
  std::string zeroing_image;
  std::string drbd_usermode_helper;
  std::string instance_communication_network;
  std::vector<std::string> compression_tools = {"gzip", "gzip-fast", "gzip-slow"};
  std::vector<std::string> hidden_os;
  std::vector<std::string> blacklisted_os;
  std::vector<std::string> tags;
  std::string ssh_key_type = "rsa";
  std::int64_t ssh_key_bits = 2048;
  std::int64_t serial_no = 1;
  double ctime = 0;
  double mtime = 0;

  static schema::Fields fields();
};

// What may be named to compress disks on their way to other nodes and clusters.
Result<void> check_compression_tools(std::vector<std::string> const& tools);

using InstancePtr = Ptr<Instance>;
using NodePtr = Ptr<Node>;
using GroupPtr = Ptr<Group>;
using DetachedDiskPtr = Ptr<DetachedDisk>;
using NetworkPtr = Ptr<Network>;

class Cluster {
 public:
  Settings const& settings() const { return *settings_; }
  // All of a kind, by UUID.
  template <class T>
  Objects<T> const& all() const {
    return objects_.of<T>();
  }
  Objects<Node> const& nodes() const { return all<Node>(); }
  Objects<Group> const& groups() const { return all<Group>(); }
  Objects<Instance> const& instances() const { return all<Instance>(); }
  Objects<DetachedDisk> const& detached_disks() const { return all<DetachedDisk>(); }
  Objects<Network> const& networks() const { return all<Network>(); }

  // Null: there is none.
  template <class Id>
  Ptr<ObjectOf<Id>> find(Id const& id) const {
    auto const found = all<ObjectOf<Id>>().find(id);
    return found == all<ObjectOf<Id>>().end() ? nullptr : found->second;
  }

  // By full name, by unambiguous short name ("web1" for "web1.example.com") or by UUID.
  // Fails with UnknownEntity: "Instance 'x' not known".
  Result<InstancePtr> instance(std::string_view name_or_uuid) const;
  Result<InstancePtr> instance(InstanceId const& id) const;
  Result<NodePtr> node(std::string_view name_or_uuid) const;
  Result<NodePtr> node(NodeId const& id) const;
  Result<GroupPtr> group(std::string_view name_or_uuid) const;
  Result<NetworkPtr> network(std::string_view name_or_uuid) const;
  // All instances in the order of their names, as lists show them.
  std::vector<InstancePtr> instances_by_name() const;
  std::vector<NodePtr> nodes_by_name() const;
  // Those that may be asked anything, in the same order.
  std::vector<NodePtr> online_nodes() const;
  std::vector<GroupPtr> groups_by_name() const;
  // The group of a node; null where there is none.
  GroupPtr group_of(NodeId const& node) const;

  // Who else has what only one instance may have; null: nobody.
  InstancePtr other_with_name(std::string_view name, InstanceId const& than) const;
  InstancePtr other_with_mac(std::string_view mac, InstanceId const& than) const;
  InstancePtr other_with_port(std::int64_t port, InstanceId const& than) const;
  InstancePtr other_with_address(NetworkId const& network, std::string_view address,
                                 InstanceId const& than) const;
  // Those that NICs have in the network.
  std::vector<std::string> addresses_in(NetworkId const& network) const;
  // The lowest of them that no instance has and that isn't taken otherwise.
  std::optional<std::int64_t> free_port(std::int64_t first, std::int64_t last,
                                        std::function<bool(std::int64_t)> const& is_taken) const;

  // Only ConfigStore and tests build clusters.
  void put(Settings settings) { settings_ = std::make_shared<Settings const>(std::move(settings)); }
  template <class T>
  void put(T object) {
    auto id = Kind<T>::id(object);
    enter(find(id).get(), static_cast<T const*>(&object));
    objects_.of<T>().insert_or_assign(std::move(id), std::make_shared<T const>(std::move(object)));
  }
  template <class Id>
  void remove(Id const& id) {
    ObjectOf<Id> const* const nothing = nullptr;
    enter(find(id).get(), nothing);
    objects_.of<ObjectOf<Id>>().erase(id);
  }

 private:
  // Who has a thing; more than one only where a configuration was damaged.
  template <class Key>
  using Holders = SharedMap<Key, std::vector<InstanceId>>;

  // Keeps the indexes: what was, and what is from now on; null: nothing.
  template <class T>
  void enter(T const*, T const*) {}
  void enter(Instance const* before, Instance const* after);
  void add_to_indexes(Instance const& instance);
  void take_from_indexes(Instance const& instance);
  template <class Key, class Wanted>
  InstancePtr other_in(Holders<Key> const& holders, Wanted const& key,
                       InstanceId const& than) const;
  Result<InstancePtr> instance_by_short_name(std::string_view name) const;

  std::shared_ptr<Settings const> settings_ = std::make_shared<Settings const>();
  EachKind<Objects> objects_;
  Holders<std::string> names_;  // of instances, in lower case
  Holders<std::string> macs_;   // in lower case
  Holders<std::int64_t> ports_;
  Holders<std::pair<NetworkId, std::string>> addresses_;  // of NICs in networks
};

}  // namespace flotte::model
