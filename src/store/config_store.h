// ConfigStore: the configuration of the cluster on top of a Store.
//
// snapshot() hands out an immutable Cluster at no cost. update() runs an edit on the newest one and
// commits it in a transaction that compares all that it read and writes. Commits about different
// things are on their way together; one that touches what another has not finished waits for that,
// so none is ever given up because others were busy. What only one instance may have (its name, its
// MAC addresses, its port) is looked up in indexes of the Cluster, and who commits such a thing
// holds it until its transaction has ended: keys for it in the store would say what the instances
// say already, and would have to be kept true. Over a LeaderStore a deposed leader can't write, and
// nobody else can. Thread-safe.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "model/cluster.h"
#include "store/store.h"

namespace flotte::store {

// Where an object lies.
template <class T>
std::string key_of(model::IdOf<T> const& id) {
  return fmt::format("/config/{}/{}", model::Kind<T>::directory, id.text());
}

template <class T>
using IdSet = std::set<model::IdOf<T>>;
using Touched = model::EachKind<IdSet>;

// Changes on their way to the configuration, over the snapshot that they are based on.
class ClusterEdit {
 public:
  using PortTaken = std::function<bool(std::int64_t)>;

  // `is_port_taken`: by a commit that is under way.
  ClusterEdit(model::Cluster const& base, PortTaken is_port_taken)
      : base_(base), edited_(base), is_port_taken_(std::move(is_port_taken)) {}

  // With the changes so far, to find things by their names. What is decided by it is not compared:
  // that is read below.
  model::Cluster const& cluster() const { return edited_; }

  // What is read is compared when the edit is committed. Objects are copies, to change and put()
  // back.
  model::Settings const& settings();
  // UnknownEntity: there is none with this UUID.
  template <class Id>
  Result<model::ObjectOf<Id>> get(Id const& id) {
    using T = model::ObjectOf<Id>;
    reads_.insert(key_of<T>(id));
    if (auto const found = edited_.find(id)) return *found;
    return not_known(model::Kind<T>::title, id.text());
  }

  void put(model::Settings settings);
  template <class T>
  void put(T object) {
    touched_.of<T>().insert(model::Kind<T>::id(object));
    edited_.put(std::move(object));
  }
  // One that isn't there is no error; the commit refuses to remove a group
  // that has nodes, or a network that is connected.
  template <class Id>
  void remove(Id const& id) {
    touched_.of<model::ObjectOf<Id>>().insert(id);
    edited_.remove(id);
  }

  // A TCP port for a display: the lowest that no instance has.
  Result<std::int64_t> allocate_port() const;

 private:
  friend class CommitMaker;
  static Failure not_known(std::string_view title, std::string_view id);

  model::Cluster base_;
  model::Cluster edited_;
  PortTaken is_port_taken_;
  std::set<std::string> reads_;  // keys
  bool has_settings_ = false;
  Touched touched_;
};

class ConfigStore {
 public:
  // Pure and short: others wait meanwhile. It may run several times.
  using Edit = std::function<Result<void>(ClusterEdit&)>;

  static Result<std::unique_ptr<ConfigStore>> create(Store& store, Clock& clock);

  std::shared_ptr<model::Cluster const> snapshot() const;
  bool is_initialised() const;

  // Commits the edit and `extra` in one transaction. The edit's own error ends it, and so does what
  // would leave an invalid configuration: AlreadyExists, ResourceNotUnique, InternalError.
  Result<void> update(Edit const& edit, Txn const& extra);

  // Removes the whole configuration, all jobs and the journal: `gnt-cluster destroy`.
  Result<void> forget();

  // Called after each commit; short. Set before others use the store.
  void on_change(std::function<void()> changed) { changed_ = std::move(changed); }

 private:
  // What the commits under way touch: a thing is read by any number of them, or written by one.
  struct UnderWay {
    std::map<std::string, int, std::less<>> read;
    std::set<std::string, std::less<>> written;
  };
  struct Commit;
  class Turn;

  ConfigStore(Store& store, Clock& clock) : store_(store), clock_(clock) {}
  Result<void> load();
  Result<Commit> wait_for_turn(Guard& guard, Edit const& edit, double now);
  bool may_go(Commit const& commit) const;
  Result<TxnReply> in_its_turn(Guard& guard, Commit const& commit, Txn const& txn);
  void begin(Commit const& commit);
  void end(Commit const& commit);
  Txn transaction(Commit const& commit, Txn const& extra) const;
  // What is durable must be known: an exception here ends the process, and the next start reads it.
  void take_over(Commit const& commit, std::int64_t revision) noexcept;

  friend class CommitMaker;
  Store& store_;
  Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable ended_;  // a commit
  std::shared_ptr<model::Cluster const> snapshot_ = std::make_shared<model::Cluster const>();
  std::unordered_map<std::string, std::int64_t> revisions_;  // of the stored objects
  UnderWay under_way_;
  std::function<void()> changed_;
};

}  // namespace flotte::store
