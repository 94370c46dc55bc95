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

#include "base/shared_map.h"
#include "model/instance.h"
#include "model/types.h"

namespace flotte::model {

struct Node {
  NodeId uuid;
  std::string name;
  GroupId group;
  std::string primary_ip;
  std::string secondary_ip;
  std::int64_t port = 1811;  // of its node daemon
  bool master_candidate = true;
  bool offline = false;
  bool drained = false;
  bool master_capable = true;
  bool vm_capable = true;
  bool powered = true;
  schema::json::object ndparams;
  std::vector<std::string> tags;
  std::int64_t serial_no = 1;
  double ctime = 0;
  double mtime = 0;

  static schema::Fields fields();
};

struct Group {
  GroupId uuid;
  std::string name;
  std::string alloc_policy = "preferred";
  schema::json::object ndparams;
  schema::json::object diskparams;
  schema::json::object ipolicy;
  std::vector<std::string> tags;
  std::int64_t serial_no = 1;
  double ctime = 0;
  double mtime = 0;

  static schema::Fields fields();
};

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

using InstancePtr = std::shared_ptr<Instance const>;
using NodePtr = std::shared_ptr<Node const>;
using GroupPtr = std::shared_ptr<Group const>;
using DetachedDiskPtr = std::shared_ptr<DetachedDisk const>;

class Cluster {
 public:
  Settings const& settings() const { return *settings_; }
  SharedMap<NodeId, NodePtr> const& nodes() const { return nodes_; }
  SharedMap<GroupId, GroupPtr> const& groups() const { return groups_; }
  // By UUID.
  SharedMap<InstanceId, InstancePtr> const& instances() const { return instances_; }
  SharedMap<DiskId, DetachedDiskPtr> const& detached_disks() const { return detached_disks_; }

  // By full name, by unambiguous short name ("web1" for "web1.example.com") or by UUID.
  // Fails with UnknownEntity: "Instance 'x' not known".
  Result<InstancePtr> instance(std::string_view name_or_uuid) const;
  Result<InstancePtr> instance(InstanceId const& id) const;
  Result<NodePtr> node(std::string_view name_or_uuid) const;
  Result<NodePtr> node(NodeId const& id) const;
  Result<GroupPtr> group(std::string_view name_or_uuid) const;
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
  // The lowest of them that no instance has and that isn't taken otherwise.
  std::optional<std::int64_t> free_port(std::int64_t first, std::int64_t last,
                                        std::function<bool(std::int64_t)> const& is_taken) const;

  // Only ConfigStore and tests build clusters.
  void put(Settings settings) { settings_ = std::make_shared<Settings const>(std::move(settings)); }
  void put(Node node);
  void put(Group group);
  void put(Instance instance);
  void put(DetachedDisk disk);
  void remove(InstanceId const& id);
  void remove(NodeId const& id);
  void remove(GroupId const& id);
  void remove(DiskId const& id);

 private:
  // Who has a thing; more than one only where a configuration was damaged.
  template <class Key>
  using Holders = SharedMap<Key, std::vector<InstanceId>>;

  void enter(Instance const& instance);
  void strike_out(Instance const& instance);
  template <class Key, class Wanted>
  InstancePtr other_in(Holders<Key> const& holders, Wanted const& key,
                       InstanceId const& than) const;
  Result<InstancePtr> instance_by_short_name(std::string_view name) const;

  std::shared_ptr<Settings const> settings_ = std::make_shared<Settings const>();
  SharedMap<NodeId, NodePtr> nodes_;
  SharedMap<GroupId, GroupPtr> groups_;
  SharedMap<InstanceId, InstancePtr> instances_;
  SharedMap<DiskId, DetachedDiskPtr> detached_disks_;
  Holders<std::string> names_;  // of instances, in lower case
  Holders<std::string> macs_;   // in lower case
  Holders<std::int64_t> ports_;
};

}  // namespace flotte::model
