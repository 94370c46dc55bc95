// Recent: so many entries by name, of which the one that was longest not asked for makes room for a
// new one. Not thread-safe: its owner's mutex.
#pragma once

#include <cstddef>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace flotte::rapi {

template <class Value>
class Recent {
 public:
  explicit Recent(std::size_t most) : most_(most) {}

  // None: it isn't there (any more).
  Value* find(std::string_view name) {
    auto const found = by_name_.find(name);
    if (found == by_name_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, found->second);
    return &found->second->second;
  }
  // A new one where it isn't there.
  Value& entry(std::string_view name) {
    if (auto* found = find(name)) return *found;
    if (entries_.size() >= most_) {
      by_name_.erase(entries_.back().first);
      entries_.pop_back();
    }
    entries_.emplace_front(name, Value{});
    by_name_.emplace(entries_.front().first, entries_.begin());
    return entries_.front().second;
  }
  std::size_t size() const { return entries_.size(); }

 private:
  using Entries = std::list<std::pair<std::string, Value>>;
  std::size_t most_;
  Entries entries_;  // the latest first
  std::unordered_map<std::string_view, typename Entries::iterator> by_name_;
};

}  // namespace flotte::rapi
