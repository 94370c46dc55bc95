#include "units/node_query_storage.h"

#include <algorithm>

#include "base/lookup.h"
#include "jobs/job_context.h"
#include "model/disk_templates.h"

namespace flotte::units {
namespace {

struct Storage {
  std::string name;
  MiB size;
  MiB free;
};

constexpr std::string_view supported = "file, gluster, lvm-pv, lvm-vg, sharedfile";

// What is reported when nobody says a type: that of the cluster's first template.
Result<std::string> storage_type(opcodes::NodeQueryStorage const& op,
                                 model::Settings const& settings) {
  if (op.storage_type) return *op.storage_type;
  auto const& templates = settings.enabled_disk_templates;
  auto const first = templates.empty() ? model::DiskTemplate() : templates.front();
  if (auto const type = model::traits_of(first).reported_as; !type.empty())
    return std::string(type);
  return fail(ErrorCode::None,
              "Storage reporting for storage type '{}' is not supported. Please use the "
              "--storage-type option to specify one of the supported storage types ({}) or set "
              "the default disk template to one that supports storage reporting.",
              schema::name_of(first), supported);
}

// What the node is asked of; none: its volume groups.
Result<std::string> directory_of(std::string const& type, model::Settings const& settings) {
  if (type == "lvm-vg" || type == "lvm-pv") {
    auto const& enabled = settings.enabled_disk_templates;
    if (!model::needs_group(settings)) {
      std::vector<std::string_view> names;
      for (auto const kind : enabled) names.push_back(schema::name_of(kind));
      return fail(ErrorCode::None,
                  "No disk template of storage type 'lvm-vg' is enabled in this cluster. Enabled "
                  "disk templates are: {}",
                  fmt::join(names, ","));
    }
  }
  if (type == "lvm-vg") return std::string();
  if (type != "file" && type != "sharedfile") {
    return fail(ErrorCode::WrongInput, "Storage type '{}' is not {}", type,
                supported.find(type) == std::string_view::npos ? "known" : "built yet");
  }
  auto const& directory =
      type == "file" ? settings.file_storage_dir : settings.shared_file_storage_dir;
  if (directory.empty()) {
    return fail(ErrorCode::WrongState, "The cluster has no directory for storage type '{}'", type);
  }
  return directory;
}

std::vector<Storage> storage_in(std::string const& directory, rpc::NodeFacts const& facts) {
  if (!directory.empty()) return {{directory, facts.file_total, facts.file_free}};
  std::vector<Storage> found;
  for (auto const& group : facts.volume_groups) {
    found.push_back({group.name, group.size, group.free});
  }
  return found;
}

json::value cell(std::string_view field, Storage const& storage, std::string const& type,
                 std::string const& node) {
  auto const text = [](std::string const& value) { return json::value(json::string_view(value)); };
  if (field == "node") return text(node);
  if (field == "type") return text(type);
  if (field == "name") return text(storage.name);
  if (field == "size") return storage.size.value;
  if (field == "used") return (storage.size - storage.free).value;
  if (field == "free") return storage.free.value;
  return true;
}

}  // namespace

Result<jobs::LockSet> NodeQueryStorage::locks(Op const&, model::Cluster const&) {
  return jobs::LockSet{jobs::all_shared(jobs::LockLevel::Node)};
}

Result<NodeQueryStorage::Facts> NodeQueryStorage::inspect(Op const& op,
                                                          model::Cluster const& cluster,
                                                          jobs::NodeReader& nodes) {
  for (auto const& field : op.output_fields) {
    constexpr std::string_view known[] = {"node", "type", "name",       "size",
                                          "used", "free", "allocatable"};
    if (std::ranges::find(known, field) == std::end(known)) {
      return fail(ErrorCode::WrongInput, "Unknown output fields selected: {}", field);
    }
  }
  std::vector<model::NodePtr> wanted;
  for (auto const& name : op.nodes) wanted.push_back(TRY(cluster.node(name)));
  auto const type = TRY(storage_type(op, cluster.settings()));
  auto const directory = TRY(directory_of(type, cluster.settings()));
  if (op.nodes.empty()) wanted = cluster.nodes_by_name();
  Facts facts;
  std::erase_if(wanted, [](model::NodePtr const& node) { return node->offline; });
  auto const answers = TRY(nodes.ask_all(wanted, rpc::NodeInfo{.file_storage_dir = directory}));
  for (auto const& node : wanted) {
    auto const& answer = known_at(answers, node->uuid);
    if (!answer) {
      facts.warnings.push_back(fmt::format("Can't get storage data from node {}: {}", node->name,
                                           answer.error().message));
      continue;
    }
    for (auto const& storage : storage_in(directory, *answer)) {
      if (op.name && *op.name != storage.name) continue;
      json::array row;
      for (auto const& field : op.output_fields) {
        row.push_back(cell(field, storage, type, node->name));
      }
      facts.answer.push_back(std::move(row));
    }
  }
  return facts;
}

Result<NodeQueryStorage::Plan> NodeQueryStorage::plan(Op const&, model::Cluster const&,
                                                      Facts const& facts) {
  return facts;
}

Result<json::value> NodeQueryStorage::apply(Plan const& plan, jobs::JobContext& job) {
  return tell(plan, job);
}

}  // namespace flotte::units
