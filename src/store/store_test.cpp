// What every Store promises, held against both of them; and what the SQLite one promises beyond.
#include "store/store.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "base/clock.h"
#include "store/memory_store.h"
#include "store/sqlite_store.h"

namespace flotte::store {
namespace {

using ::testing::HasSubstr;

class Directory {
 public:
  Directory() { std::filesystem::create_directories(path_); }
  ~Directory() { std::filesystem::remove_all(path_); }
  std::string file() const { return path_ + "/store.sqlite"; }

 private:
  std::string path_ =
      fmt::format("{}flotte-store-{}-{}", ::testing::TempDir(), ::getpid(), ++made_);
  static inline int made_ = 0;
};

enum class Kind { Memory, Sqlite };
void PrintTo(Kind kind, std::ostream* out) {
  *out << (kind == Kind::Memory ? "memory" : "sqlite");
}

class StoreContract : public ::testing::TestWithParam<Kind> {
 protected:
  StoreContract() {
    if (GetParam() == Kind::Memory) {
      store_ = std::make_unique<MemoryStore>();
    } else {
      store_ = std::move(SqliteStore::create(directory_.file(), clock_).value());
    }
  }

  TxnReply must(Txn const& txn) {
    auto const reply = store_->txn(txn);
    EXPECT_TRUE(reply) << reply.error().message;
    return reply.value_or(TxnReply{});
  }
  static Txn putting(std::string key, std::string value) {
    Txn txn;
    txn.put(std::move(key), std::move(value));
    return txn;
  }
  std::vector<std::string> all(std::string_view prefix) {
    std::vector<std::string> found;
    auto const range = store_->range_prefix(prefix);
    EXPECT_TRUE(range);
    for (auto const& row : *range) found.push_back(row.key + "=" + row.value);
    return found;
  }

