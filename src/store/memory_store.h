// MemoryStore: a Store for tests. Nothing is durable; everything else is as promised. Thread-safe.
#pragma once

#include <mutex>

#include "store/table.h"

namespace flotte::store {

class MemoryStore final : public Store {
 public:
  Result<std::vector<KeyValue>> range(std::string_view prefix, std::size_t limit) override;
  Result<TxnReply> txn(Txn const& txn) override;

 private:
  std::mutex mutex_;
  Table table_;
  std::int64_t revision_ = 0;
};

}  // namespace flotte::store
