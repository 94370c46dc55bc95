#include "store/sqlite_store.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/boundary.h"
#include "base/log.h"

namespace flotte::store {
namespace {

// "Flot" in the header of the file: file(1) and we know our own.
constexpr int application_id = 0x466c6f74;
constexpr int schema_version = 1;
// Far less than systemd waits for a start.
constexpr auto sweep_patience = std::chrono::seconds(10);
constexpr int sweep_looks_after = 1000;  // instructions of SQLite's machine
// Who reads it keeps what it says in a form of its own: in memory are its revisions alone.
constexpr std::string_view read_once_prefix = "/config/";

struct Finalize {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

Statement prepare(sqlite3* db, char const* sql) {
  sqlite3_stmt* statement = nullptr;
  sqlite3_prepare_v2(db, sql, -1, &statement, nullptr);
  return Statement(statement);
}

Result<std::int64_t> number(sqlite3* db, char const* sql) {
  auto const statement = prepare(db, sql);
  if (!statement || sqlite3_step(statement.get()) != SQLITE_ROW) {
    return fail(ErrorCode::EnvironmentError, "{}", sqlite3_errmsg(db));
  }
  return sqlite3_column_int64(statement.get(), 0);
}

std::string text_column(sqlite3_stmt* statement, int column) {
  auto const* bytes = static_cast<char const*>(sqlite3_column_blob(statement, column));
  return bytes
             ? std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement, column)))
             : std::string();
}

void bind_bytes(sqlite3_stmt* statement, int index, std::string_view text) {
  sqlite3_bind_blob(statement, index, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
}

// The first key behind all that begin so.
std::string end_of(std::string_view prefix) {
  std::string end(prefix);
  ++end.back();
  return end;
}

Failure unusable(std::string const& path, std::string_view why) {
  return fail(ErrorCode::EnvironmentError,
              "The store {} can't be used: {}. Nothing was changed; move it away and restore it "
              "from a backup",
              path, why);
}

}  // namespace

Result<std::unique_ptr<SqliteStore>> SqliteStore::create(std::string const& path, Clock& clock) {
  std::unique_ptr<SqliteStore> store(new SqliteStore(path, clock));
  TRY(store->open());
  store->writer_ =
      clock.start_thread("store-writer", [writer = store.get()] { writer->run_writer(); });
  return store;
}

Result<void> SqliteStore::open() {
  std::error_code made;
  std::filesystem::create_directories(std::filesystem::path(path_).parent_path(), made);
  TRY(lock());
  // Made here, so that it never exists with a wider mode than this.
  int const fd = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) {
    return fail(ErrorCode::EnvironmentError, "Can't open the store {}: {}", path_,
                std::strerror(errno));
  }
  ::close(fd);
  if (sqlite3_open_v2(path_.c_str(), &db_, SQLITE_OPEN_READWRITE, nullptr) != SQLITE_OK) {
    return unusable(path_, sqlite3_errmsg(db_));
  }
  sqlite3_busy_timeout(db_, 2000);
  // Not the size of the file: what a killed first start has begun is undone when it is read.
  auto const pages = number(db_, "PRAGMA page_count");
  if (!pages) return unusable(path_, pages.error().message);
  if (*pages == 0) {
    auto const is_made =
        execute(fmt::format("BEGIN IMMEDIATE; PRAGMA application_id={}; PRAGMA user_version={};"
                            "CREATE TABLE kv(key BLOB PRIMARY KEY, value BLOB NOT NULL, "
                            "mod_revision INTEGER NOT NULL) WITHOUT ROWID;"
                            "CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL);"
                            "INSERT INTO meta VALUES('revision', 0), ('swept', 1); COMMIT;",
                            application_id, schema_version)
                    .c_str());
    if (!is_made) sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
    TRY(is_made);
  } else {
    auto const id = number(db_, "PRAGMA application_id");
    if (!id) return unusable(path_, id.error().message);
    if (*id != application_id) return unusable(path_, "it is a database of another program");
    auto const version = number(db_, "PRAGMA user_version");
    if (!version) return unusable(path_, version.error().message);
    if (*version > schema_version) {
      return unusable(path_, "it was written by a newer version of Flotte");
    }
    auto const check = prepare(db_, "PRAGMA quick_check(1)");
    if (!check || sqlite3_step(check.get()) != SQLITE_ROW) {
      return unusable(path_, sqlite3_errmsg(db_));
    }
    if (auto const verdict = text_column(check.get(), 0); verdict != "ok") {
      return unusable(path_, verdict);
    }
  }
  TRY(
      execute("PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=2000;"
              "PRAGMA secure_delete=ON;"));
  // Where it can't be had the answer is another mode, and no error.
  auto mode = prepare(db_, "PRAGMA journal_mode=WAL");
  if (!mode || sqlite3_step(mode.get()) != SQLITE_ROW) {
    return fail(ErrorCode::EnvironmentError,
                "The store {} can't be opened: {}. See that its file system has room and can be "
                "written",
                path_, sqlite3_errmsg(db_));
  }
  if (text_column(mode.get(), 0) != "wal") {
    return unusable(path_, "its file system allows no write-ahead log");
  }
  mode.reset();  // beside a statement that has not ended nothing is written anew
  TRY(sweep());
  if (sqlite3_open_v2(path_.c_str(), &reader_, SQLITE_OPEN_READONLY, nullptr) != SQLITE_OK) {
    return unusable(path_, sqlite3_errmsg(reader_));
  }
  sqlite3_busy_timeout(reader_, 2000);
  return load();
}

