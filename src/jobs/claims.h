// Claims: what jobs have drawn or chosen and not yet committed, so that no other job comes by the
// same meanwhile. In memory only: what is lost with it costs the second job its commit.
//
// A job that decides looks at a configuration of before; what was let go of since then may be in
// the next. So it stays claimed for those that were deciding at that time. Not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/id.h"

namespace flotte::jobs {

class Claims {
 public:
  // A look at the configuration; ended by end_look().
  std::uint64_t begin_look() {
    looks_.insert(++time_);
    return time_;
  }
  void end_look(std::uint64_t look) {
    looks_.erase(look);
    auto const oldest = looks_.empty() ? time_ : *looks_.begin();
    std::erase_if(claims_, [&](auto const& claim) {
      return claim.second.let_go && *claim.second.let_go <= oldest;
    });
  }

  // All of them, or none: false where another job has one of them, or has let go of it since that
  // look.
  bool take(JobId job, std::uint64_t look, std::vector<std::string> const& wanted) {
    for (auto const& name : wanted) {
      auto const found = claims_.find(name);
      if (found != claims_.end() && found->second.is_in_the_way(job, look)) return false;
    }
    for (auto const& name : wanted) claims_[name] = {job, {}};
    return true;
  }
  // All that take() would refuse, of what begins so.
  std::set<std::string> of_others(JobId job, std::uint64_t look, std::string_view prefix) const {
    std::set<std::string> found;
    for (auto at = claims_.lower_bound(prefix);
         at != claims_.end() && at->first.starts_with(prefix); ++at) {
      if (at->second.is_in_the_way(job, look)) found.insert(at->first);
    }
    return found;
  }
  void let_go(JobId job) {
    for (auto& [name, claim] : claims_) {
      if (claim.job == job && !claim.let_go) claim.let_go = ++time_;
    }
    if (looks_.empty()) std::erase_if(claims_, [](auto const& one) { return one.second.let_go; });
  }
  std::size_t size() const { return claims_.size(); }

 private:
  struct Claim {
    JobId job{};
    std::optional<std::uint64_t> let_go;

    bool is_in_the_way(JobId of, std::uint64_t look) const {
      return let_go ? *let_go > look : job != of;
    }
  };

  std::uint64_t time_ = 0;  // counts looks and what was let go
  std::set<std::uint64_t> looks_;
  std::map<std::string, Claim, std::less<>> claims_;
};

}  // namespace flotte::jobs
