// Opcodes that act on node groups (docs/ganeti.md, "Opcodes and jobs").
#pragma once

#include "opcodes/opcode.h"

namespace flotte::opcodes {

struct GroupAdd {
  static constexpr std::string_view op_id = "OP_GROUP_ADD";
  std::string group_name;
  std::optional<std::string> alloc_policy;
  std::optional<json::object> ndparams;
  std::optional<json::object> diskparams;
  std::optional<json::object> ipolicy;

  static schema::Fields fields();
};

struct GroupAssignNodes {
  static constexpr std::string_view op_id = "OP_GROUP_ASSIGN_NODES";
  std::string group_name;
  bool force = false;
  std::vector<std::string> nodes;

  static schema::Fields fields();
};

struct GroupSetParams {
  static constexpr std::string_view op_id = "OP_GROUP_SET_PARAMS";
  std::string group_name;
  std::optional<std::string> alloc_policy;
  std::optional<json::object> ndparams;
  std::optional<json::object> diskparams;
  std::optional<json::object> ipolicy;

  static schema::Fields fields();
};

struct GroupRemove {
  static constexpr std::string_view op_id = "OP_GROUP_REMOVE";
  std::string group_name;

  static schema::Fields fields();
};

struct GroupRename {
  static constexpr std::string_view op_id = "OP_GROUP_RENAME";
  std::string group_name;
  std::string new_name;

  static schema::Fields fields();
};

}  // namespace flotte::opcodes
