// ConfigStore: the configuration of the cluster on top of a Store.
//
// snapshot() hands out an immutable Cluster at no cost. update() runs an edit against a snapshot
// and commits it by comparing the revisions of all it changes. Over a LeaderStore a deposed leader
// can't write. Thread-safe.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "base/clock.h"
#include "model/cluster.h"
#include "store/store.h"

namespace flotte::store {

// Changes on their way to the configuration, over the snapshot that they are based on.
class ClusterEdit {
 public:
  explicit ClusterEdit(std::shared_ptr<model::Cluster const> base)
      : base_(std::move(base)), edited_(*base_) {}

  model::Cluster const& base() const { return *base_; }
  // With the changes so far.
  model::Cluster const& edited() const { return edited_; }

  // A copy to change and put() back.
  Result<model::Instance> instance(InstanceId const& id) const;

  void put(model::Settings settings);
  void put(model::Node node);
  void put(model::Group group);
  void put(model::Instance instance);
  void put(model::DetachedDisk disk);
  // Its port goes back to the pool. One that isn't there is no error.
  void remove_instance(InstanceId const& id);
  // One that isn't there is no error.
  void remove_detached_disk(DiskId const& id);
  // One that isn't there is no error; one that has nodes is.
  Result<void> remove_group(GroupId const& id);

  // A TCP port for a display, from the pool of given-back ones or the next above the highest.
  Result<std::int64_t> allocate_port();

 private:
  friend class ConfigStore;
  void release_port(std::int64_t port);

  std::shared_ptr<model::Cluster const> base_;
  model::Cluster edited_;
  bool has_settings_ = false;
  std::set<NodeId> nodes_;
  std::set<GroupId> groups_;
  std::set<InstanceId> instances_;
  std::set<DiskId> detached_disks_;
};

class ConfigStore {
 public:
  using Edit = std::function<Result<void>(ClusterEdit&)>;

  static Result<std::unique_ptr<ConfigStore>> create(Store& store, Clock& clock);

  std::shared_ptr<model::Cluster const> snapshot() const;
  bool is_initialised() const;

  // Commits the edit and `extra` in one transaction. The edit runs again, on a fresh snapshot, when
  // somebody else committed meanwhile; its own error ends it. InternalError: the edit leaves an
  // invalid configuration.
  Result<void> update(Edit const& edit, Txn const& extra);

  // Removes the whole configuration, all jobs and the journal: `gnt-cluster destroy`.
  Result<void> forget();

 private:
  ConfigStore(Store& store, Clock& clock) : store_(store), clock_(clock) {}
  Result<void> load();
  struct Prepared;
  Result<Prepared> prepare(ClusterEdit& edit) const;

  Store& store_;
  Clock& clock_;
  mutable std::mutex mutex_;
  std::shared_ptr<model::Cluster const> snapshot_ = std::make_shared<model::Cluster const>();
  std::map<std::string, std::int64_t> revisions_;  // of the stored objects
};

// What every committed configuration must be; the error names what is not.
Result<void> validate(model::Cluster const& cluster, std::set<InstanceId> const& changed);

}  // namespace flotte::store
