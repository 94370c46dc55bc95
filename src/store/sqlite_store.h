// SqliteStore: the embedded Store, for clusters of one node. WAL, synchronous=FULL, one writer.
//
// Group commit: transactions that arrive while a commit is under way share the next one and its
// fsync. Reads come from memory, but those of cold keys, which are on disk alone. One process at a
// time, by a lock on a file beside the database. Thread-safe.
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

  Result<std::vector<KeyValue>> range(std::string_view prefix, std::size_t limit) override;
  Result<TxnReply> txn(Txn const& txn) override;
  // Transactions to disk so far; for tests of the group commit.
  std::int64_t commits() const;
  // Keys in memory; for tests of those that are not.
  std::size_t keys_in_memory() const;

 private:
  struct Waiting {
    Txn const& txn;
    Result<TxnReply> reply = TxnReply{};
    bool is_done = false;
  };

  // What a number of transactions write: into memory and the database, or into that alone.
  struct Batch {
    Table::Batch hot;
    std::vector<std::pair<Operation const*, std::int64_t>> cold;  // with their revisions

    bool is_empty() const { return hot.empty() && cold.empty(); }
  };

  SqliteStore(std::string path, Clock& clock) : path_(std::move(path)), clock_(clock) {}
  Result<void> lock();
  Result<void> open();
  Result<void> sweep();
  Result<void> execute(char const* sql);
  Result<void> load();
  Result<std::vector<KeyValue>> read(std::string_view prefix, std::size_t limit);
  void decide(Txn const& txn, std::int64_t revision, Batch& batch) const;
  Result<void> write(Batch const& batch, std::int64_t revision);
  // `code`: SQLite's own, where the commit fails.
  Result<void> write_all(Batch const& batch, std::int64_t revision, int& code);
  void empty_log(Error const& error);
  void run_writer();

  std::string path_;
  Clock& clock_;
  sqlite3* db_ = nullptr;      // of the writer
  sqlite3* reader_ = nullptr;  // of what is not in memory
  std::mutex reader_mutex_;
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
