// A virtual machine as the configuration knows it: what is wished, never what is observed. Keys as
// in Ganeti's config.data (docs/ganeti.md, "Configuration"), with the disks inside their instance.
// Values; use from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/types.h"

namespace flotte::model {

struct Nic {
  NicId uuid;
  std::optional<std::string> name;
  std::string mac;
  std::optional<std::string> ip;
  std::optional<NetworkId> network;
  schema::json::object nicparams;  // only what differs from the cluster: mode, link, vlan

  static schema::Fields fields();
};

struct Disk {
  DiskId uuid;
  DiskTemplate dev_type = DiskTemplate::Plain;
  // What finds the disk on its node: ["vg", "<uuid>.disk0"] for plain, ["loop", "/path"] for file.
  std::vector<std::string> logical_id;
  MiB size;
  DiskMode mode = DiskMode::ReadWrite;
  std::optional<std::string> name;
  std::optional<std::int64_t> spindles;
  schema::json::object params;

  static schema::Fields fields();
};

struct Instance {
  InstanceId uuid;
  std::string name;
  NodeId primary_node;
  std::string os;
  HypervisorKind hypervisor = HypervisorKind::Kvm;
  // Only what differs from the cluster; see model/params.h for the filled form.
  schema::json::object hvparams;
  schema::json::object beparams;
  schema::json::object osparams;
  schema::json::object osparams_private;
  AdminState admin_state = AdminState::Down;
  AdminStateSource admin_state_source = AdminStateSource::Admin;
  bool disks_active = false;
  DiskTemplate disk_template = DiskTemplate::Diskless;
  std::vector<Nic> nics;
  std::vector<Disk> disks;
  std::optional<std::int64_t> network_port;
  std::vector<std::string> tags;
  // Raised at every start, written to the disks before QEMU opens them: the fence against a second
  // writer.
  std::int64_t epoch = 0;
  std::int64_t serial_no = 1;
  double ctime = 0;  // seconds since the epoch
  double mtime = 0;

  static schema::Fields fields();
};

// A disk that `gnt-instance modify --disk N:detach` took from its instance: it stays on its node
// until one attaches it.
struct DetachedDisk {
  Disk disk;
  NodeId node;
  std::string owner;       // its instance's name then, by which its node still knows it
  std::int64_t epoch = 0;  // its instance's then

  static schema::Fields fields();
};

}  // namespace flotte::model
