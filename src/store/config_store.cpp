#include "store/config_store.h"

#include <algorithm>
#include <boost/json/serialize.hpp>

#include "base/log.h"
#include "base/seeded_fault.h"
#include "base/text.h"

namespace flotte::store {
namespace {

namespace json = boost::json;

// Also what every commit reads and forget() writes.
constexpr std::string_view config_prefix = "/config/";
constexpr std::string_view settings_key = "/config/settings";
// Ganeti's range.
constexpr std::int64_t port_lowest = 11'000;
constexpr std::int64_t port_highest = 14'999;

// What only one may have, as a commit under way holds it.
std::string name_claim(std::string_view name) {
  return fmt::format("name/{}", lower_case(std::string(name)));
}
std::string mac_claim(std::string_view mac) {
  return fmt::format("mac/{}", lower_case(std::string(mac)));
}
std::string port_claim(std::int64_t port) {
  return fmt::format("port/{}", port);
}
std::string address_claim(NetworkId const& network, std::string_view address) {
  return fmt::format("ip/{}/{}", network.text(), address);
}

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

double seconds(WallTime time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

Failure already_used(ErrorCode code, std::string_view what, std::string_view value,
                     model::Instance const& by, model::Instance const& owner) {
  return fail(code, "The {} {} of {} is already used by {}", what, value, by.name, owner.name);
}

// A build before this one could leave two with one address. They go on, and so do all others; who
// reads the log, or runs `gnt-cluster verify`, can tell them apart.
void tell_damage(model::Cluster const& cluster) {
  auto const tell = [](std::string_view what, std::string_view value, model::Instance const& one,
                       model::InstancePtr const& other) {
    if (!other || other->uuid < one.uuid) return;
    log::error("The {} {} is both {}'s ({}) and {}'s ({}); give one of them another", what, value,
               one.name, one.uuid.text(), other->name, other->uuid.text());
  };
  for (auto const& [id, instance] : cluster.instances()) {
    tell("name", instance->name, *instance, cluster.other_with_name(instance->name, id));
    for (auto const& nic : instance->nics) {
      tell("MAC address", nic.mac, *instance, cluster.other_with_mac(nic.mac, id));
    }
    if (!instance->network_port) continue;
    auto const port = *instance->network_port;
    tell("port", std::to_string(port), *instance, cluster.other_with_port(port, id));
  }
}

}  // namespace

model::Settings const& ClusterEdit::settings() {
  reads_.emplace(settings_key);
  return edited_.settings();
}

void ClusterEdit::put(model::Settings settings) {
  has_settings_ = true;
  edited_.put(std::move(settings));
}

Failure ClusterEdit::not_known(std::string_view title, std::string_view id) {
  return fail(ErrorCode::UnknownEntity, "{} '{}' not known", title, id);
}

Result<std::int64_t> ClusterEdit::allocate_port() const {
  auto const port = edited_.free_port(port_lowest, port_highest, is_port_taken_);
  if (port) return *port;
  return fail(ErrorCode::InsufficientResources,
              "The highest used port is greater than {}. Aborting.", port_highest);
}

// A commit on its way: the configuration as it will be, and all that it touches.
struct ConfigStore::Commit {
  model::Cluster edited;
  std::map<std::string, std::string> puts;  // by key
  std::set<std::string> removals;
  std::set<std::string> reads;   // keys that are not written
  std::set<std::string> claims;  // what its instances and groups alone may have from now on
  // What is taken over into the newest snapshot.
  bool has_settings = false;
  Touched touched;
};

// Makes a commit of an edit: checks what must be true of every configuration, of what has changed
// alone, and writes serial numbers and times.
class CommitMaker {
 public:
  CommitMaker(ClusterEdit& edit, double now) : edit_(edit), now_(now) {}

  Result<ConfigStore::Commit> make() {
    TRY(check_each());
    TRY(check_moved());
    if (edit_.has_settings_) {
      auto const settings = bumped(edit_.edited_.settings(), &edit_.base_.settings());
      put(std::string(settings_key), settings);
    }
    model::for_each_kind([&]<class T>() { write<T>(); });
    commit_.reads.emplace(config_prefix);
    for (auto const& key : edit_.reads_) {
      if (!commit_.puts.contains(key) && !commit_.removals.contains(key)) commit_.reads.insert(key);
    }
    commit_.has_settings = edit_.has_settings_;
    commit_.touched = std::move(edit_.touched_);
    commit_.edited = std::move(edit_.edited_);
    return std::move(commit_);
  }

