#include "store/config_store.h"

#include <boost/json/serialize.hpp>

#include "base/seeded_fault.h"

namespace flotte::store {
namespace {

namespace json = boost::json;

constexpr std::string_view config_prefix = "/config/";
constexpr std::string_view settings_key = "/config/settings";
constexpr std::string_view nodes_prefix = "/config/nodes/";
constexpr std::string_view groups_prefix = "/config/groups/";
constexpr std::string_view instances_prefix = "/config/instances/";
constexpr std::string_view detached_disks_prefix = "/config/disks/";
constexpr int update_tries_max = 50;
constexpr std::int64_t port_highest = 14'999;

template <class T>
Result<T> decode(KeyValue const& kv) {
  auto const parsed = schema::parse(kv.value);
  auto object = parsed ? schema::decode<T>(*parsed, schema::UnknownKeys::Ignore)
                       : Result<T>(Failure(parsed.error()));
  if (!object) {
    return fail(ErrorCode::EnvironmentError, "The stored {} can't be read: {}", kv.key,
                object.error().message);
  }
  return object;
}

template <class T>
std::string text_of(T const& object) {
  return json::serialize(schema::encode(object));
}

// What was edited becomes that of `next`; what is not in `edited` was removed.
template <class Objects, class Ids>
void take_over(model::Cluster& next, Objects const& edited, Ids const& ids) {
  for (auto const& id : ids) {
    auto const found = edited.find(id);
    if (found == edited.end()) {
      next.remove(id);
    } else {
      next.put(*found->second);
    }
  }
}

double seconds(WallTime time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

}  // namespace

Result<model::Instance> ClusterEdit::instance(InstanceId const& id) const {
  return *TRY(edited_.instance(id.text()));
}

void ClusterEdit::put(model::Settings settings) {
  has_settings_ = true;
  edited_.put(std::move(settings));
}
void ClusterEdit::put(model::Node node) {
  nodes_.insert(node.uuid);
  edited_.put(std::move(node));
}
void ClusterEdit::put(model::Group group) {
  groups_.insert(group.uuid);
  edited_.put(std::move(group));
}
void ClusterEdit::put(model::Instance instance) {
  instances_.insert(instance.uuid);
  edited_.put(std::move(instance));
}
void ClusterEdit::remove_instance(InstanceId const& id) {
  auto const known = edited_.instances().find(id);
  if (known == edited_.instances().end()) return;
  if (known->second->network_port) release_port(*known->second->network_port);
  instances_.insert(id);
  edited_.remove(id);
}

void ClusterEdit::put(model::DetachedDisk disk) {
  detached_disks_.insert(disk.disk.uuid);
  edited_.put(std::move(disk));
}
void ClusterEdit::remove_detached_disk(DiskId const& id) {
  detached_disks_.insert(id);
  edited_.remove(id);
}

Result<void> ClusterEdit::remove_group(GroupId const& id) {
  for (auto const& [node_id, node] : edited_.nodes()) {
    if (node->group != id) continue;
    return fail(ErrorCode::WrongState, "Node {} is in the group meanwhile", node->name);
  }
  groups_.insert(id);
  edited_.remove(id);
  return {};
}

Result<std::int64_t> ClusterEdit::allocate_port() {
  auto settings = edited_.settings();
  std::int64_t port = 0;
  if (!settings.tcpudp_port_pool.empty()) {
    port = settings.tcpudp_port_pool.back();
    settings.tcpudp_port_pool.pop_back();
  } else {
    if (settings.highest_used_port >= port_highest) {
      return fail(ErrorCode::InsufficientResources,
                  "The highest used port is greater than {}. Aborting.", port_highest);
    }
    port = ++settings.highest_used_port;
  }
  put(std::move(settings));
  return port;
}

void ClusterEdit::release_port(std::int64_t port) {
  auto settings = edited_.settings();
  settings.tcpudp_port_pool.push_back(port);
  put(std::move(settings));
}

Result<std::unique_ptr<ConfigStore>> ConfigStore::create(Store& store, Clock& clock) {
  std::unique_ptr<ConfigStore> config(new ConfigStore(store, clock));
  TRY(config->load());
  return config;
}

Result<void> ConfigStore::load() {
  model::Cluster cluster;
  for (auto const& kv : TRY(store_.range_prefix(config_prefix))) {
    revisions_[kv.key] = kv.mod_revision;
    if (kv.key == settings_key) {
      cluster.put(TRY(decode<model::Settings>(kv)));
    } else if (kv.key.starts_with(nodes_prefix)) {
      cluster.put(TRY(decode<model::Node>(kv)));
    } else if (kv.key.starts_with(groups_prefix)) {
      cluster.put(TRY(decode<model::Group>(kv)));
    } else if (kv.key.starts_with(instances_prefix)) {
      cluster.put(TRY(decode<model::Instance>(kv)));
    } else if (kv.key.starts_with(detached_disks_prefix)) {
      cluster.put(TRY(decode<model::DetachedDisk>(kv)));
    } else {
      return fail(ErrorCode::EnvironmentError, "The store has an unknown object: {}", kv.key);
    }
  }
  snapshot_ = std::make_shared<model::Cluster const>(std::move(cluster));
  return {};
}

std::shared_ptr<model::Cluster const> ConfigStore::snapshot() const {
  std::lock_guard const guard(mutex_);
  return snapshot_;
}

bool ConfigStore::is_initialised() const {
  return !snapshot()->settings().uuid.empty();
}

// The transaction that commits an edit, and the keys that it writes.
struct ConfigStore::Prepared {
  Txn txn;
  std::vector<std::string> puts;
  std::vector<std::string> removals;

