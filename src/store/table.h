// The keys and values in memory, which every implementation reads from. Not thread-safe.
#pragma once

#include <map>
#include <optional>

#include "store/store.h"

namespace flotte::store {

class Table {
 public:
  struct Row {
    std::optional<std::string> value;  // none: removed
    std::int64_t mod_revision = 0;
  };
  // Transactions that are decided but not yet durable: nobody reads them but the ones decided after
  // them.
  using Batch = std::map<std::string, Row, std::less<>>;

  std::vector<KeyValue> range_prefix(std::string_view prefix) const;
  bool holds(std::vector<Compare> const& compares, Batch const& batch) const;
  void decide(std::vector<Operation> const& operations, std::int64_t revision, Batch& batch) const;
  void apply(Batch batch);

 private:
  Batch rows_;
};

}  // namespace flotte::store
