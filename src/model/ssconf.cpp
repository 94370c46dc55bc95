#include "model/ssconf.h"

#include <algorithm>

#include "base/lookup.h"
#include "base/text.h"
#include "model/params.h"

namespace flotte::model {
namespace {

namespace json = boost::json;

// One a line; nothing at all where there is none.
std::string lines(std::vector<std::string> const& all) {
  return all.empty() ? std::string() : fmt::format("{}\n", fmt::join(all, "\n"));
}

std::string line(std::string const& text) {
  return text.empty() ? std::string() : text + "\n";
}

std::string_view python_bool(bool value) {
  return value ? "True" : "False";
}

template <class Objects>
auto in_order(Objects const& objects) {
  std::vector<typename Objects::mapped_type> all;
  for (auto const& [id, object] : objects) all.push_back(object);
  sort_naturally(all, [](auto const& object) -> auto const& { return object->name; });
  return all;
}

// "UUID NAME" each.
template <class Objects>
std::vector<std::string> titles(Objects const& objects) {
  std::vector<std::string> all;
  for (auto const& object : in_order(objects)) {
    all.push_back(fmt::format("{} {}", object->uuid.text(), object->name));
  }
  return all;
}

class Files {
 public:
  explicit Files(Cluster const& cluster) : cluster_(cluster), settings_(cluster.settings()) {}

  json::object make() {
    of_cluster();
    of_nodes();
    of_instances();
    for (auto const kind : {HypervisorKind::Kvm, HypervisorKind::Fake}) {
      std::vector<std::string> params;
      for (auto const& [name, value] : filled_hvparams(settings_, kind)) {
        params.push_back(fmt::format("{}={}", std::string_view(name), python_text(value)));
      }
      std::ranges::sort(params);
      put(fmt::format("hvparams_{}", schema::name_of(kind)), lines(params));
    }
    return std::move(files_);
  }

 private:
  void put(std::string_view key, std::string const& content) {
    files_[key] = json::string_view(content);
  }
  void put_bool(std::string_view key, bool value) {
    put(key, fmt::format("{}\n", python_bool(value)));
  }

  void of_cluster() {
    auto tags = settings_.tags;
    std::ranges::sort(tags);
    put("cluster_name", line(settings_.cluster_name));
    put("cluster_tags", lines(tags));
    put("file_storage_dir", line(settings_.file_storage_dir));
    put("shared_file_storage_dir", line(settings_.shared_file_storage_dir));
    put("gluster_storage_dir", line(settings_.gluster_storage_dir));
    put("master_ip", line(settings_.master_ip));
    put("master_netdev", line(settings_.master_netdev));
    put("master_netmask", fmt::format("{}\n", settings_.master_netmask));
    put("primary_ip_family", settings_.primary_ip_version == 6 ? "10\n" : "2\n");
    put_bool("maintain_node_health", settings_.maintain_node_health);
    put_bool("enabled_user_shutdown", settings_.enabled_user_shutdown);
    put("uid_pool", "");
    put("networks", lines(titles(cluster_.networks())));
    std::vector<std::string> hypervisors;
    for (auto const kind : settings_.enabled_hypervisors) {
      hypervisors.emplace_back(schema::name_of(kind));
    }
    put("hypervisor_list", lines(hypervisors));
    put("nodegroups", lines(titles(cluster_.groups())));
  }

  void of_nodes() {
    auto const nodes = in_order(cluster_.nodes());
    auto const each = [&](std::string_view key, auto wanted, auto text) {
      std::vector<std::string> all;
      for (auto const& node : nodes) {
        if (wanted(*node)) all.push_back(text(*node));
      }
      put(key, lines(all));
    };
    auto const name = [](Node const& node) { return node.name; };
    auto const ip = [](Node const& node) { return node.primary_ip; };
    auto const all = [](Node const&) { return true; };
    auto const master = cluster_.node(settings_.master_node);
    auto const is_candidate = [&](Node const& node) {
      return node.master_candidate || node.uuid == settings_.master_node;
    };
    put("master_node", master ? line((*master)->name) : "NO MASTER\n");
    each("node_list", all, name);
    each("online_nodes", [](Node const& node) { return !node.offline; }, name);
    each("offline_nodes", [](Node const& node) { return node.offline; }, name);
    each("master_candidates", is_candidate, name);
    each("master_candidates_ips", is_candidate, ip);
    each("node_primary_ips", all,
         [](Node const& node) { return fmt::format("{} {}", node.name, node.primary_ip); });
    each("node_secondary_ips", all, [](Node const& node) {
      auto const& second = node.secondary_ip.empty() ? node.primary_ip : node.secondary_ip;
      return fmt::format("{} {}", node.name, second);
    });
    each("node_vm_capable", all, [](Node const& node) {
      return fmt::format("{}={}", node.name, python_bool(node.vm_capable));
    });
    each("ssh_ports", all, [&](Node const& node) {
      auto const params = filled_ndparams(cluster_, node);
      return fmt::format("{}={}", node.name, python_text(known_at(params, "ssh_port")));
    });
  }

  void of_instances() {
    std::vector<std::string> names;
    names.reserve(cluster_.instances().size());
    for (auto const& [id, instance] : cluster_.instances()) names.push_back(instance->name);
    sort_naturally(names);
    put("instance_list", lines(names));
  }

  Cluster const& cluster_;
  Settings const& settings_;
  json::object files_;
};

}  // namespace

json::object ssconf(Cluster const& cluster) {
  return Files(cluster).make();
}

}  // namespace flotte::model
