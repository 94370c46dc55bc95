// Claims: what jobs have drawn or chosen and not yet committed, so that no other job comes by the
// same meanwhile. In memory only: a controller that starts takes those of journals again, before
// any job decides.
//
// A job that decides looks at a configuration of before; what was let go of since then may be in
// the next. So it stays claimed for those that were deciding at that time. Not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
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
      if (!is_free(job, look, name)) return false;
    }
    for (auto const& name : wanted) claims_[name] = {job, {}};
    return true;
  }
  // The first ones that take() would not refuse, that many at most; they are taken.
  std::vector<std::string> take_some_of(JobId job, std::uint64_t look,
                                        std::vector<std::string> const& wanted,
                                        std::size_t count_max) {
    std::vector<std::string> taken;
    for (auto const& name : wanted) {
      if (taken.size() == count_max) break;
      if (!is_free(job, look, name)) continue;
      claims_[name] = {job, {}};
      taken.push_back(name);
    }
    return taken;
  }
  // Who has the first of them that take() refuses; nothing: nobody.
  std::optional<std::pair<std::string, JobId>> in_the_way(
      JobId job, std::uint64_t look, std::vector<std::string> const& wanted) const {
    for (auto const& name : wanted) {
      if (!is_free(job, look, name)) return std::pair(name, claims_.find(name)->second.job);
    }
    return std::nullopt;
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
  };

  bool is_free(JobId job, std::uint64_t look, std::string const& name) const {
    auto const found = claims_.find(name);
    if (found == claims_.end()) return true;
    auto const& claim = found->second;
    return claim.let_go ? *claim.let_go <= look : claim.job == job;
  }

  std::uint64_t time_ = 0;  // counts looks and what was let go
  std::set<std::uint64_t> looks_;
  std::map<std::string, Claim> claims_;
};

}  // namespace flotte::jobs
