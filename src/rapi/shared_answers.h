// SharedAnswers: an answer that costs much is made once for all who ask meanwhile, and kept for as
// long as it is true: until something is committed, a job changes, or a second has gone by, because
// guests end by themselves. Thread-safe.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "rapi/remote_call.h"
#include "rapi/services.h"

namespace flotte::rapi {

class SharedAnswers {
 public:
  using Text = std::shared_ptr<std::string const>;

  // All of it outlives this.
  explicit SharedAnswers(Services const& services) : services_(services) {}

  // `make` is called without anything held, by one thread at a time for each name.
  Granted<Text> get(std::string_view name, std::function<Granted<std::string>()> const& make);
  // Gives back the memory of what is too old to be told again.
  void forget_old();

 private:
  struct Kept {
    // What it was made of: nothing of that has changed since.
    std::shared_ptr<model::Cluster const> cluster;
    std::uint64_t job_changes = 0;
    Instant begun{};
    Text text;  // none: there is nothing to be told
    bool is_being_made = false;
  };
  bool is_true(Kept const& kept) const;

  Services const& services_;
  std::mutex mutex_;
  std::condition_variable made_;
  std::map<std::string, Kept, std::less<>> kept_;
};

}  // namespace flotte::rapi