// What older versions deleted lies in free pages still; once, they are given up. What is deleted
// from now on is written over. Where that has no room, or would hold up the start, it is left to
// the next one: a controller matters more.
Result<void> SqliteStore::sweep() {
  auto const swept = number(db_, "SELECT count(*) FROM meta WHERE name='swept'");
  if (!swept) return unusable(path_, swept.error().message);
  if (*swept > 0) return {};
  struct Patience {
    Clock& clock;
    Instant ends;
  } patience{clock_, clock_.now() + sweep_patience};
  auto const has_ended = [](void* given) {
    auto const& wanted = *static_cast<Patience*>(given);
    return wanted.clock.now() >= wanted.ends ? 1 : 0;
  };
  sqlite3_progress_handler(db_, sweep_looks_after, has_ended, &patience);
  auto const is_swept = execute("VACUUM; INSERT INTO meta VALUES('swept', 1);");
  sqlite3_progress_handler(db_, 0, nullptr, nullptr);
  if (!is_swept) {
    log::warning(
        "{}. What older versions deleted lies in its free pages until a start has the room and "
        "the time to write it anew",
        is_swept.error().message);
  }
  // What it wrote is as large as the store, also where it failed.
  auto const is_emptied = execute("PRAGMA wal_checkpoint(TRUNCATE);");
  if (!is_emptied) log::warning("{}", is_emptied.error().message);
  return {};
}

Result<void> SqliteStore::execute(char const* sql) {
  if (sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
    return fail(ErrorCode::EnvironmentError, "The store {} can't be written: {}", path_,
                sqlite3_errmsg(db_));
  }
  return {};
}

Result<void> SqliteStore::load() {
  auto const revision = number(db_, "SELECT value FROM meta WHERE name='revision'");
  if (!revision) return unusable(path_, revision.error().message);
  revision_ = *revision;
  auto const rows = prepare(db_, "SELECT key, value, mod_revision FROM kv");
  if (!rows) return unusable(path_, sqlite3_errmsg(db_));
  for (;;) {
    auto const status = sqlite3_step(rows.get());
    if (status == SQLITE_DONE) return {};
    if (status != SQLITE_ROW) return unusable(path_, sqlite3_errmsg(db_));
    auto key = text_column(rows.get(), 0);
    if (is_cold(key)) continue;
    Table::Row row{text_column(rows.get(), 1), sqlite3_column_int64(rows.get(), 2)};
    if (key.starts_with(read_once_prefix)) row.value.emplace();
    table_.apply({{std::move(key), std::move(row)}});
  }
}

SqliteStore::~SqliteStore() {
  {
    std::lock_guard const guard(mutex_);
    is_stopping_ = true;
  }
  clock_.notify_all(work_);
  clock_.join(writer_);
  sqlite3_close(reader_);
  sqlite3_close(db_);
  if (lock_fd_ >= 0) ::close(lock_fd_);
}

