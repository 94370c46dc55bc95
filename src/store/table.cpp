#include "store/table.h"

namespace flotte::store {

std::vector<KeyValue> Table::range(std::string_view prefix, std::size_t limit) const {
  std::vector<KeyValue> found;
  for (auto row = rows_.lower_bound(prefix);
       row != rows_.end() && row->first.starts_with(prefix) && found.size() < limit; ++row) {
    found.push_back({row->first, *row->second.value, row->second.mod_revision});
  }
  return found;
}

bool Table::holds(std::vector<Compare> const& compares, Batch const& batch) const {
  for (auto const& compare : compares) {
    std::int64_t revision = 0;
    if (auto const row = batch.find(compare.key); row != batch.end()) {
      revision = row->second.value ? row->second.mod_revision : 0;
    } else if (auto const durable = rows_.find(compare.key); durable != rows_.end()) {
      revision = durable->second.mod_revision;
    }
    if (revision != compare.mod_revision) return false;
  }
  return true;
}

void Table::decide(Operation const& operation, std::int64_t revision, Batch& batch) const {
  switch (operation.kind) {
    case Operation::Kind::Put:
      batch[operation.key] = {operation.value, revision};
      break;
    case Operation::Kind::Remove:
      batch[operation.key] = {std::nullopt, revision};
      break;
    case Operation::Kind::RemovePrefix:
      for (auto const& kv : range(operation.key)) batch[kv.key] = {std::nullopt, revision};
      for (auto row = batch.lower_bound(operation.key);
           row != batch.end() && row->first.starts_with(operation.key); ++row) {
        row->second = {std::nullopt, revision};
      }
      break;
  }
}

void Table::apply(Batch batch) {
  for (auto& [key, row] : batch) {
    if (row.value) {
      rows_[key] = std::move(row);
    } else {
      rows_.erase(key);
    }
  }
}

Result<void> check_bounds(Txn const& txn) {
  if (txn.operations.size() > operations_max) {
    return fail(ErrorCode::InternalError, "A transaction of {} operations is too large, {} at most",
                txn.operations.size(), operations_max);
  }
  for (auto const& compare : txn.compares) {
    if (is_cold(compare.key)) {
      return fail(ErrorCode::InternalError, "{} can't be compared", compare.key);
    }
  }
  for (auto const& operation : txn.operations) {
    if (operation.value.size() > value_bytes_max) {
      return fail(ErrorCode::InternalError, "The value of {} has {} bytes, {} at most",
                  operation.key, operation.value.size(), value_bytes_max);
    }
  }
  return {};
}

}  // namespace flotte::store