 private:
  // Of what is touched: as it was, and as it will be; null: it isn't there.
  Result<void> check_each() {
    Result<void> done;
    model::for_each_kind([&]<class T>() {
      for (auto const& id : edit_.touched_.of<T>()) {
        if (!done) return;
        done = check(edit_.base_.find(id).get(), edit_.edited_.find(id).get());
      }
    });
    return done;
  }

  Result<void> check(model::Node const* before, model::Node const* after) {
    if (!after || (before && before->group == after->group)) return {};
    edit_.reads_.insert(key_of<model::Group>(after->group));
    if (before) moved_.insert(after->uuid);
    if (edit_.edited_.find(after->group)) return {};
    return fail(ErrorCode::InternalError, "The group {} of {} does not exist", after->group.text(),
                after->name);
  }

  // Of all instances that go to another group with their node. Who comes into a network, or to the
  // node, reads the node.
  Result<void> check_moved() {
    if (moved_.empty()) return {};
    for (auto const& [id, instance] : edit_.edited_.instances()) {
      if (moved_.contains(instance->primary_node)) TRY(check_networks(*instance, nullptr));
    }
    return {};
  }

  Result<void> check(model::Group const* before, model::Group const* after) {
    if (!after) return before ? check_has_no_nodes(*before) : Result<void>();
    TRY(check_connections(before, *after));
    return check_name(before, *after, "group");
  }

  // No two of a kind have one.
  template <class T>
  Result<void> check_name(T const* before, T const& after, std::string_view kind) {
    if (before && before->name == after.name) return {};
    commit_.claims.insert(fmt::format("{}/{}", kind, after.name));
    for (auto const& [other_id, other] : edit_.edited_.template all<T>()) {
      if (other_id == after.uuid || other->name != after.name) continue;
      return fail(ErrorCode::AlreadyExists, "The name {} is already used by the {} {}", after.name,
                  kind, other_id.text());
    }
    return {};
  }

  // A network that is connected exists, and one that NICs are in stays connected.
  Result<void> check_connections(model::Group const* before, model::Group const& after) {
    for (auto const& connection : after.networks) {
      if (before && before->connection(connection.network)) continue;
      edit_.reads_.insert(key_of<model::Network>(connection.network));
      if (edit_.edited_.find(connection.network)) continue;
      return fail(ErrorCode::UnknownEntity, "Network '{}' not found", connection.network.text());
    }
    auto const none = std::vector<model::NetworkConnection>();
    for (auto const& connection : before ? before->networks : none) {
      if (after.connection(connection.network)) continue;
      TRY(check_is_unused(connection.network, after));
    }
    return {};
  }

  Result<void> check_is_unused(NetworkId const& network, model::Group const& group) {
    for (auto const& [id, instance] : edit_.edited_.instances()) {
      auto const has_it = [&](model::Nic const& nic) { return nic.network == network; };
      auto const node = edit_.edited_.find(instance->primary_node);
      if (!node || node->group != group.uuid || std::ranges::none_of(instance->nics, has_it)) {
        continue;
      }
      return fail(ErrorCode::WrongState, "{} is in the network meanwhile", instance->name);
    }
    return {};
  }

  Result<void> check(model::Network const* before, model::Network const* after) {
    if (!after) return before ? check_is_unconnected(*before) : Result<void>();
    TRY(check_gateway(before, *after));
    return check_name(before, *after, "network");
  }

  Result<void> check_gateway(model::Network const* before, model::Network const& after) {
    if (!after.gateway || (before && before->gateway == after.gateway)) return {};
    commit_.claims.insert(address_claim(after.uuid, *after.gateway));
    auto const owner = edit_.edited_.other_with_address(after.uuid, *after.gateway, {});
    if (!owner) return {};
    return fail(ErrorCode::ResourceNotUnique, "The gateway {} of {} is the address of {}",
                *after.gateway, after.name, owner->name);
  }

