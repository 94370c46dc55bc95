#include "rapi/shared_answers.h"

#include "store/config_store.h"

namespace flotte::rapi {
namespace {

// How old what nodes said may be.
constexpr std::chrono::seconds age_max{1};

}  // namespace

bool SharedAnswers::is_true(Kept const& kept) const {
  return kept.text && kept.cluster == services_.seams.config.snapshot() &&
         kept.job_changes == services_.queue.changes() &&
         services_.seams.clock.now() - kept.begun < age_max;
}

Granted<SharedAnswers::Text> SharedAnswers::get(std::string_view name,
                                                std::function<Granted<std::string>()> const& make) {
  auto& clock = services_.seams.clock;
  std::unique_lock lock(mutex_);
  auto& kept = kept_[std::string(name)];
  while (!is_true(kept)) {
    if (kept.is_being_made) {
      clock.wait(lock, made_);
      continue;
    }
    // In this order: what changes while it is being made makes it untrue.
    Kept making{services_.seams.config.snapshot(), services_.queue.changes(), clock.now(), {}, {}};
    kept.is_being_made = true;
    lock.unlock();
    auto text = make();
    lock.lock();
    if (text) making.text = std::make_shared<std::string const>(*std::move(text));
    kept = std::move(making);
    clock.notify_all(made_);
    if (!text) return tl::unexpected(std::move(text).error());
    // Also where it isn't true any more: it was begun after it was asked for.
    return kept.text;
  }
  return kept.text;
}

void SharedAnswers::forget_old() {
  std::lock_guard const lock(mutex_);
  for (auto& [name, kept] : kept_) {
    if (!kept.is_being_made && !is_true(kept)) kept.text.reset();
  }
}

}  // namespace flotte::rapi
