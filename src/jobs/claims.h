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
      if (found == claims_.end()) continue;
      auto const& claim = found->second;
      if (claim.let_go ? *claim.let_go > look : claim.job != job) return false;
    }
    for (auto const& name : wanted) claims_[name] = {job, {}};
    return true;
  }
  // The first of them that take() would not refuse, taken; nothing: there is none.
  std::optional<std::string> take_one_of(JobId job, std::uint64_t look,
                                         std::vector<std::string> const& wanted) {
    for (auto const& name : wanted) {
      if (take(job, look, {name})) return name;
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

  std::uint64_t time_ = 0;  // counts looks and what was let go
  std::set<std::uint64_t> looks_;
  std::map<std::string, Claim> claims_;
};

}  // namespace flotte::jobs
