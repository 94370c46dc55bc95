#include "rapi/metrics.h"

#include <map>
#include <utility>
#include <vector>

#include "rapi/rows.h"
#include "store/config_store.h"

namespace flotte::rapi {
namespace {

constexpr double mebibyte = 1024.0 * 1024.0;

using Labels = std::vector<std::pair<std::string_view, std::string_view>>;

// A label's value may be anything but what ends it.
std::string escaped(std::string_view text) {
  std::string all;
  for (char const character : text) {
    if (character == '\n') {
      all += "\\n";
      continue;
    }
    if (character == '"' || character == '\\') all += '\\';
    all += character;
  }
  return all;
}

// One metric after the other, each with all its values.
class Exposition {
 public:
  void begin(std::string_view name, std::string_view help) {
    name_ = name;
    text_ += fmt::format("# HELP {0} {1}\n# TYPE {0} gauge\n", name, help);
  }
  void add(Labels const& labels, double value) {
    text_ += name_;
    auto separator = '{';
    for (auto const& [name, text] : labels) {
      text_ += fmt::format("{}{}=\"{}\"", separator, name, escaped(text));
      separator = ',';
    }
    text_ += fmt::format("{} {}\n", labels.empty() ? "" : "}", value);
  }
  std::string take() { return std::move(text_); }

 private:
  std::string name_;
  std::string text_;
};

std::string_view text_of(json::object const& row, std::string_view name) {
  auto const* value = row.if_contains(name);
  auto const* text = value ? value->if_string() : nullptr;
  return text ? std::string_view(*text) : std::string_view();
}

std::optional<double> number_of(json::object const& row, std::string_view name) {
  auto const* value = row.if_contains(name);
  if (!value) return std::nullopt;
  if (value->is_int64()) return static_cast<double>(value->get_int64());
  if (value->is_uint64()) return static_cast<double>(value->get_uint64());
  if (value->is_double()) return value->get_double();
  if (value->is_bool()) return value->get_bool() ? 1 : 0;
  return std::nullopt;
}

using Rows = std::vector<json::object>;

// A metric that each object has where its field is known.
struct OfEach {
  std::string_view metric;
  std::string_view help;
  std::string_view field;
  double unit = 1;
};

constexpr OfEach of_nodes[] = {
    {"flotte_node_memory_size_bytes", "Memory of the node.", "mtotal", mebibyte},
    {"flotte_node_memory_free_bytes", "Memory that guests can have.", "mfree", mebibyte},
    {"flotte_node_disk_size_bytes", "Room for disks.", "dtotal", mebibyte},
    {"flotte_node_disk_free_bytes", "Room for disks that is free.", "dfree", mebibyte},
    {"flotte_node_cpus", "Processors.", "ctotal"},
    {"flotte_node_primary_instances", "Instances that are there.", "pinst_cnt"},
    {"flotte_node_offline", "Whether it is marked offline.", "offline"},
    {"flotte_node_drained", "Whether it is drained.", "drained"},
};
constexpr OfEach of_instances[] = {
    {"flotte_instance_up", "Whether it runs.", "oper_state"},
    {"flotte_instance_wanted_up", "Whether it should run.", "admin_up"},
    {"flotte_instance_memory_bytes", "Memory that it has now.", "oper_ram", mebibyte},
    {"flotte_instance_vcpus", "Processors that it has now.", "oper_vcpus"},
    {"flotte_instance_disk_bytes", "What its disks take.", "disk_usage", mebibyte},
};

void add_each(Exposition& all, std::span<OfEach const> metrics, Rows const& rows,
              Labels (*labels)(json::object const& row)) {
  for (auto const& [metric, help, field, unit] : metrics) {
    all.begin(metric, help);
    for (auto const& row : rows) {
      if (auto const value = number_of(row, field)) all.add(labels(row), *value * unit);
    }
  }
}

// Of an instance, a job: how many have each status.
void add_counts(Exposition& all, std::string_view metric, std::string_view help, Rows const& rows) {
  std::map<std::string_view, int> counts;
  for (auto const& row : rows) ++counts[text_of(row, "status")];
  all.begin(metric, help);
  for (auto const& [status, count] : counts) all.add({{"status", status}}, count);
}

}  // namespace

Granted<std::string> metrics(Services const& services) {
  auto const nodes = rows(
      services, "node",
      {"name", "mtotal", "mfree", "dtotal", "dfree", "ctotal", "pinst_cnt", "offline", "drained"});
  if (!nodes) return tl::unexpected(nodes.error());
  auto const instances = rows(services, "instance",
                              {"name", "pnode", "status", "oper_state", "admin_up", "oper_ram",
                               "oper_vcpus", "disk_usage"});
  if (!instances) return tl::unexpected(instances.error());
  auto const jobs = rows(services, "job", {"status"});
  if (!jobs) return tl::unexpected(jobs.error());

  Exposition all;
  auto const snapshot = services.seams.config.snapshot();
  all.begin("flotte_cluster_info", "The cluster.");
  all.add({{"name", snapshot->settings().cluster_name}}, 1);
  all.begin("flotte_queue_drained", "Whether no new jobs are taken.");
  all.add({}, services.queue.is_drained() ? 1 : 0);
  add_counts(all, "flotte_jobs", "Jobs that are not archived.", *jobs);
  all.begin("flotte_jobs_set_aside", "Jobs that wait for people.");
  all.add({}, static_cast<double>(services.queue.set_aside().size()));
  all.begin("flotte_node_answers", "Whether it was reached now; not told of one that is offline.");
  for (auto const& row : *nodes) {
    if (number_of(row, "offline") == 1.0) continue;
    all.add({{"node", text_of(row, "name")}}, number_of(row, "mtotal") ? 1 : 0);
  }
  add_each(all, of_nodes, *nodes,
           [](json::object const& row) { return Labels{{"node", text_of(row, "name")}}; });
  add_counts(all, "flotte_instances", "Instances.", *instances);
  add_each(all, of_instances, *instances, [](json::object const& row) {
    return Labels{{"instance", text_of(row, "name")}, {"node", text_of(row, "pnode")}};
  });
  return all.take();
}

}  // namespace flotte::rapi