  SystemClock clock_;
  Directory directory_;
  std::unique_ptr<Store> store_;
};

TEST_P(StoreContract, ranges_are_in_order_and_of_one_prefix) {
  must(putting("/a/2", "two"));
  must(putting("/a/1", "one"));
  must(putting("/b/1", "other"));
  EXPECT_THAT(all("/a/"), ::testing::ElementsAre("/a/1=one", "/a/2=two"));
  EXPECT_THAT(all("/c/"), ::testing::IsEmpty());
}

TEST_P(StoreContract, a_range_gives_the_first_of_many) {
  for (auto const* key : {"/a/3", "/a/1", "/a/2", "/log/3", "/log/1", "/log/2"})
    must(putting(key, ""));
  EXPECT_EQ(store_->range("/a/", 2)->back().key, "/a/2");
  EXPECT_EQ(store_->range("/log/", 2)->back().key, "/log/2");
}

// Those that an implementation need not have in memory.
TEST_P(StoreContract, cold_keys) {
  must(putting("/jobs/1", "job"));
  Txn txn;
  txn.remove("/jobs/1");
  txn.put("/archive/1", "job");
  txn.put("/log/1/1", "a");
  txn.put("/log/1/2", "b");
  txn.put("/log/10/1", "c");
  EXPECT_TRUE(must(txn).succeeded);
  EXPECT_THAT(all("/archive/"), ::testing::ElementsAre("/archive/1=job"));
  EXPECT_THAT(all("/log/1/"), ::testing::ElementsAre("/log/1/1=a", "/log/1/2=b"));
  Txn next;
  next.put("/log/1/3", "gone at once");
  next.delete_prefix("/log/1/");
  next.put("/log/1/4", "d");
  next.remove("/log/10/1");
  next.put("/archive/1", "job again");
  must(next);
  EXPECT_THAT(all("/log/"), ::testing::ElementsAre("/log/1/4=d"));
  EXPECT_THAT(all("/archive/"), ::testing::ElementsAre("/archive/1=job again"));
  Txn compared;
  compared.compare("/archive/1", 1);
  EXPECT_FALSE(store_->txn(compared));
}

TEST_P(StoreContract, a_failed_compare_writes_nothing) {
  auto const first = must(putting("/k", "1"));
  EXPECT_TRUE(first.succeeded);
  Txn wrong;
  wrong.compare("/k", first.revision + 7);
  wrong.put("/k", "2");
  wrong.put("/other", "x");
  EXPECT_FALSE(must(wrong).succeeded);
  EXPECT_THAT(all("/"), ::testing::ElementsAre("/k=1"));
  Txn right;
  right.compare("/k", first.revision);
  right.compare("/new", 0);
  right.put("/k", "2");
  auto const second = must(right);
  EXPECT_TRUE(second.succeeded);
  EXPECT_GT(second.revision, first.revision);
  EXPECT_FALSE(must(right).succeeded);
}

TEST_P(StoreContract, removing) {
  for (auto const* key : {"/a/1", "/a/2", "/b"}) must(putting(key, ""));
  Txn txn;
  txn.delete_prefix("/a/");
  txn.put("/a/3", "kept");
  must(txn);
  EXPECT_THAT(all("/"), ::testing::ElementsAre("/a/3=kept", "/b="));
  Txn remove;
  remove.remove("/b");
  remove.remove("/nosuch");
  EXPECT_TRUE(must(remove).succeeded);
  EXPECT_THAT(all("/b"), ::testing::IsEmpty());
}

TEST_P(StoreContract, a_removed_key_is_a_new_one_afterwards) {
  auto const first = must(putting("/k", "1"));
  Txn remove;
  remove.remove("/k");
  must(remove);
  Txn old;
  old.compare("/k", first.revision);
  old.put("/k", "2");
  EXPECT_FALSE(must(old).succeeded);
  Txn fresh;
  fresh.compare("/k", 0);
  fresh.put("/k", "2");
  EXPECT_TRUE(must(fresh).succeeded);
}

TEST_P(StoreContract, values_are_bytes) {
  std::string const bytes("\0\xff\n'\"", 5);
  must(putting("/k", bytes));
  EXPECT_EQ(store_->range_prefix("/k")->at(0).value, bytes);
}

TEST_P(StoreContract, bounds_are_those_of_etcd) {
  EXPECT_FALSE(store_->txn(putting("/k", std::string(value_bytes_max + 1, 'x'))));
  Txn many;
  for (std::size_t i = 0; i <= operations_max; ++i) many.put(fmt::format("/{}", i), "");
  EXPECT_FALSE(store_->txn(many));
  EXPECT_THAT(all("/"), ::testing::IsEmpty());
}

TEST_P(StoreContract, one_of_many_wins_a_compare) {
  std::atomic<int> wins = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      Txn txn;
      txn.compare("/k", 0);
      txn.put("/k", "mine");
      auto const reply = store_->txn(txn);
      if (reply && reply->succeeded) ++wins;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wins, 1);
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreContract, ::testing::Values(Kind::Memory, Kind::Sqlite),
                         ::testing::PrintToStringParamName());

class Sqlite : public ::testing::Test {
 protected:
  std::unique_ptr<SqliteStore> open() {
    auto store = SqliteStore::create(directory_.file(), clock_);
    EXPECT_TRUE(store) << store.error().message;
    return store ? std::move(*store) : nullptr;
  }
  std::string refusal() {
    auto const store = SqliteStore::create(directory_.file(), clock_);
    return store ? "opened" : store.error().message;
  }
  void write_file(std::string_view bytes) const {
    std::ofstream(directory_.file(), std::ios::binary | std::ios::trunc) << bytes;
  }

