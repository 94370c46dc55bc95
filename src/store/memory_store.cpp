#include "store/memory_store.h"

namespace flotte::store {

Result<std::vector<KeyValue>> MemoryStore::range(std::string_view prefix, std::size_t limit) {
  std::lock_guard const guard(mutex_);
  return table_.range(prefix, limit);
}

Result<TxnReply> MemoryStore::txn(Txn const& txn) {
  TRY(check_bounds(txn));
  std::lock_guard const guard(mutex_);
  Table::Batch batch;
  if (!table_.holds(txn.compares, batch)) return TxnReply{false, revision_};
  table_.decide(txn.operations, ++revision_, batch);
  table_.apply(std::move(batch));
  return TxnReply{true, revision_};
}

}  // namespace flotte::store
