// SqliteStore: the embedded Store, for clusters of one node. WAL, synchronous=FULL, one writer.
//
// Group commit: transactions that arrive while a commit is under way share the next one and its
// fsync. Reads come from memory. One process at a time, by a lock on a file beside the database.
// Thread-safe.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

#include "base/clock.h"
#include "store/table.h"

struct sqlite3;

namespace flotte::store {

class SqliteStore final : public Store {
 public:
  // Makes the file (mode 0600) where there is none. Refused, with what to do: a store that another
  // process has open, which is named; a file that is no database, not ours, of a newer version,
  // truncated or corrupt.
  static Result<std::unique_ptr<SqliteStore>> create(std::string const& path, Clock& clock);
  ~SqliteStore() override;

  Result<std::vector<KeyValue>> range_prefix(std::string_view prefix) override;
  Result<TxnReply> txn(Txn const& txn) override;
  // Transactions to disk so far; for tests of the group commit.
  std::int64_t commits() const;

 private:
  struct Waiting {
    Txn const& txn;
    Result<TxnReply> reply = TxnReply{};
    bool is_done = false;
  };

  SqliteStore(std::string path, Clock& clock) : path_(std::move(path)), clock_(clock) {}
  Result<void> lock();
  Result<void> open();
  Result<void> execute(char const* sql);
  Result<void> load();
  Result<void> write(Table::Batch const& batch, std::int64_t revision);
  void empty_log(Error const& error);
  void run_writer();

  std::string path_;
  Clock& clock_;
  sqlite3* db_ = nullptr;
  int lock_fd_ = -1;
  mutable std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable done_;
  std::deque<Waiting*> waiting_;
  Table table_;
  std::int64_t revision_ = 0;
  std::int64_t commits_ = 0;
  bool is_stopping_ = false;
  std::thread writer_;
};

}  // namespace flotte::store
