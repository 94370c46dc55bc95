// List fields: what a column is and how its cell comes from a row (docs/ganeti.md, "Lists and
// fields"). Values; any thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/cluster.h"
#include "rpc/node_calls.h"

namespace flotte::query {

namespace json = boost::json;

// The numbers are the wire's.
enum class Status { Normal = 0, Unknown = 1, NoData = 2, Unavailable = 3, Offline = 4 };

struct Cell {
  Status status = Status::Normal;
  json::value value;

  // Takes the value along.
  json::array wire(json::storage_ptr storage) &&;
};

inline Cell unavailable() {
  return {Status::Unavailable, nullptr};
}
inline Cell plain(json::value value) {
  return {Status::Normal, std::move(value)};
}
inline Cell text_cell(std::string_view text) {
  return plain(json::value(text));
}
inline json::array text_array(std::vector<std::string> const& texts) {
  json::array out;
  for (auto const& text : texts) out.push_back(json::value(json::string_view(text)));
  return out;
}

// What nodes said just now; a node that did not answer has none.
struct Live {
  using Running = std::unordered_map<std::string, rpc::RunningInstance>;  // by name
  std::map<NodeId, std::optional<Running>> running;
  std::map<NodeId, std::optional<rpc::NodeFacts>> facts;
  std::map<NodeId, std::optional<std::vector<std::string>>> exports;  // names
};

// The instances that have NICs in a network, by name. Found for all networks together, when the
// first is asked for: a query has one of these for all its rows.
class NetworkUsers {
 public:
  explicit NetworkUsers(model::Cluster const& cluster) : cluster_(&cluster) {}
  std::vector<std::string> const& of(NetworkId const& network);

 private:
  model::Cluster const* cluster_;
  std::optional<std::map<NetworkId, std::vector<std::string>>> found_;
};

// One row of any resource, with all that its cells may look at.
struct Row {
  model::Cluster const* cluster = nullptr;
  Live const* live = nullptr;
  model::Instance const* instance = nullptr;
  model::Node const* primary = nullptr;        // the instance's, where it is known
  Live::Running const* on_primary = nullptr;   // what it answered
  rpc::RunningInstance const* told = nullptr;  // what it said about the instance
  model::Node const* node = nullptr;
  std::string const* export_name = nullptr;  // of one on the node; null: it can't be asked
  model::Group const* group = nullptr;
  model::Network const* network = nullptr;
  std::shared_ptr<NetworkUsers> network_users = nullptr;  // of a network
  json::object const* object = nullptr;  // jobs and locks: their cells are its members
};

struct Field {
  std::string name;
  std::string title;
  std::string kind;  // text, bool, number, float, unit, timestamp, other, unknown
  std::string doc;
  bool is_live = false;  // needs the nodes
  std::function<Cell(Row const&)> cell;
  bool is_own = false;  // Ganeti has none: who lists all fields isn't shown it, who names it is

  json::object wire() const;
};

using FieldTable = std::vector<Field>;

// The row of an instance; the cluster and what is live must outlive it.
Row row_of(model::Cluster const& cluster, Live const& live, model::Instance const& instance);

FieldTable const& instance_fields();
FieldTable const& node_fields();
FieldTable const& group_fields();
FieldTable const& network_fields();
FieldTable const& export_fields();
FieldTable const& job_fields();
FieldTable const& lock_fields();

// "running", "ADMIN_down", "ERROR_down", ... : the truth about an instance.
std::string_view instance_status(Row const& row);
// The process that runs an instance on its primary node; null when none does or nobody knows.
rpc::RunningInstance const* running_of(Row const& row);

}  // namespace flotte::query
