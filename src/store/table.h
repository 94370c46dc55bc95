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

  std::vector<KeyValue> range(std::string_view prefix, std::size_t limit = SIZE_MAX) const;
  bool holds(std::vector<Compare> const& compares, Batch const& batch) const;
  void decide(Operation const& operation, std::int64_t revision, Batch& batch) const;
  void decide(std::vector<Operation> const& operations, std::int64_t revision, Batch& batch) const {
    for (auto const& operation : operations) decide(operation, revision, batch);
  }
  void apply(Batch batch);
  std::size_t size() const { return rows_.size(); }

 private:
  Batch rows_;
};

}  // namespace flotte::store