// Before anything is read: what is read must still be true when it is written.
Result<void> SqliteStore::lock() {
  auto const lock = fmt::format("{}.controller.lock", path_);
  lock_fd_ = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (lock_fd_ < 0) {
    return fail(ErrorCode::EnvironmentError, "Can't open {}: {}", lock, std::strerror(errno));
  }
  if (::flock(lock_fd_, LOCK_EX | LOCK_NB) != 0) {
    char pid[32] = {};
    auto const got = ::pread(lock_fd_, pid, sizeof pid - 1, 0);
    return fail(ErrorCode::WrongState, "Another controller (process {}) leads on {}",
                got > 0 ? std::string_view(pid, static_cast<std::size_t>(got)) : "unknown", path_);
  }
  auto const pid = std::to_string(::getpid());
  if (::ftruncate(lock_fd_, 0) != 0 ||
      ::pwrite(lock_fd_, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return fail(ErrorCode::EnvironmentError, "Can't write {}: {}", lock, std::strerror(errno));
  }
  return {};
}

Result<std::vector<KeyValue>> SqliteStore::range(std::string_view prefix, std::size_t limit) {
  auto const has_kept =
      prefix.starts_with(read_once_prefix) || read_once_prefix.starts_with(prefix);
  if (is_cold(prefix) || has_kept) return read(prefix, limit);
  std::lock_guard const guard(mutex_);
  return table_.range(prefix, limit);
}

Result<std::vector<KeyValue>> SqliteStore::read(std::string_view prefix, std::size_t limit) {
  std::lock_guard const guard(reader_mutex_);
  auto const rows = prepare(reader_,
                            "SELECT key, value, mod_revision FROM kv "
                            "WHERE key >= ?1 AND key < ?2 ORDER BY key");
  auto const unreadable = [&] {
    return fail(ErrorCode::EnvironmentError, "The store {} can't be read: {}", path_,
                sqlite3_errmsg(reader_));
  };
  if (!rows) return unreadable();
  auto const end = end_of(prefix);
  bind_bytes(rows.get(), 1, prefix);
  bind_bytes(rows.get(), 2, end);
  auto const wants_cold = is_cold(prefix);
  std::vector<KeyValue> found;
  while (found.size() < limit) {
    auto const status = sqlite3_step(rows.get());
    if (status == SQLITE_DONE) break;
    if (status != SQLITE_ROW) return unreadable();
    auto key = text_column(rows.get(), 0);
    if (is_cold(key) && !wants_cold) continue;
    found.push_back(
        {std::move(key), text_column(rows.get(), 1), sqlite3_column_int64(rows.get(), 2)});
  }
  return found;
}

Result<TxnReply> SqliteStore::txn(Txn const& txn) {
  TRY(check_bounds(txn));
  Waiting waiting{txn};
  std::unique_lock guard(mutex_);
  if (is_stopping_) return fail(ErrorCode::EnvironmentError, "The store is closed");
  waiting_.push_back(&waiting);
  clock_.notify_all(work_);
  while (!waiting.is_done) clock_.wait(guard, done_);
  return waiting.reply;
}

std::int64_t SqliteStore::commits() const {
  std::lock_guard const guard(mutex_);
  return commits_;
}

std::size_t SqliteStore::keys_in_memory() const {
  std::lock_guard const guard(mutex_);
  return table_.size();
}

void SqliteStore::decide(Txn const& txn, std::int64_t revision, Batch& batch) const {
  for (auto const& operation : txn.operations) {
    if (is_cold(operation.key)) {
      batch.cold.emplace_back(&operation, revision);
    } else {
      table_.decide(operation, revision, batch.hot);
    }
  }
}

// Takes all that wait, decides them one after the other against memory and what the batch did so
// far, and writes what they change in one transaction of the database.
void SqliteStore::run_writer() {
  std::unique_lock guard(mutex_);
  for (;;) {
    while (waiting_.empty() && !is_stopping_) clock_.wait(guard, work_);
    if (waiting_.empty()) return;
    std::deque<Waiting*> batch;
    batch.swap(waiting_);

    // Each is decided against what the ones before it leave, and has a revision of its own.
    Batch decided;
    auto revision = revision_;
    for (auto* waiting : batch) {
      auto const holds = table_.holds(waiting->txn.compares, decided.hot);
      if (holds) decide(waiting->txn, ++revision, decided);
      waiting->reply = TxnReply{holds, revision};
    }

    Result<void> outcome;
    if (!decided.is_empty()) {
      guard.unlock();
      outcome = write(decided, revision);
      guard.lock();
    }
    if (outcome) {
      if (!decided.is_empty()) ++commits_;
      for (auto& [key, row] : decided.hot) {
        if (row.value && key.starts_with(read_once_prefix)) row.value.emplace();
      }
      table_.apply(std::move(decided.hot));
      revision_ = revision;
    } else {
      log::error("{}", outcome.error().message);
    }
    for (auto* waiting : batch) {
      if (!outcome && waiting->reply && waiting->reply->succeeded) {
        waiting->reply = Failure(outcome.error());
      }
      waiting->is_done = true;
    }
    clock_.notify_all(done_);
  }
}

// One transaction of the database; rolled back whole when any part of it fails.
Result<void> SqliteStore::write(Batch const& batch, std::int64_t revision) {
  int code = SQLITE_OK;
  auto const outcome = boundary("The store", [&] { return write_all(batch, revision, code); });
  if (outcome) return outcome;
  sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
  // Where there was no room for all of it, it is not in the log, and nobody takes it for done.
  auto const is_known = code == SQLITE_OK || code == SQLITE_FULL || code == SQLITE_IOERR_WRITE;
  if (!is_known) empty_log(outcome.error());
  return outcome;
}

Result<void> SqliteStore::write_all(Batch const& batch, std::int64_t revision, int& code) {
  auto const put = prepare(db_, "INSERT OR REPLACE INTO kv VALUES(?1, ?2, ?3)");
  auto const remove = prepare(db_, "DELETE FROM kv WHERE key=?1");
  auto const remove_range = prepare(db_, "DELETE FROM kv WHERE key >= ?1 AND key < ?2");
  auto const mark = prepare(db_, "UPDATE meta SET value=?1 WHERE name='revision'");
  if (!put || !remove || !remove_range || !mark) {
    return fail(ErrorCode::EnvironmentError, "The store {}: {}", path_, sqlite3_errmsg(db_));
  }
  auto const failed = [&] {
    return fail(ErrorCode::EnvironmentError, "The store {} can't be written: {}", path_,
                sqlite3_errmsg(db_));
  };
  auto const step = [&](sqlite3_stmt* statement) -> Result<void> {
    auto const status = sqlite3_step(statement);
    sqlite3_reset(statement);
    if (status == SQLITE_DONE) return {};
    return failed();
  };
  auto const write_row = [&](std::string const& key, std::string const* value,
                             std::int64_t mod_revision) -> Result<void> {
    auto* statement = value ? put.get() : remove.get();
    bind_bytes(statement, 1, key);
    if (value) {
      bind_bytes(statement, 2, *value);
      sqlite3_bind_int64(statement, 3, mod_revision);
    }
    return step(statement);
  };
  TRY(execute("BEGIN IMMEDIATE"));
  for (auto const& [key, row] : batch.hot) {
    TRY(write_row(key, row.value ? &*row.value : nullptr, row.mod_revision));
  }
  for (auto const& [operation, mod_revision] : batch.cold) {
    if (operation->kind == Operation::Kind::RemovePrefix) {
      auto const end = end_of(operation->key);
      bind_bytes(remove_range.get(), 1, operation->key);
      bind_bytes(remove_range.get(), 2, end);
      TRY(step(remove_range.get()));
    } else {
      auto const is_put = operation->kind == Operation::Kind::Put;
      TRY(write_row(operation->key, is_put ? &operation->value : nullptr, mod_revision));
    }
  }
  sqlite3_bind_int64(mark.get(), 1, revision);
  TRY(step(mark.get()));
  code = sqlite3_exec(db_, "COMMIT", nullptr, nullptr, nullptr);
  if (code == SQLITE_OK) return {};
  code = sqlite3_extended_errcode(db_);
  return failed();
}

// All of it may be in the log, and nobody knows what of that is on the disk: it must not be told to
// have failed and be found after a restart.
void SqliteStore::empty_log(Error const& error) {
  auto const emptied =
      sqlite3_wal_checkpoint_v2(db_, nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  if (emptied == SQLITE_OK) return;
  log::error("{}; nobody can tell whether it is on the disk. Ending: the next start reads what is",
             error.message);
  std::_Exit(EXIT_FAILURE);
}

}  // namespace flotte::store
