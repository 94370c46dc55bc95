// Follower: guests that were asked to let go of something are looked at until they answer, however
// long that takes.
//
// In rounds, less and less often: most answer soon, and one that never does (it has no driver for
// it, or stands still) shall cost nothing. Thread-safe, but for round() itself.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "node/hypervisor/hypervisor.h"

namespace flotte::node {

class Follower {
 public:
  // Rounds between two looks at one guest, at most.
  static constexpr int interval_max = 30;

  // Gives a guest what it should have. False: somebody else is at it, and nothing was tried.
  using GiveBack = std::function<bool(std::string const& instance)>;
  Follower(Hypervisor& hypervisor, GiveBack give_back)
      : hypervisor_(hypervisor), give_back_(std::move(give_back)) {}

  void round();
  // It was asked again, or for something else.
  void begin_anew(std::string const& instance);

 private:
  struct Pace {
    int interval = 1;  // rounds
    int waited = 0;
    bool has_answered = false;
  };

  void forget_all_but(std::vector<std::string> const& instances);
  bool is_due(std::string const& instance);
  void hear(std::string const& instance);
  void look_next_round(std::string const& instance);

  Hypervisor& hypervisor_;
  GiveBack give_back_;
  std::mutex mutex_;
  std::map<std::string, Pace> paces_;
};

}  // namespace flotte::node
