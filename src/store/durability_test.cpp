// That what SqliteStore says is durable is, and what it says has failed is nowhere: over a file
// system that counts, and fails when it is told to.
#include <gmock/gmock.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <set>
#include <tuple>

#include "base/clock.h"
#include "store/sqlite_store.h"

namespace flotte::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// What SQLite does to files, in front of its own way to do it.
struct Disk {
  std::atomic<int> log_syncs = 0;
  std::atomic<int> writes_left = -1;  // before it is full; -1: it is not going to be
  std::atomic<int> syncs_to_fail = 0;
  std::atomic<bool> shared_is_full = false;  // what tells where in the log what is
};
Disk disk;

struct File {
  sqlite3_file base;
  bool is_log;
  // The real one lies behind.
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};
sqlite3_file* real(sqlite3_file* file) {
  return reinterpret_cast<File*>(file)->real();
}

int close_file(sqlite3_file* file) {
  auto* const under = real(file);
  return under->pMethods ? under->pMethods->xClose(under) : SQLITE_OK;
}
int read_file(sqlite3_file* file, void* to, int count, sqlite3_int64 at) {
  return real(file)->pMethods->xRead(real(file), to, count, at);
}
int write_file(sqlite3_file* file, void const* from, int count, sqlite3_int64 at) {
  if (disk.writes_left == 0) return SQLITE_FULL;
  if (disk.writes_left > 0) --disk.writes_left;
  return real(file)->pMethods->xWrite(real(file), from, count, at);
}
int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
  return real(file)->pMethods->xTruncate(real(file), size);
}
int sync_file(sqlite3_file* file, int flags) {
  if (disk.syncs_to_fail > 0) {
    --disk.syncs_to_fail;
    return SQLITE_IOERR_FSYNC;
  }
  if (reinterpret_cast<File*>(file)->is_log) ++disk.log_syncs;
  return real(file)->pMethods->xSync(real(file), flags);
}
int size_of_file(sqlite3_file* file, sqlite3_int64* size) {
  return real(file)->pMethods->xFileSize(real(file), size);
}
int lock_file(sqlite3_file* file, int level) {
  return real(file)->pMethods->xLock(real(file), level);
}
int unlock_file(sqlite3_file* file, int level) {
  return real(file)->pMethods->xUnlock(real(file), level);
}
int check_reserved(sqlite3_file* file, int* out) {
  return real(file)->pMethods->xCheckReservedLock(real(file), out);
}
int control_file(sqlite3_file* file, int what, void* argument) {
  return real(file)->pMethods->xFileControl(real(file), what, argument);
}
int sector_size(sqlite3_file* file) {
  return real(file)->pMethods->xSectorSize(real(file));
}
int characteristics(sqlite3_file* file) {
  return real(file)->pMethods->xDeviceCharacteristics(real(file));
}
int map_shared(sqlite3_file* file, int page, int size, int extend, void volatile** out) {
  if (disk.shared_is_full && extend != 0) {
    auto const known = real(file)->pMethods->xShmMap(real(file), page, size, 0, out);
    return known == SQLITE_OK && *out == nullptr ? SQLITE_IOERR_SHMSIZE : known;
  }
  return real(file)->pMethods->xShmMap(real(file), page, size, extend, out);
}
int lock_shared(sqlite3_file* file, int offset, int count, int flags) {
  return real(file)->pMethods->xShmLock(real(file), offset, count, flags);
}
void barrier(sqlite3_file* file) {
  real(file)->pMethods->xShmBarrier(real(file));
}
int unmap_shared(sqlite3_file* file, int remove) {
  return real(file)->pMethods->xShmUnmap(real(file), remove);
}