  Result<void> check_is_unconnected(model::Network const& network) {
    for (auto const& [id, group] : edit_.edited_.groups()) {
      edit_.reads_.insert(key_of<model::Group>(id));
      if (!group->connection(network.uuid)) continue;
      return fail(ErrorCode::WrongState, "Group {} is connected to the network meanwhile",
                  group->name);
    }
    return {};
  }

  Result<void> check_has_no_nodes(model::Group const& group) {
    for (auto const& [id, node] : edit_.edited_.nodes()) {
      edit_.reads_.insert(key_of<model::Node>(id));
      if (node->group != group.uuid) continue;
      return fail(ErrorCode::WrongState, "Node {} is in the group meanwhile", node->name);
    }
    return {};
  }

  Result<void> check(model::DetachedDisk const*, model::DetachedDisk const*) { return {}; }

  // What it had before is its own, whoever else has it, too.
  Result<void> check(model::Instance const* before, model::Instance const* after) {
    if (!after) return {};
    auto const& id = after->uuid;
    TRY(check_primary(*after, before));
    TRY(check_macs(*after, before));
    TRY(check_networks(*after, before));
    if (!before || before->name != after->name) {
      commit_.claims.insert(name_claim(after->name));
      if (auto const other = edit_.edited_.other_with_name(after->name, id)) {
        return already_used(ErrorCode::AlreadyExists, "name", after->name, *after, *other);
      }
    }
    auto const& port = after->network_port;
    if (!port || (before && before->network_port == port)) return {};
    commit_.claims.insert(port_claim(*port));
    if (auto const other = edit_.edited_.other_with_port(*port, id)) {
      return already_used(ErrorCode::ResourceNotUnique, "port", std::to_string(*port), *after,
                          *other);
    }
    return {};
  }

  Result<void> check_primary(model::Instance const& after, model::Instance const* before) {
    if (before && before->primary_node == after.primary_node) return {};
    edit_.reads_.insert(key_of<model::Node>(after.primary_node));
    if (edit_.edited_.find(after.primary_node)) return {};
    return fail(ErrorCode::InternalError, "The primary node of {} does not exist", after.name);
  }

  Result<void> check_macs(model::Instance const& after, model::Instance const* before) {
    auto const count = [](model::Instance const* instance, std::string const& mac) {
      return instance ? std::ranges::count(instance->nics, mac, &model::Nic::mac) : 0;
    };
    for (auto const& nic : after.nics) {
      auto const had = count(before, nic.mac);
      if (nic.mac.empty() || had >= count(&after, nic.mac)) continue;
      commit_.claims.insert(mac_claim(nic.mac));
      auto const other = edit_.edited_.other_with_mac(nic.mac, after.uuid);
      auto const is_twice = count(&after, nic.mac) > 1;
      if (!other && !is_twice) continue;
      return already_used(ErrorCode::ResourceNotUnique, "MAC address", nic.mac, after,
                          other ? *other : after);
    }
    return {};
  }

  // A NIC's network is connected to the group of its node, and its address there is its own.
  Result<void> check_networks(model::Instance const& after, model::Instance const* before) {
    for (auto const& nic : after.nics) {
      if (!nic.network) continue;
      auto const same = [&](model::Nic const& other) {
        return other.network == nic.network && other.ip == nic.ip;
      };
      auto const count = std::ranges::count_if(after.nics, same);
      if (before && before->primary_node == after.primary_node &&
          std::ranges::count_if(before->nics, same) >= count) {
        continue;
      }
      TRY(check_is_connected(after, nic));
      if (!nic.ip) continue;
      commit_.claims.insert(address_claim(*nic.network, *nic.ip));
      auto const other = edit_.edited_.other_with_address(*nic.network, *nic.ip, after.uuid);
      if (!other && count == 1) continue;
      return already_used(ErrorCode::ResourceNotUnique, "IP address", *nic.ip, after,
                          other ? *other : after);
    }
    return {};
  }

