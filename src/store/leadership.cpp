#include "store/leadership.h"

#include <algorithm>
#include <charconv>

#include "base/boundary.h"
#include "base/log.h"

namespace flotte::store {
namespace {

constexpr std::string_view epoch_key = "/leadership";
constexpr std::string_view heartbeat_key = "/leadership/heartbeat";
// So many heartbeats may be lost before the lease runs out.
constexpr int heartbeats_a_lease = 4;

Failure stopped() {
  return fail(ErrorCode::WrongState, "The controller is stopping");
}

}  // namespace

Leadership::Leadership(Store& store, Clock& clock, Duration lease)
    : store_(store), clock_(clock), lease_(lease) {}

Leadership::~Leadership() {
  stop();
}

Result<Leadership::Seen> Leadership::look() {
  Seen seen;
  for (auto const& kv : TRY(store_.range_prefix(epoch_key))) {
    if (kv.key == heartbeat_key) seen.heartbeat_revision = kv.mod_revision;
    if (kv.key != epoch_key) continue;
    seen.epoch_revision = kv.mod_revision;
    auto const* end = kv.value.data() + kv.value.size();
    if (std::from_chars(kv.value.data(), end, seen.epoch).ptr != end) {
      return fail(ErrorCode::EnvironmentError, "The stored leader epoch '{}' is no number",
                  kv.value);
    }
  }
  return seen;
}

Result<bool> Leadership::take_over(Seen const& seen) {
  Txn txn;
  txn.compare(std::string(epoch_key), seen.epoch_revision);
  txn.compare(std::string(heartbeat_key), seen.heartbeat_revision);
  txn.put(std::string(epoch_key), std::to_string(seen.epoch + 1));
  auto const reply = TRY(store_.txn(txn));
  if (!reply.succeeded) return false;
  epoch_ = seen.epoch + 1;
  revision_ = reply.revision;
  return true;
}

Result<void> Leadership::acquire() {
  for (;;) {
    auto const seen = TRY(look());
    if (lease_ > Duration::zero() && seen.epoch > 0) {
      if (!pause(lease_)) return stopped();
      auto const again = TRY(look());
      if (again.heartbeat_revision != seen.heartbeat_revision ||
          again.epoch_revision != seen.epoch_revision) {
        continue;
      }
    }
    if (TRY(take_over(seen))) return {};
  }
}

Result<bool> Leadership::write_heartbeat() {
  Txn txn;
  txn.compare(std::string(epoch_key), revision_);
  txn.put(std::string(heartbeat_key), std::to_string(epoch_));
  return TRY(store_.txn(txn)).succeeded;
}

void Leadership::keep(std::function<void()> lost) {
  if (lease_ == Duration::zero()) return;
  thread_ = clock_.start_thread("leadership", [this, lost = std::move(lost)] { run(lost); });
}

void Leadership::run(std::function<void()> const& lost) {
  auto lives_until = clock_.now() + lease_;
  while (pause(lease_ / heartbeats_a_lease)) {
    auto const asked = clock_.now();
    auto const leads = boundary("The heartbeat", [this] { return write_heartbeat(); });
    if (leads && *leads) {
      lives_until = asked + lease_;
    } else if (leads || clock_.now() >= lives_until) {
      log::error("Another controller leads now, or may: this one had epoch {}", epoch_);
      return lost();
    }
  }
}

// False when it was ended by stop().
bool Leadership::pause(Duration duration) {
  auto const until = clock_.now() + duration;
  Guard guard(clock_, mutex_);
  while (!is_stopping_ && clock_.now() < until) clock_.wait_until(guard, stop_, until);
  return !is_stopping_;
}

void Leadership::stop() {
  {
    Guard const guard(clock_, mutex_);
    is_stopping_ = true;
  }
  clock_.notify_all(stop_);
  clock_.join(thread_);
}

Result<TxnReply> LeaderStore::txn(Txn const& txn) {
  auto guarded = txn;
  guarded.compare(std::string(epoch_key), leadership_revision_);
  auto reply = TRY(store_.txn(guarded));
  if (reply.succeeded) return reply;
  for (auto const& kv : TRY(store_.range_prefix(epoch_key))) {
    if (kv.key == epoch_key && kv.mod_revision == leadership_revision_) return reply;
  }
  return fail_as(ErrorClass::Deposed, ErrorCode::WrongState,
                 "Another controller leads now; nothing was written");
}

}  // namespace flotte::store