sqlite3_io_methods const methods{
    .iVersion = 2,
    .xClose = close_file,
    .xRead = read_file,
    .xWrite = write_file,
    .xTruncate = truncate_file,
    .xSync = sync_file,
    .xFileSize = size_of_file,
    .xLock = lock_file,
    .xUnlock = unlock_file,
    .xCheckReservedLock = check_reserved,
    .xFileControl = control_file,
    .xSectorSize = sector_size,
    .xDeviceCharacteristics = characteristics,
    .xShmMap = map_shared,
    .xShmLock = lock_shared,
    .xShmBarrier = barrier,
    .xShmUnmap = unmap_shared,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

int open_file(sqlite3_vfs* vfs, char const* name, sqlite3_file* file, int flags, int* out) {
  auto* const usual = static_cast<sqlite3_vfs*>(vfs->pAppData);
  auto* const ours = reinterpret_cast<File*>(file);
  ours->base.pMethods = nullptr;
  ours->is_log = (flags & SQLITE_OPEN_WAL) != 0;
  auto const status = usual->xOpen(usual, name, ours->real(), flags, out);
  if (ours->real()->pMethods) ours->base.pMethods = &methods;
  return status;
}

class Durability : public ::testing::Test {
 protected:
  static constexpr auto place_variable = "FLOTTE_TEST_DURABILITY";

  Durability() {
    std::filesystem::create_directories(directory_);
    usual_ = sqlite3_vfs_find(nullptr);
    vfs_ = *usual_;
    vfs_.zName = "test";
    vfs_.pAppData = usual_;
    vfs_.szOsFile = static_cast<int>(sizeof(File)) + usual_->szOsFile;
    vfs_.xOpen = open_file;
    sqlite3_vfs_register(&vfs_, 1);
    disk.writes_left = -1;
    disk.syncs_to_fail = 0;
    disk.shared_is_full = false;
    disk.log_syncs = 0;
    ::setenv(place_variable, (directory_ + "/child").c_str(), 1);
  }
  ~Durability() override {
    store_.reset();
    sqlite3_vfs_register(usual_, 1);
    sqlite3_vfs_unregister(&vfs_);
    std::filesystem::remove_all(directory_);
    ::unsetenv(place_variable);
  }

  Result<void> open() {
    store_.reset();
    store_ = TRY(SqliteStore::create(file(), clock_));
    return {};
  }
  void must_open() {
    auto const opened = open();
    ASSERT_TRUE(opened) << opened.error().message;
  }
  std::string file() const { return directory_ + "/store.sqlite"; }

  // Three keys of some pages, so that there are several writes.
  static Txn three(std::string const& value) {
    Txn txn;
    for (auto const* key : {"/a", "/b", "/c"}) txn.put(key, value + std::string(10'000, 'x'));
    return txn;
  }
  std::vector<std::string> content() {
    std::vector<std::string> all;
    auto const stored = store_->range_prefix("/").value();
    for (auto const& kv : stored) all.push_back(kv.key + kv.value.substr(0, 3));
    return all;
  }

  SystemClock clock_;
  // A test of an end is done by a child, which leaves what it has made: in our directory.
  static std::string place() {
    auto const* ours = std::getenv(place_variable);
    return ours ? ours : fmt::format("{}flotte-durable-{}", ::testing::TempDir(), ::getpid());
  }

  std::string directory_ = place();
  sqlite3_vfs* usual_ = nullptr;
  sqlite3_vfs vfs_{};
  std::unique_ptr<SqliteStore> store_;
};

TEST_F(Durability, what_is_answered_as_done_was_synced) {
  must_open();
  for (int i = 0; i < 10; ++i) {
    auto const before = disk.log_syncs.load();
    ASSERT_TRUE(store_->txn(three("one")));
    EXPECT_GT(disk.log_syncs, before);
  }
}

TEST_F(Durability, what_fails_on_a_full_disk_is_answered_as_failed_and_is_nowhere) {
  must_open();
  ASSERT_TRUE(store_->txn(three("old")));
  auto const old = content();
  EXPECT_THAT(old, ElementsAre("/aold", "/bold", "/cold"));
  auto failed = 0;
  for (int room = 0;; ++room) {
    disk.writes_left = room;
    auto const reply = store_->txn(three("new"));
    disk.writes_left = -1;
    if (reply) break;
    ++failed;
    EXPECT_EQ(reply.error().code, ErrorCode::EnvironmentError);
    EXPECT_EQ(content(), old);
    // Also for the next controller, and the store goes on.
    must_open();
    EXPECT_EQ(content(), old) << "after " << room << " writes";
    Txn other;
    other.put("/d", "yes");
    ASSERT_TRUE(store_->txn(other)) << room;
    Txn away;
    away.remove("/d");
    ASSERT_TRUE(store_->txn(away)) << room;
  }
  EXPECT_GT(failed, 2);
  EXPECT_THAT(content(), ElementsAre("/anew", "/bnew", "/cnew"));
}

// Answering either way could be a lie: the next start knows.
TEST_F(Durability, what_could_not_be_synced_is_not_answered) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  must_open();
  ASSERT_TRUE(store_->txn(three("old")));
  EXPECT_EXIT(
      {
        disk.syncs_to_fail = 1000;
        std::ignore = store_->txn(three("new"));
      },
      ::testing::ExitedWithCode(EXIT_FAILURE), "nobody can tell");
}

TEST_F(Durability, what_could_not_be_synced_once_has_failed_and_is_nowhere) {
  must_open();
  ASSERT_TRUE(store_->txn(three("old")));
  auto const old = content();
  disk.syncs_to_fail = 1;
  ASSERT_FALSE(store_->txn(three("new")));
  EXPECT_EQ(content(), old);
  EXPECT_EQ(std::filesystem::file_size(file() + "-wal"), 0U);
  must_open();
  EXPECT_EQ(content(), old);
  ASSERT_TRUE(store_->txn(three("new")));
  EXPECT_NE(content(), old);
}

// All of it is in the log by then.
TEST_F(Durability, what_is_in_the_log_but_could_not_be_entered_has_failed_and_is_nowhere) {
  must_open();
  ASSERT_TRUE(store_->txn(three("old")));
  sqlite3* other = nullptr;
  sqlite3_open(file().c_str(), &other);
  // While somebody reads what was, the log only grows; it is entered in pieces of 4096 pages.
  sqlite3_exec(other, "BEGIN; SELECT count(*) FROM kv", nullptr, nullptr, nullptr);
  Txn more;
  more.put("/d", std::string(1'000'000, 'x'));
  auto const pages = [&] { return std::filesystem::file_size(file() + "-wal") / 4096; };
  while (pages() < 3850) ASSERT_TRUE(store_->txn(more));
  sqlite3_close_v2(other);
  auto const old = content();
  disk.shared_is_full = true;
  more.put("/a", "new");
  ASSERT_FALSE(store_->txn(more));
  disk.shared_is_full = false;
  EXPECT_EQ(content(), old);
  must_open();
  EXPECT_EQ(content(), old);
  ASSERT_TRUE(store_->txn(more));
}

TEST_F(Durability, a_first_start_that_finds_no_room_is_no_start) {
  auto failed = 0;
  for (int room = 0;; ++room) {
    disk.writes_left = room;
    auto const opened = open();
    disk.writes_left = -1;
    if (opened) break;
    EXPECT_THAT(opened.error().message, ::testing::Not(::testing::HasSubstr("write-ahead")));
    ++failed;
    ASSERT_LT(failed, 100);
  }
  EXPECT_GT(failed, 1);
  EXPECT_THAT(content(), IsEmpty());
  must_open();
  ASSERT_TRUE(store_->txn(three("one")));
}

// A store as older versions left it, with 1000 keys.
class Unswept : public Durability {
 protected:
  Unswept() {
    EXPECT_TRUE(open());
    Txn txn;
    for (int i = 0; i < 1000; ++i) txn.put(fmt::format("/{:04}", i), std::string(1000, 'x'));
    EXPECT_TRUE(store_->txn(txn));
    store_.reset();
    EXPECT_EQ(marks("DELETE FROM meta WHERE name='swept'"), 0);
  }
  // Of a store that is closed, after that statement.
  int marks(char const* first = "") {
    sqlite3* db = nullptr;
    sqlite3_open(file().c_str(), &db);
    sqlite3_exec(db, first, nullptr, nullptr, nullptr);
    sqlite3_stmt* count = nullptr;
    sqlite3_prepare_v2(db, "SELECT count(*) FROM meta WHERE name='swept'", -1, &count, nullptr);
    auto const found = sqlite3_step(count) == SQLITE_ROW ? sqlite3_column_int(count, 0) : -1;
    sqlite3_finalize(count);
    sqlite3_close(db);
    return found;
  }
};

TEST_F(Unswept, without_the_room_to_write_it_anew_it_is_opened_all_the_same) {
  auto failed = 0;
  std::set<std::uintmax_t> log_sizes;
  for (int room = 0;; room += 100) {
    disk.writes_left = room;
    auto const opened = open();
    disk.writes_left = -1;
    ASSERT_TRUE(opened) << room << ": " << opened.error().message;
    log_sizes.insert(std::filesystem::file_size(file() + "-wal"));
    EXPECT_EQ(content().size(), 1000U);
    store_.reset();
    if (marks() == 1) break;
    ++failed;
    ASSERT_LT(failed, 1000);
  }
  EXPECT_GT(failed, 10);
  // Empty, or with all of it and the mark: what was written in vain does not fill the disk.
  EXPECT_LE(log_sizes.size(), 3U);
  EXPECT_TRUE(log_sizes.contains(0));
  must_open();
  EXPECT_EQ(content().size(), 1000U);
}

// For it an hour passes whenever it looks.
class FastClock final : public SystemClock {
 public:
  Instant now() override { return SystemClock::now() + ++looks_ * std::chrono::hours(1); }

 private:
  std::atomic<int> looks_ = 0;
};

TEST_F(Unswept, a_start_is_not_held_up_by_a_large_one) {
  FastClock fast;
  {
    auto const store = SqliteStore::create(file(), fast);
    ASSERT_TRUE(store) << store.error().message;
    EXPECT_EQ((*store)->range_prefix("/")->size(), 1000U);
    Txn txn;
    txn.put("/new", "1");
    EXPECT_TRUE((*store)->txn(txn));
  }
  EXPECT_EQ(marks(), 0);
  must_open();
  EXPECT_EQ(content().size(), 1001U);
  store_.reset();
  EXPECT_EQ(marks(), 1);
}

TEST_F(Durability, all_its_files_are_private_whatever_the_umask) {
  auto const before = ::umask(0);
  must_open();
  ASSERT_TRUE(store_->txn(three("one")));
  ::umask(before);
  auto files = 0;
  for (auto const& entry : std::filesystem::directory_iterator(directory_)) {
    struct stat status{};
    ASSERT_EQ(::lstat(entry.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0600U) << entry.path();
    ++files;
  }
  // The database, its log, what they share, and the lock.
  EXPECT_EQ(files, 4);
}

}  // namespace
}  // namespace flotte::store
