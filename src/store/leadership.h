// Leadership: which of several controllers over one Store may write.
//
// A lease that needs no common clock: the leader keeps writing a heartbeat, and a standby that has
// seen it stand still for a whole lease, by its own clock, takes over by raising the epoch. A
// leader that hung for longer wakes up to a LeaderStore that refuses it, and to nodes that have
// seen the higher epoch.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "base/clock.h"
#include "store/store.h"

namespace flotte::store {

// Used by the thread that made it; `lost` comes on a thread of its own.
class Leadership {
 public:
  // A lease of zero: nobody else can have this store open, so nobody is waited for.
  Leadership(Store& store, Clock& clock, Duration lease);
  ~Leadership();

  // Waits as a standby until nobody else leads, then leads. WrongState: stop() was called.
  Result<void> acquire();
  // Starts the heartbeat. `lost` is called once, when another one leads or the lease may have run
  // out.
  void keep(std::function<void()> lost);
  // Ends the waiting and the heartbeat; what was acquired is left to run out.
  void stop();

  // Higher than that of every leader before.
  std::int64_t epoch() const { return epoch_; }
  // Of the transaction that made it the leader, for LeaderStore.
  std::int64_t revision() const { return revision_; }

 private:
  struct Seen {
    std::int64_t epoch = 0;
    std::int64_t epoch_revision = 0;
    std::int64_t heartbeat_revision = 0;
  };
  Result<Seen> look();
  // False: somebody was faster, or is still alive.
  Result<bool> take_over(Seen const& seen);
  Result<bool> write_heartbeat();
  bool pause(Duration duration);
  void run(std::function<void()> const& lost);

  Store& store_;
  Clock& clock_;
  Duration const lease_;
  std::int64_t epoch_ = 0;
  std::int64_t revision_ = 0;
  std::mutex mutex_;
  std::condition_variable stop_;
  bool is_stopping_ = false;
  std::thread thread_;
};

// The Store of the one who leads: each transaction also compares the leadership. One that fails for
// that reason is an error of the class Deposed. Thread-safe.
class LeaderStore final : public Store {
 public:
  LeaderStore(Store& store, std::int64_t leadership_revision)
      : store_(store), leadership_revision_(leadership_revision) {}

  Result<std::vector<KeyValue>> range(std::string_view prefix, std::size_t limit) override {
    return store_.range(prefix, limit);
  }
  Result<TxnReply> txn(Txn const& txn) override;

 private:
  Store& store_;
  std::int64_t leadership_revision_;
};

}  // namespace flotte::store
