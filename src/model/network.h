// A network that NICs may be in: its addresses, and what is known of it. Keys as in Ganeti's
// config.data (docs/ganeti.md, "Networks"). Which addresses instances have is not here: their NICs
// say it (address_pool.h). Values; use from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/types.h"

namespace flotte::model {

struct Network {
  NetworkId uuid;
  std::string name;
  std::string network;  // IPv4, as 192.0.2.0/24
  std::optional<std::string> gateway;
  std::optional<std::string> network6;
  std::optional<std::string> gateway6;
  std::optional<std::string> mac_prefix;  // three octets, in place of the cluster's
  // An address each, from the first: 1 is kept from instances.
  std::string ext_reservations;
  std::vector<std::string> tags;
  std::int64_t serial_no = 1;
  double ctime = 0;
  double mtime = 0;

  static schema::Fields fields();
};

}  // namespace flotte::model
