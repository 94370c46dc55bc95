// The configuration of a cluster as one immutable value. Cheap to copy: objects are shared.
//
// A Cluster is handed out by ConfigStore and never changes; use from any thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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
  std::int64_t highest_used_port = 11000;
  std::vector<std::int64_t> tcpudp_port_pool;  // given back
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
  std::map<NodeId, NodePtr> const& nodes() const { return nodes_; }
  std::map<GroupId, GroupPtr> const& groups() const { return groups_; }
  // By UUID. Lookup by name is indexed.
  std::map<InstanceId, InstancePtr> const& instances() const { return instances_; }
  std::map<DiskId, DetachedDiskPtr> const& detached_disks() const { return detached_disks_; }

  // By full name, by unambiguous short name ("web1" for "web1.example.com") or by UUID.
  // Fails with UnknownEntity: "Instance 'x' not known".
  Result<InstancePtr> instance(std::string_view name_or_uuid) const;
  Result<NodePtr> node(std::string_view name_or_uuid) const;
  Result<NodePtr> node(NodeId const& id) const { return node(std::string_view(id.text())); }
  Result<GroupPtr> group(std::string_view name_or_uuid) const;
  // All instances in the order of their names, as lists show them.
  std::vector<InstancePtr> instances_by_name() const;
  std::vector<NodePtr> nodes_by_name() const;
  std::vector<GroupPtr> groups_by_name() const;
  // The group of a node; null where there is none.
  GroupPtr group_of(NodeId const& node) const;

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
  std::shared_ptr<Settings const> settings_ = std::make_shared<Settings const>();
  std::map<NodeId, NodePtr> nodes_;
  std::map<GroupId, GroupPtr> groups_;
  std::map<InstanceId, InstancePtr> instances_;
  std::map<DiskId, DetachedDiskPtr> detached_disks_;
  // Shared until a name changes, so that a snapshot of thousands of instances stays cheap to copy.
  std::shared_ptr<std::map<std::string, InstanceId, std::less<>> const> instance_names_ =
      std::make_shared<std::map<std::string, InstanceId, std::less<>> const>();
};

}  // namespace flotte::model
