#include "node/daemon/leader_epoch.h"

#include <charconv>

#include "node/daemon/state_files.h"
#include "rpc/epoch.h"

namespace flotte::node {

Result<std::int64_t> LeaderEpoch::read(std::string const& path) {
  auto const contents = TRY(read_state_file(path));
  if (!contents) return 0;
  std::int64_t epoch = 0;
  auto const* end = contents->data() + contents->size();
  auto const parsed = std::from_chars(contents->data(), end, epoch);
  // To take a damaged file for "none seen" would open the node to a deposed leader.
  if (parsed.ec != std::errc() || epoch < 0 || std::string_view(parsed.ptr, end) != "\n") {
    return fail(ErrorCode::EnvironmentError,
                "{} is damaged; write into it the epoch of the leader, or remove it if you are "
                "sure that no other leader runs",
                path);
  }
  return epoch;
}

Result<void> LeaderEpoch::check(std::int64_t claimed) {
  std::lock_guard const lock(mutex_);
  TRY(rpc::check_leader_epoch(claimed, highest_seen_));
  if (claimed == highest_seen_) return {};
  constexpr mode_t mode = 0600;
  TRY(write_state_file(path_, fmt::format("{}\n", claimed), mode));
  highest_seen_ = claimed;
  return {};
}

Result<void> LeaderEpoch::forget() {
  std::lock_guard const lock(mutex_);
  TRY(remove_state_file(path_));
  highest_seen_ = 0;
  return {};
}

}  // namespace flotte::node