  Result<void> check_is_connected(model::Instance const& instance, model::Nic const& nic) {
    edit_.reads_.insert(key_of<model::Network>(*nic.network));
    edit_.reads_.insert(key_of<model::Node>(instance.primary_node));
    auto const node = edit_.edited_.find(instance.primary_node);
    auto const group = node ? edit_.edited_.find(node->group) : nullptr;
    if (group) edit_.reads_.insert(key_of<model::Group>(group->uuid));
    auto const network = edit_.edited_.find(*nic.network);
    if (network && group && group->connection(*nic.network)) return {};
    return fail(ErrorCode::WrongState, "The network {} of {} is not connected to the group {}",
                network ? network->name : nic.network->text(), instance.name,
                group ? group->name : "of its node");
  }

  // Serial numbers go on also where what was is put back.
  template <class T>
  T bumped(T object, [[maybe_unused]] T const* before) const {
    if constexpr (requires { object.serial_no; }) {
      if (before) object.serial_no = std::max(object.serial_no, before->serial_no);
      ++object.serial_no;
      object.mtime = now_;
    }
    return object;
  }

  template <class T>
  void put(std::string key, T const& object) {
    commit_.puts[std::move(key)] = json::serialize(schema::encode(object));
    edit_.edited_.put(object);
  }

  template <class T>
  void write() {
    for (auto const& id : edit_.touched_.of<T>()) {
      if (auto const after = edit_.edited_.find(id)) {
        put(key_of<T>(id), bumped(*after, edit_.base_.find(id).get()));
      } else {
        commit_.removals.insert(key_of<T>(id));
      }
    }
  }

  ClusterEdit& edit_;
  std::set<NodeId> moved_;  // into other groups
  double now_;
  ConfigStore::Commit commit_;
};

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
      continue;
    }
    Result<void> put =
        fail(ErrorCode::EnvironmentError, "The store has an unknown object: {}", kv.key);
    model::for_each_kind([&]<class T>() {
      if (!kv.key.starts_with(key_of<T>({}))) return;
      auto object = decode<T>(kv);
      put = object ? Result<void>() : Result<void>(Failure(object.error()));
      if (object) cluster.put(*std::move(object));
    });
    TRY(put);
  }
  tell_damage(cluster);
  snapshot_ = std::make_shared<model::Cluster const>(std::move(cluster));
  return {};
}

std::shared_ptr<model::Cluster const> ConfigStore::snapshot() const {
  Guard const guard(clock_, mutex_);
  return snapshot_;
}

bool ConfigStore::is_initialised() const {
  return !snapshot()->settings().uuid.empty();
}

// Runs the edit on the newest snapshot until nothing that it touches is on its way elsewhere.
Result<ConfigStore::Commit> ConfigStore::wait_for_turn(Guard& guard, Edit const& edit, double now) {
  auto const is_port_taken = [this](std::int64_t port) {
    return under_way_.written.contains(port_claim(port)) &&
           !has_fault(SeededFault::CommitNotCompared);
  };
  for (;;) {
    ClusterEdit changes(*snapshot_, is_port_taken);
    TRY(edit(changes));
    auto commit = TRY(CommitMaker(changes, now).make());
    if (may_go(commit) || has_fault(SeededFault::CommitNotCompared)) return commit;
    clock_.wait(guard, ended_);
  }
}

bool ConfigStore::may_go(Commit const& commit) const {
  auto const is_written = [this](std::string const& key) {
    return under_way_.written.contains(key);
  };
  auto const is_touched = [&](std::string const& key) {
    return is_written(key) || under_way_.read.contains(key);
  };
  return std::ranges::none_of(commit.reads, is_written) &&
         std::ranges::none_of(commit.claims, is_written) &&
         std::ranges::none_of(commit.removals, is_touched) &&
         std::ranges::none_of(commit.puts, [&](auto const& put) { return is_touched(put.first); });
}

// All of it or, where there is no memory for that, nothing.
void ConfigStore::begin(Commit const& commit) {
  UnderWay added;
  for (auto const& key : commit.reads) added.read.emplace(key, 0);
  for (auto const& [key, value] : commit.puts) added.written.insert(key);
  added.written.insert(commit.removals.begin(), commit.removals.end());
  added.written.insert(commit.claims.begin(), commit.claims.end());
  under_way_.read.merge(added.read);
  under_way_.written.merge(added.written);
  for (auto const& key : commit.reads) ++under_way_.read.find(key)->second;
}

