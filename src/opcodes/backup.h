// Opcodes about exports of instances, `gnt-backup` (docs/ganeti.md, "Exports").
#pragma once

#include "opcodes/opcode.h"

namespace flotte::opcodes {

struct BackupPrepare {
  static constexpr std::string_view op_id = "OP_BACKUP_PREPARE";
  std::string instance_name;
  std::optional<std::string> instance_uuid;
  std::string mode;

  static schema::Fields fields();
};

struct BackupExport {
  static constexpr std::string_view op_id = "OP_BACKUP_EXPORT";
  std::string instance_name;
  std::optional<std::string> instance_uuid;
  std::string compress = "none";
  std::int64_t shutdown_timeout = 120;
  json::value target_node;  // a node's name; of an export to another cluster a list
  std::optional<std::string> target_node_uuid;
  bool shutdown = true;
  bool remove_instance = false;
  bool ignore_remove_failures = false;
  std::string mode = "local";
  std::optional<json::array> x509_key_name;
  std::optional<std::string> destination_x509_ca;
  bool zero_free_space = false;
  std::optional<std::int64_t> zeroing_timeout_fixed;
  std::optional<double> zeroing_timeout_per_mib;
  bool long_sleep = false;

  static schema::Fields fields();
};

struct BackupRemove {
  static constexpr std::string_view op_id = "OP_BACKUP_REMOVE";
  std::string instance_name;
  std::optional<std::string> instance_uuid;

  static schema::Fields fields();
};

}  // namespace flotte::opcodes