  template <class T>
  void put(std::string key, T const& object) {
    txn.put(key, text_of(object));
    puts.push_back(std::move(key));
  }
  void remove(std::string key) {
    txn.remove(key);
    removals.push_back(std::move(key));
  }
};

Result<ConfigStore::Prepared> ConfigStore::prepare(ClusterEdit& edit) const {
  auto const now = seconds(clock_.wall());
  auto const bumped = [&](auto object) {
    if constexpr (requires { object.serial_no; }) {
      ++object.serial_no;
      object.mtime = now;
    }
    return object;
  };
  auto& edited = edit.edited_;
  Prepared prepared;
  auto const write = [&](std::string_view prefix, auto const& objects, auto const& ids) {
    for (auto const& id : ids) {
      auto key = std::string(prefix) + id.text();
      auto const known = objects.find(id);
      if (known == objects.end()) {
        prepared.remove(std::move(key));
      } else {
        auto const object = bumped(*known->second);
        prepared.put(std::move(key), object);
        edited.put(object);
      }
    }
  };
  if (edit.has_settings_) {
    edited.put(bumped(edited.settings()));
    prepared.put(std::string(settings_key), edited.settings());
  }
  write(nodes_prefix, edited.nodes(), edit.nodes_);
  write(groups_prefix, edited.groups(), edit.groups_);
  write(instances_prefix, edited.instances(), edit.instances_);
  write(detached_disks_prefix, edited.detached_disks(), edit.detached_disks_);
  TRY(validate(edit.edited_, edit.instances_));
  return prepared;
}

Result<void> ConfigStore::update(Edit const& edit, Txn const& extra) {
  for (int attempt = 0; attempt < update_tries_max; ++attempt) {
    ClusterEdit changes(snapshot());
    TRY(edit(changes));
    auto prepared = TRY(prepare(changes));
    {
      std::lock_guard const guard(mutex_);
      // Somebody committed since the snapshot was taken: what was read may be old.
      if (snapshot_ != changes.base_ && !has_fault(SeededFault::CommitNotCompared)) continue;
      for (auto const* keys : {&prepared.puts, &prepared.removals}) {
        for (auto const& key : *keys) {
          auto const known = revisions_.find(key);
          prepared.txn.compare(key, known == revisions_.end() ? 0 : known->second);
        }
      }
    }
    if (has_fault(SeededFault::CommitNotCompared)) prepared.txn.compares.clear();
    for (auto const& operation : extra.operations) prepared.txn.operations.push_back(operation);
    auto const reply = TRY(store_.txn(prepared.txn));
    if (!reply.succeeded) continue;
    std::lock_guard const guard(mutex_);
    for (auto const& key : prepared.puts) revisions_[key] = reply.revision;
    for (auto const& key : prepared.removals) revisions_.erase(key);
    // Others may have committed to other objects meanwhile: only ours are taken over.
    auto next = *snapshot_;
    auto const& edited = changes.edited_;
    if (changes.has_settings_) next.put(edited.settings());
    take_over(next, edited.nodes(), changes.nodes_);
    take_over(next, edited.groups(), changes.groups_);
    take_over(next, edited.instances(), changes.instances_);
    take_over(next, edited.detached_disks(), changes.detached_disks_);
    snapshot_ = std::make_shared<model::Cluster const>(std::move(next));
    return {};
  }
  return fail(ErrorCode::TempInsufficientResources,
              "The configuration changed {} times while it was being edited; try again",
              update_tries_max);
}

Result<void> ConfigStore::forget() {
  Txn txn;
  for (auto const* prefix :
       {"/config/", "/jobs/", "/archive/", "/journal/", "/queue/", "/watcher/"}) {
    txn.delete_prefix(prefix);
  }
  TRY(store_.txn(txn));
  std::lock_guard const guard(mutex_);
  revisions_.clear();
  snapshot_ = std::make_shared<model::Cluster const>();
  return {};
}

Result<void> validate(model::Cluster const& cluster, std::set<InstanceId> const& changed) {
  if (changed.empty()) return {};
  std::map<std::string, std::string> names;
  std::map<std::string, std::string> macs;
  std::map<std::int64_t, std::string> ports;
  auto const once = [](auto& seen, auto const& value, std::string const& owner,
                       std::string_view what) -> Result<void> {
    auto const [known, is_new] = seen.emplace(value, owner);
    if (is_new) return {};
    return fail(ErrorCode::AlreadyExists, "{} {} of {} is already used by {}", what, value, owner,
                known->second);
  };
  for (auto const& [id, instance] : cluster.instances()) {
    TRY(once(names, instance->name, instance->name, "The name"));
    if (instance->network_port) {
      TRY(once(ports, *instance->network_port, instance->name, "The port"));
    }
    for (auto const& nic : instance->nics) {
      if (!nic.mac.empty()) TRY(once(macs, nic.mac, instance->name, "The MAC address"));
    }
    if (changed.contains(id) && !cluster.nodes().contains(instance->primary_node)) {
      return fail(ErrorCode::InternalError, "The primary node of {} does not exist",
                  instance->name);
    }
  }
  return {};
}

}  // namespace flotte::store