  SystemClock clock_;
  Directory directory_;
};

TEST_F(Sqlite, what_was_written_is_there_after_a_restart_and_revisions_go_on) {
  std::int64_t revision = 0;
  {
    auto const store = open();
    Txn txn;
    txn.put("/k", "v");
    revision = store->txn(txn)->revision;
  }
  auto const store = open();
  auto const rows = store->range_prefix("/");
  ASSERT_EQ(rows->size(), 1U);
  EXPECT_EQ(rows->at(0).mod_revision, revision);
  Txn txn;
  txn.compare("/k", revision);
  txn.put("/k", "w");
  EXPECT_GT(store->txn(txn)->revision, revision);
}

TEST_F(Sqlite, the_file_is_private) {
  auto const store = open();
  EXPECT_EQ(std::filesystem::status(directory_.file()).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(Sqlite, what_is_cold_is_on_disk_alone) {
  for (int round = 0; round < 2; ++round) {
    auto const store = open();
    Txn txn;
    txn.put("/jobs/1", "hot");
    for (int i = 0; i < 1000; ++i) txn.put(fmt::format("/archive/{:04}", i), "cold");
    ASSERT_TRUE(store->txn(txn));
    EXPECT_EQ(store->keys_in_memory(), 1U);
    EXPECT_EQ(store->range_prefix("/archive/")->size(), 1000U);
  }
}

// Nothing of it is in the file, nor in those beside it, when the store is closed.
TEST_F(Sqlite, what_was_removed_is_written_over) {
  std::string const secret(3000, 'S');
  auto const stays = [&] {
    for (auto const& entry : std::filesystem::directory_iterator(
             std::filesystem::path(directory_.file()).parent_path())) {
      std::ifstream file(entry.path(), std::ios::binary);
      std::string const bytes(std::istreambuf_iterator<char>(file), {});
      if (bytes.find(std::string(100, 'S')) != std::string::npos) return true;
    }
    return false;
  };
  {
    auto const store = open();
    Txn txn;
    for (int i = 0; i < 100; ++i) txn.put(fmt::format("/{}/1", i), secret);
    for (int i = 0; i < 100; ++i) txn.put(fmt::format("/log/{}/1", i), secret);
    ASSERT_TRUE(store->txn(txn));
  }
  EXPECT_TRUE(stays());
  {
    auto const store = open();
    Txn txn;
    txn.delete_prefix("/log/");
    for (int i = 0; i < 50; ++i) txn.remove(fmt::format("/{}/1", i));
    for (int i = 50; i < 100; ++i) txn.put(fmt::format("/{}/1", i), "");
    ASSERT_TRUE(store->txn(txn));
  }
  EXPECT_FALSE(stays());
}

TEST_F(Sqlite, one_process_at_a_time) {
  {
    auto const store = open();
    auto const second = SqliteStore::create(directory_.file(), clock_);
    ASSERT_FALSE(second);
    EXPECT_THAT(second.error().message, HasSubstr(fmt::format("process {}", ::getpid())));
  }
  EXPECT_TRUE(open());
}

TEST_F(Sqlite, transactions_that_come_together_share_commits) {
  auto const store = open();
  auto const before = store->commits();
  constexpr int threads_count = 16;
  constexpr int each = 20;
  std::vector<std::thread> threads;
  for (int i = 0; i < threads_count; ++i) {
    threads.emplace_back([&, i] {
      for (int k = 0; k < each; ++k) {
        Txn txn;
        txn.put(fmt::format("/{}/{}", i, k), "v");
        EXPECT_TRUE(store->txn(txn));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(store->range_prefix("/")->size(), static_cast<std::size_t>(threads_count * each));
  EXPECT_LT(store->commits() - before, threads_count * each);
}

TEST_F(Sqlite, what_is_not_ours_is_refused_and_left_as_it_is) {
  write_file("this is a letter to my mother");
  EXPECT_THAT(refusal(), HasSubstr(directory_.file()));
  std::ifstream file(directory_.file());
  std::string line;
  std::getline(file, line);
  EXPECT_EQ(line, "this is a letter to my mother");
}

TEST_F(Sqlite, a_truncated_store_is_refused) {
  {
    auto const store = open();
    for (int i = 0; i < 200; ++i) {
      Txn txn;
      txn.put(fmt::format("/{}", i), std::string(4096, 'x'));
      ASSERT_TRUE(store->txn(txn));
    }
  }
  auto const size = std::filesystem::file_size(directory_.file());
  std::filesystem::resize_file(directory_.file(), size / 2);
  EXPECT_THAT(refusal(), HasSubstr(directory_.file()));
}

TEST_F(Sqlite, a_place_where_no_file_can_be_is_named) {
  write_file("");
  auto const path = directory_.file() + "/store.sqlite";
  auto const store = SqliteStore::create(path, clock_);
  ASSERT_FALSE(store);
  EXPECT_THAT(store.error().message, HasSubstr(path));
}

}  // namespace
}  // namespace flotte::store
