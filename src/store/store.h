// Store: durable keys and values with etcd's semantics: revisions, and transactions that compare
// before they write.
//
// The seam behind which the controller keeps everything (configuration, jobs, journal). txn()
// blocks until its writes are durable. Thread-safe.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace flotte::store {

// As etcd's own limits, so that what works here works there.
constexpr std::size_t value_bytes_max = 1'500'000;
constexpr std::size_t operations_max = 2048;

// What is kept for people and seldom looked at. An implementation need not have it in memory, and
// no transaction may compare it.
constexpr std::string_view cold_prefixes[] = {"/archive/", "/log/"};

inline bool is_cold(std::string_view key) {
  return std::ranges::any_of(cold_prefixes,
                             [&](std::string_view prefix) { return key.starts_with(prefix); });
}

struct KeyValue {
  std::string key;
  std::string value;
  std::int64_t mod_revision = 0;  // of the transaction that wrote it last
};

// The key must still have this revision; 0: it must not exist.
struct Compare {
  std::string key;
  std::int64_t mod_revision = 0;
};

struct Operation {
  enum class Kind { Put, Remove, RemovePrefix };
  Kind kind = Kind::Put;
  std::string key;
  std::string value;
};

// All or nothing: if a compare fails nothing is written.
struct Txn {
  std::vector<Compare> compares;
  std::vector<Operation> operations;

  void compare(std::string key, std::int64_t mod_revision) {
    compares.push_back({std::move(key), mod_revision});
  }
  void put(std::string key, std::string value) {
    operations.push_back({Operation::Kind::Put, std::move(key), std::move(value)});
  }
  void remove(std::string key) {
    operations.push_back({Operation::Kind::Remove, std::move(key), {}});
  }
  void delete_prefix(std::string prefix) {
    operations.push_back({Operation::Kind::RemovePrefix, std::move(prefix), {}});
  }
};

struct TxnReply {
  bool succeeded = false;  // all compares held
  std::int64_t revision = 0;
};

class Store {
 public:
  virtual ~Store() = default;

  // In the order of the keys, the first `limit`; one snapshot.
  virtual Result<std::vector<KeyValue>> range(std::string_view prefix, std::size_t limit) = 0;
  Result<std::vector<KeyValue>> range_prefix(std::string_view prefix) {
    return range(prefix, SIZE_MAX);
  }
  // EnvironmentError: nothing of it was written, and it may be tried again.
  virtual Result<TxnReply> txn(Txn const& txn) = 0;
};

// Shared by the implementations: checks the bounds.
Result<void> check_bounds(Txn const& txn);

}  // namespace flotte::store
