#include "sys/users.h"

#include <pwd.h>

#include <array>

namespace flotte::sys {
namespace {

constexpr auto remembered_for = std::chrono::minutes(1);
constexpr std::size_t remembered_max = 1000;

std::string ask(uid_t uid) {
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 16384> text{};
  if (::getpwuid_r(uid, &entry, text.data(), text.size(), &found) != 0 || !found) return {};
  return found->pw_name;
}

}  // namespace

std::string UserNames::of(uid_t uid) {
  auto const now = clock_.now();
  {
    std::lock_guard const lock(mutex_);
    auto const known = known_.find(uid);
    if (known != known_.end() && now < known->second.until) return known->second.name;
  }
  auto name = ask(uid);
  std::lock_guard const lock(mutex_);
  if (known_.size() >= remembered_max) known_.clear();
  known_[uid] = {name, now + remembered_for};
  return name;
}

}  // namespace flotte::sys
