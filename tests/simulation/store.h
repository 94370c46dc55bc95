// SimulatedStore: a store that outlives its clients, answers late, refuses while it is full, and
// can lose the last transactions that nobody was told of when its machine loses power.
#pragma once

#include <deque>
#include <functional>

#include "scheduler.h"
#include "store/table.h"

namespace flotte::simulation {

class SimulatedStore final : public store::Store {
 public:
  // Called before and after each transaction: a place where the client may die.
  using Point = std::function<void(std::string_view what)>;
  // Called with what has just been written.
  using Written = std::function<void(store::Txn const& txn)>;

  explicit SimulatedStore(Scheduler& scheduler, std::uint64_t seed)
      : scheduler_(scheduler), random_(seed) {}

  void on_point(Point point) { point_ = std::move(point); }
  void on_written(Written written) { written_ = std::move(written); }

  Result<std::vector<store::KeyValue>> range(std::string_view prefix, std::size_t limit) override;
  Result<store::TxnReply> txn(store::Txn const& txn) override;

  // What is stored, for those who look from outside.
  std::vector<store::KeyValue> content(std::string_view prefix) const {
    return table_.range(prefix);
  }
  void set_full(bool is_full) { is_full_ = is_full; }
  // Of the transactions that nobody was told of, a random number of the last is lost.
  void lose_power();
  std::uint64_t transactions() const { return transactions_; }
  std::uint64_t lost() const { return lost_; }

 private:
  struct Recent {
    store::Table::Batch before;  // what the keys had
    std::int64_t revision = 0;
    bool is_told = false;
  };

  Scheduler& scheduler_;
  SeededRandom random_;
  store::Table table_;
  std::int64_t revision_ = 0;
  std::deque<std::shared_ptr<Recent>> recent_;
  bool is_full_ = false;
  std::uint64_t transactions_ = 0;
  std::uint64_t lost_ = 0;
  Point point_;
  Written written_;
};

}  // namespace flotte::simulation
