#include "node/storage/transfer_progress.h"

#include <algorithm>

#include "rpc/wire.h"

namespace flotte::node {
namespace {

constexpr std::chrono::milliseconds pause{250};
constexpr double bytes_per_mib = 1024.0 * 1024.0;
constexpr double seconds_max = 1e9;  // a script may say that there will be any number of bytes
constexpr std::int64_t minute = 60;
constexpr std::int64_t hour = 3600;

// "46s", "1m 46s", "2h 5m"
std::string duration_text(std::int64_t seconds) {
  if (seconds < minute) return fmt::format("{}s", seconds);
  if (seconds < hour) return fmt::format("{}m {}s", seconds / minute, seconds % minute);
  return fmt::format("{}h {}m", seconds / hour, seconds % hour / minute);
}

}  // namespace

std::string transfer_text(std::string const& verb, std::int64_t bytes_done,
                          std::int64_t bytes_total, double seconds) {
  if (seconds <= 0 || bytes_done <= 0) return verb;
  auto const rate = static_cast<double>(bytes_done) / seconds;
  auto text = fmt::format("{}, {:.1f} MiB/s", verb, rate / bytes_per_mib);
  if (bytes_total > bytes_done) {
    auto const left = std::min(static_cast<double>(bytes_total - bytes_done) / rate, seconds_max);
    text += fmt::format(", {} left", duration_text(static_cast<std::int64_t>(left) + 1));
  }
  return text;
}

bool TransferProgress::tell(std::int64_t bytes_done) {
  if (!progress_) return true;
  auto const now = SteadyClock::now();
  auto const is_done = bytes_total_ > 0 && bytes_done >= bytes_total_;
  if (!is_done && now - told_ < pause) return progress_("");
  told_ = now;
  auto const seconds = std::chrono::duration<double>(now - begun_).count();
  auto const fraction =
      bytes_total_ > 0
          ? std::min(1.0, static_cast<double>(bytes_done) / static_cast<double>(bytes_total_))
          : 0.0;
  return progress_(
      rpc::progress_line(transfer_text(verb_, bytes_done, bytes_total_, seconds), fraction));
}

}  // namespace flotte::node
