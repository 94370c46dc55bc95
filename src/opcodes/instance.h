// Opcodes that act on instances (docs/ganeti.md, "Opcodes and jobs").
#pragma once

#include "opcodes/opcode.h"

namespace flotte::opcodes {

struct InstanceCreate {
  static constexpr std::string_view op_id = "OP_INSTANCE_CREATE";
  std::string instance_name;
  bool force_variant = false;
  bool wait_for_sync = true;
  bool name_check = false;
  bool ignore_ipolicy = false;
  bool opportunistic_locking = false;
  json::object beparams;
  std::vector<json::object> disks;
  std::optional<model::DiskTemplate> disk_template;
  std::optional<std::string> group_name;
  std::optional<std::string> file_driver;
  std::optional<std::string> file_storage_dir;
  json::object hvparams;
  std::optional<model::HypervisorKind> hypervisor;
  std::optional<std::string> iallocator;
  bool identify_defaults = false;
  bool ip_check = false;
  bool conflicts_check = true;
  std::string mode;
  std::vector<json::object> nics;
  std::optional<bool> no_install;
  json::object osparams;
  std::optional<json::object> osparams_private;
  std::optional<json::object> osparams_secret;
  std::optional<std::string> os_type;
  std::optional<std::string> pnode;
  std::optional<std::string> pnode_uuid;
  std::optional<std::string> snode;
  std::optional<std::string> snode_uuid;
  std::optional<std::string> src_node;
  std::optional<std::string> src_node_uuid;
  std::optional<std::string> src_path;
  std::string compress = "none";
  std::optional<json::array> source_handshake;  // version, HMAC, salt
  std::optional<std::string> source_x509_ca;
  std::optional<std::string> source_instance_name;
  std::int64_t source_shutdown_timeout = 120;
  std::optional<std::int64_t> helper_startup_timeout;
  std::optional<std::int64_t> helper_shutdown_timeout;
  bool start = true;
  bool forthcoming = false;
  bool commit = false;
  std::vector<std::string> tags;
  bool instance_communication = false;

  static schema::Fields fields();
};

struct InstanceRemove {
  static constexpr std::string_view op_id = "OP_INSTANCE_REMOVE";
  std::string instance_name;
  std::optional<std::string> instance_uuid;
  std::int64_t shutdown_timeout = 120;
  bool ignore_failures = false;

  static schema::Fields fields();
};

struct InstanceStartup {
  static constexpr std::string_view op_id = "OP_INSTANCE_STARTUP";
  std::string instance_name;
  std::optional<std::string> instance_uuid;
  bool force = false;
  bool ignore_offline_nodes = false;
  json::object hvparams;
  json::object beparams;
  bool no_remember = false;
  bool only_if_wished = false;
  bool startup_paused = false;
  std::int64_t shutdown_timeout = 120;

  static schema::Fields fields();
};

struct InstanceShutdown {
  static constexpr std::string_view op_id = "OP_INSTANCE_SHUTDOWN";
  std::string instance_name;
  std::optional<std::string> instance_uuid;
  bool force = false;
  bool ignore_offline_nodes = false;
  std::int64_t timeout = 120;
  bool no_remember = false;
  std::optional<model::AdminStateSource> admin_state_source;

  static schema::Fields fields();
};

struct InstanceReboot {
  static constexpr std::string_view op_id = "OP_INSTANCE_REBOOT";
  std::string instance_name;
  std::optional<std::string> instance_uuid;
  std::int64_t shutdown_timeout = 120;
  bool ignore_secondaries = false;
  std::string reboot_type;

  static schema::Fields fields();
};

struct InstanceReinstall {
  static constexpr std::string_view op_id = "OP_INSTANCE_REINSTALL";
  std::string instance_name;
  std::optional<std::string> instance_uuid;
  bool force_variant = false;
  std::optional<std::string> os_type;
  std::optional<json::object> osparams;
  std::optional<json::object> osparams_private;
  std::optional<json::object> osparams_secret;

  static schema::Fields fields();
};

struct InstanceActivateDisks {
  static constexpr std::string_view op_id = "OP_INSTANCE_ACTIVATE_DISKS";
  std::string instance_name;
  std::optional<std::string> instance_uuid;
  bool ignore_size = false;
  bool wait_for_sync = false;

  static schema::Fields fields();
};

struct InstanceDeactivateDisks {
  static constexpr std::string_view op_id = "OP_INSTANCE_DEACTIVATE_DISKS";
  std::string instance_name;
  std::optional<std::string> instance_uuid;
  bool force = false;

  static schema::Fields fields();
};

struct InstanceMultiAlloc {
  static constexpr std::string_view op_id = "OP_INSTANCE_MULTI_ALLOC";
  bool opportunistic_locking = false;
  std::optional<std::string> iallocator;
  json::array instances;

  static schema::Fields fields();
};

struct InstanceRename {
  static constexpr std::string_view op_id = "OP_INSTANCE_RENAME";
  std::string instance_name;
  std::optional<std::string> instance_uuid;
  std::string new_name;
  bool name_check = false;
  bool ip_check = false;

  static schema::Fields fields();
};

struct InstanceRecreateDisks {
  static constexpr std::string_view op_id = "OP_INSTANCE_RECREATE_DISKS";
  std::string instance_name;
  std::optional<std::string> instance_uuid;
  json::array disks;  // [index, ...] or [[index, {parameters}], ...]; empty: all
  std::vector<std::string> nodes;
  std::optional<std::vector<std::string>> node_uuids;
  std::optional<std::string> iallocator;

  static schema::Fields fields();
};

struct InstanceGrowDisk {
  static constexpr std::string_view op_id = "OP_INSTANCE_GROW_DISK";
  std::string instance_name;
  std::optional<std::string> instance_uuid;
  bool wait_for_sync = true;
  std::int64_t disk = 0;
  std::int64_t amount = 0;
  bool absolute = false;
  bool ignore_ipolicy = false;

  static schema::Fields fields();
};

struct InstanceSetParams {
  static constexpr std::string_view op_id = "OP_INSTANCE_SET_PARAMS";
  std::string instance_name;
  std::optional<std::string> instance_uuid;
  bool force = false;
  bool force_variant = false;
  bool ignore_ipolicy = false;
  json::array nics;
  json::array disks;
  json::object beparams;
  std::optional<std::int64_t> runtime_mem;
  json::object hvparams;
  std::optional<model::DiskTemplate> disk_template;
  json::object ext_params;
  std::optional<std::string> file_driver;
  std::optional<std::string> file_storage_dir;
  std::optional<std::string> pnode;
  std::optional<std::string> pnode_uuid;
  std::optional<std::string> remote_node;
  std::optional<std::string> remote_node_uuid;
  std::optional<std::string> iallocator;
  std::optional<std::string> os_name;
  json::object osparams;
  std::optional<json::object> osparams_private;
  bool wait_for_sync = true;
  std::optional<bool> offline;
  bool conflicts_check = true;
  std::optional<bool> instance_communication;
  bool hotplug = true;
  bool hotplug_if_possible = false;

  static schema::Fields fields();
};

struct InstanceQueryData {
  static constexpr std::string_view op_id = "OP_INSTANCE_QUERY_DATA";
  bool use_locking = false;
  std::vector<std::string> instances;
  bool is_static = false;

  static schema::Fields fields();
};

}  // namespace flotte::opcodes
