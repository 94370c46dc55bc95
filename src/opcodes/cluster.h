// Opcodes that act on the cluster, its nodes, its OS definitions and its tags, and those for tests
// (docs/ganeti.md, "Opcodes and jobs").
#pragma once

#include "opcodes/opcode.h"

namespace flotte::opcodes {

struct ClusterPostInit {
  static constexpr std::string_view op_id = "OP_CLUSTER_POST_INIT";
  static schema::Fields fields() { return {}; }
};

struct ClusterSetParams {
  static constexpr std::string_view op_id = "OP_CLUSTER_SET_PARAMS";
  bool force = false;
  std::optional<std::string> vg_name;
  std::optional<std::vector<model::HypervisorKind>> enabled_hypervisors;
  std::optional<json::object> hvparams;
  std::optional<json::object> beparams;
  std::optional<json::object> os_hvp;
  std::optional<json::object> osparams;
  std::optional<json::object> diskparams;
  std::optional<std::int64_t> candidate_pool_size;
  std::optional<std::int64_t> max_running_jobs;
  std::optional<std::int64_t> max_tracked_jobs;
  std::optional<bool> maintain_node_health;
  std::optional<bool> prealloc_wipe_disks;
  std::optional<json::object> nicparams;
  std::optional<json::object> ndparams;
  std::optional<json::object> ipolicy;
  std::optional<std::string> default_iallocator;
  std::optional<std::string> mac_prefix;
  std::optional<std::string> master_netdev;
  std::optional<std::int64_t> master_netmask;
  std::optional<std::vector<std::string>> reserved_lvs;
  std::optional<std::vector<model::DiskTemplate>> enabled_disk_templates;
  std::optional<std::string> file_storage_dir;
  std::optional<std::string> shared_file_storage_dir;
  std::optional<bool> enabled_user_shutdown;
  std::optional<std::vector<std::string>> compression_tools;
  std::optional<json::array> hidden_os;       // [["add" or "remove", name], ...]
  std::optional<json::array> blacklisted_os;  // the same

  static schema::Fields fields();
};

struct ClusterRename {
  static constexpr std::string_view op_id = "OP_CLUSTER_RENAME";
  std::string name;

  static schema::Fields fields();
};

struct ClusterActivateMasterIp {
  static constexpr std::string_view op_id = "OP_CLUSTER_ACTIVATE_MASTER_IP";
  static schema::Fields fields() { return {}; }
};

struct ClusterDeactivateMasterIp {
  static constexpr std::string_view op_id = "OP_CLUSTER_DEACTIVATE_MASTER_IP";
  static schema::Fields fields() { return {}; }
};

struct ClusterRedistConf {
  static constexpr std::string_view op_id = "OP_CLUSTER_REDIST_CONF";
  static schema::Fields fields() { return {}; }
};

struct NodeSetParams {
  static constexpr std::string_view op_id = "OP_NODE_SET_PARAMS";
  std::string node_name;
  std::optional<std::string> node_uuid;
  bool force = false;
  std::optional<bool> master_candidate;
  std::optional<bool> offline;
  std::optional<bool> drained;
  bool auto_promote = false;
  std::optional<bool> master_capable;
  std::optional<bool> vm_capable;
  std::optional<json::object> ndparams;
  std::optional<bool> powered;

  static schema::Fields fields();
};

struct ClusterVerify {
  static constexpr std::string_view op_id = "OP_CLUSTER_VERIFY";
  bool debug_simulate_errors = false;
  bool error_codes = false;
  std::vector<std::string> skip_checks;
  std::vector<std::string> ignore_errors;
  bool verbose = false;
  std::optional<std::string> group_name;
  bool verify_clutter = false;

  static schema::Fields fields();
};

struct ClusterVerifyConfig {
  static constexpr std::string_view op_id = "OP_CLUSTER_VERIFY_CONFIG";
  bool debug_simulate_errors = false;
  bool error_codes = false;
  std::vector<std::string> ignore_errors;
  bool verbose = false;

  static schema::Fields fields();
};

struct ClusterVerifyGroup {
  static constexpr std::string_view op_id = "OP_CLUSTER_VERIFY_GROUP";
  std::string group_name;
  bool debug_simulate_errors = false;
  bool error_codes = false;
  std::vector<std::string> skip_checks;
  std::vector<std::string> ignore_errors;
  bool verbose = false;
  bool verify_clutter = false;

  static schema::Fields fields();
};

struct ClusterVerifyDisks {
  static constexpr std::string_view op_id = "OP_CLUSTER_VERIFY_DISKS";
  std::optional<std::string> group_name;
  bool is_strict = true;

  static schema::Fields fields();
};

struct GroupVerifyDisks {
  static constexpr std::string_view op_id = "OP_GROUP_VERIFY_DISKS";
  std::string group_name;
  bool is_strict = true;

  static schema::Fields fields();
};

struct ClusterRepairDiskSizes {
  static constexpr std::string_view op_id = "OP_CLUSTER_REPAIR_DISK_SIZES";
  std::vector<std::string> instances;

  static schema::Fields fields();
};

struct OsDiagnose {
  static constexpr std::string_view op_id = "OP_OS_DIAGNOSE";
  std::vector<std::string> output_fields;
  std::vector<std::string> names;

  static schema::Fields fields();
};

struct NodeQueryVolumes {
  static constexpr std::string_view op_id = "OP_NODE_QUERYVOLS";
  std::vector<std::string> output_fields;
  std::vector<std::string> nodes;

  static schema::Fields fields();
};

struct NodeQueryStorage {
  static constexpr std::string_view op_id = "OP_NODE_QUERY_STORAGE";
  std::vector<std::string> output_fields;
  std::optional<std::string> storage_type;  // file, gluster, lvm-pv, lvm-vg, sharedfile
  std::vector<std::string> nodes;
  std::optional<std::string> name;

  static schema::Fields fields();
};

struct TagsSet {
  static constexpr std::string_view op_id = "OP_TAGS_SET";
  std::string kind;
  std::vector<std::string> tags;
  std::optional<std::string> name;

  static schema::Fields fields();
};

struct TagsDel {
  static constexpr std::string_view op_id = "OP_TAGS_DEL";
  std::string kind;
  std::vector<std::string> tags;
  std::optional<std::string> name;

  static schema::Fields fields();
};

struct TagsSearch {
  static constexpr std::string_view op_id = "OP_TAGS_SEARCH";
  std::string pattern;

  static schema::Fields fields();
};

struct TestDelay {
  static constexpr std::string_view op_id = "OP_TEST_DELAY";
  double duration = 0;
  bool on_master = true;
  std::vector<std::string> on_nodes;
  std::int64_t repeat = 0;
  bool interruptible = false;
  bool no_locks = true;

  static schema::Fields fields();
};

struct TestJqueue {
  static constexpr std::string_view op_id = "OP_TEST_JQUEUE";
  bool notify_waitlock = false;
  bool notify_exec = false;
  std::vector<std::string> log_messages;
  bool fail = false;

  static schema::Fields fields();
};

struct TestOsParams {
  static constexpr std::string_view op_id = "OP_TEST_OS_PARAMS";
  std::optional<json::object> osparams_secret;

  static schema::Fields fields();
};

}  // namespace flotte::opcodes
