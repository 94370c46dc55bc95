// Opcodes that act on networks (docs/ganeti.md, "Networks").
#pragma once

#include "opcodes/opcode.h"

namespace flotte::opcodes {

struct NetworkAdd {
  static constexpr std::string_view op_id = "OP_NETWORK_ADD";
  std::string network_name;
  std::string network;
  std::optional<std::string> gateway;
  std::optional<std::string> network6;
  std::optional<std::string> gateway6;
  std::optional<std::string> mac_prefix;
  std::optional<std::vector<std::string>> add_reserved_ips;
  bool conflicts_check = true;
  std::vector<std::string> tags;

  static schema::Fields fields();
};

// "none" takes a value away.
struct NetworkSetParams {
  static constexpr std::string_view op_id = "OP_NETWORK_SET_PARAMS";
  std::string network_name;
  std::optional<std::string> gateway;
  std::optional<std::string> network6;
  std::optional<std::string> gateway6;
  std::optional<std::string> mac_prefix;
  std::optional<std::vector<std::string>> add_reserved_ips;
  std::optional<std::vector<std::string>> remove_reserved_ips;

  static schema::Fields fields();
};

struct NetworkConnect {
  static constexpr std::string_view op_id = "OP_NETWORK_CONNECT";
  std::string group_name;
  std::string network_name;
  std::string network_mode;
  std::string network_link;
  std::string network_vlan;
  bool conflicts_check = true;

  static schema::Fields fields();
};

struct NetworkDisconnect {
  static constexpr std::string_view op_id = "OP_NETWORK_DISCONNECT";
  std::string group_name;
  std::string network_name;

  static schema::Fields fields();
};

struct NetworkRemove {
  static constexpr std::string_view op_id = "OP_NETWORK_REMOVE";
  std::string network_name;
  bool force = false;

  static schema::Fields fields();
};

struct NetworkRename {
  static constexpr std::string_view op_id = "OP_NETWORK_RENAME";
  std::string network_name;
  std::string new_name;

  static schema::Fields fields();
};

}  // namespace flotte::opcodes
