#include "store.h"

namespace flotte::simulation {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t recent_max = 64;

}  // namespace

Result<std::vector<store::KeyValue>> SimulatedStore::range(std::string_view prefix,
                                                           std::size_t limit) {
  scheduler_.yield();
  return table_.range(prefix, limit);
}

Result<store::TxnReply> SimulatedStore::txn(store::Txn const& txn) {
  TRY(store::check_bounds(txn));
  auto const name = txn.operations.empty() ? std::string() : txn.operations.back().key;
  if (point_) point_(fmt::format("before commit of {}", name));
  scheduler_.sleep_for(std::chrono::microseconds(50 + random_.below(2000)));
  if (is_full_) {
    return fail(ErrorCode::EnvironmentError, "The store can't be written: no space left on device");
  }
  if (!table_.holds(txn.compares, {})) return store::TxnReply{false, revision_};
  store::Table::Batch batch;
  table_.decide(txn.operations, ++revision_, batch);
  auto const recent = std::make_shared<Recent>();
  recent->revision = revision_;
  for (auto const& [key, row] : batch) {
    recent->before[key] = {};
    for (auto const& kv : table_.range(key, 1)) {
      if (kv.key == key) recent->before[key] = {kv.value, kv.mod_revision};
    }
  }
  recent_.push_back(recent);
  if (recent_.size() > recent_max) recent_.pop_front();
  table_.apply(std::move(batch));
  ++transactions_;
  auto const revision = revision_;
  if (written_) written_(txn);
  // The fsync and the way back.
  scheduler_.sleep_for(std::chrono::microseconds(50 + random_.below(2000)));
  recent->is_told = true;
  if (point_) point_(fmt::format("after commit of {}", name));
  return store::TxnReply{true, revision};
}

void SimulatedStore::lose_power() {
  store::Txn nothing;
  while (!recent_.empty() && !recent_.back()->is_told && random_.below(2) == 0) {
    table_.apply(recent_.back()->before);
    recent_.pop_back();
    ++lost_;
  }
  // What stays is as good as told: later writes may build on it.
  for (auto const& recent : recent_) recent->is_told = true;
  if (written_) written_(nothing);
}

}  // namespace flotte::simulation
