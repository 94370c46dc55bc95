// What a machine becomes at its destination: the pure part of move-instance.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <string>
#include <vector>

#include "base/result.h"

namespace flotte::cli {

namespace json = boost::json;

// On the source from before it is stopped until the move is over: a machine that has it and is down
// was running when its move began.
inline constexpr std::string_view moving_up_tag = "flotte:moving-up";

// As typed, of one machine.
struct Placement {
  std::string name;  // at the destination; empty: as at the source
  std::string primary_node;
  std::string secondary_node;
  std::string iallocator;
  std::string disk_template;  // empty: as at the source, as all that follows
  std::string volume_group;
  std::string compress = "none";
  json::object beparams;
  json::object hvparams;
  json::object osparams;
  std::vector<json::object> nics;  // by their numbers; those left out are empty
};

struct SourceMachine {
  json::value info;  // of its job OP_INSTANCE_QUERY_DATA
  json::array tags;
  bool was_running = false;
};

// What is known of the cluster where it goes.
struct DestinationTraits {
  bool is_flotte = false;
};

// The body of POST /2/instances, but for what the source signs. Whatever is wrong is said at once,
// a sentence a line.
Result<json::object> creation_of(SourceMachine const& machine, Placement const& placement,
                                 DestinationTraits const& destination);
// With what the job OP_BACKUP_PREPARE gave.
Result<json::object> with_credentials(json::object body, json::value const& prepared);

// Of --net 0:link=br0: a text of each key, in the NIC's place.
Result<std::vector<json::object>> parse_nics(std::vector<std::string> const& given);

}  // namespace flotte::cli