void ConfigStore::end(Commit const& commit) {
  for (auto const& key : commit.reads) {
    auto const readers = under_way_.read.find(key);
    if (--readers->second == 0) under_way_.read.erase(readers);
  }
  for (auto const& [key, value] : commit.puts) under_way_.written.erase(key);
  for (auto const& key : commit.removals) under_way_.written.erase(key);
  for (auto const& key : commit.claims) under_way_.written.erase(key);
  clock_.notify_all(ended_);
}

Txn ConfigStore::transaction(Commit const& commit, Txn const& extra) const {
  Txn txn;
  auto const compare = [&](std::string const& key) {
    auto const known = revisions_.find(key);
    txn.compare(key, known == revisions_.end() ? 0 : known->second);
  };
  for (auto const& [key, value] : commit.puts) {
    compare(key);
    txn.put(key, value);
  }
  for (auto const& key : commit.removals) {
    compare(key);
    txn.remove(key);
  }
  for (auto const& key : commit.reads) {
    if (key != config_prefix) compare(key);
  }
  if (has_fault(SeededFault::CommitNotCompared)) txn.compares.clear();
  for (auto const& operation : extra.operations) txn.operations.push_back(operation);
  return txn;
}

// While one lives others wait for what the commit touches; also an exception ends that. Made and
// ended with the mutex held, or ended where an exception has given it up.
class ConfigStore::Turn {
 public:
  Turn(ConfigStore& config, Guard& guard, Commit const& commit)
      : config_(config), guard_(guard), commit_(commit) {
    config_.begin(commit_);
  }
  ~Turn() {
    if (!guard_.owns_lock()) guard_.lock();
    config_.end(commit_);
  }
  Turn(Turn const&) = delete;
  Turn& operator=(Turn const&) = delete;

 private:
  ConfigStore& config_;
  Guard& guard_;
  Commit const& commit_;
};

Result<TxnReply> ConfigStore::in_its_turn(Guard& guard, Commit const& commit, Txn const& txn) {
  Turn const turn(*this, guard, commit);
  guard.unlock();
  auto reply = store_.txn(txn);
  guard.lock();
  return reply;
}

Result<void> ConfigStore::update(Edit const& edit, Txn const& extra) {
  auto const now = seconds(clock_.wall());
  Guard guard(clock_, mutex_);
  auto const commit = TRY(wait_for_turn(guard, edit, now));
  auto const reply = TRY(in_its_turn(guard, commit, transaction(commit, extra)));
  if (!reply.succeeded) {
    return fail(ErrorCode::InternalError,
                "The stored configuration is not what was read from it: something else writes to "
                "the store. Nothing was changed; restart flotte-controllerd");
  }
  take_over(commit, reply.revision);
  guard.unlock();
  if (changed_) changed_();
  return {};
}

// Others have committed other things meanwhile: only what is its own becomes that of the newest
// snapshot.
void ConfigStore::take_over(Commit const& commit, std::int64_t revision) noexcept {
  for (auto const& [key, value] : commit.puts) revisions_[key] = revision;
  for (auto const& key : commit.removals) revisions_.erase(key);
  auto next = *snapshot_;
  if (commit.has_settings) next.put(commit.edited.settings());
  model::for_each_kind([&]<class T>() {
    for (auto const& id : commit.touched.of<T>()) {
      if (auto const object = commit.edited.find(id)) {
        next.put(*object);
      } else {
        next.remove(id);
      }
    }
  });
  snapshot_ = std::make_shared<model::Cluster const>(std::move(next));
}

Result<void> ConfigStore::forget() {
  Txn txn;
  for (auto const* prefix : {"/config/", "/jobs/", "/archive/", "/log/", "/journal/", "/secrets/",
                             "/queue/", "/watcher/"}) {
    txn.delete_prefix(prefix);
  }
  Commit all;
  all.removals.emplace(config_prefix);
  Guard guard(clock_, mutex_);
  while (!may_go(all)) clock_.wait(guard, ended_);
  TRY(in_its_turn(guard, all, txn));
  revisions_.clear();
  snapshot_ = std::make_shared<model::Cluster const>();
  guard.unlock();
  if (changed_) changed_();
  return {};
}

}  // namespace flotte::store
