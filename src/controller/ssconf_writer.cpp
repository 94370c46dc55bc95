#include "controller/ssconf_writer.h"

#include <algorithm>
#include <utility>

#include "base/boundary.h"
#include "base/log.h"
#include "base/lookup.h"
#include "model/ssconf.h"
#include "rpc/ask_all.h"

namespace flotte::controller {
namespace {

using namespace std::chrono_literals;
namespace json = boost::json;

// One that hangs gets it later.
constexpr auto call_timeout = 10s;
constexpr auto retry_after = 10s;
constexpr auto all_again_after = 10min;
// With thousands of machines a round takes a while: it shall not take more than a fortieth of the
// time, unless somebody waits for it.
constexpr int rest_for_work = 40;
constexpr Duration rest_max = 2s;

json::object differing(json::object const& wanted, json::object const& known) {
  json::object differ;
  for (auto const& [key, value] : wanted) {
    auto const* had = known.if_contains(key);
    if (!had || *had != value) differ[key] = value;
  }
  return differ;
}

// A node would refuse all of them.
void leave_out_too_large(json::object& files, std::string_view node) {
  std::vector<std::string> large;
  for (auto const& [key, value] : files) {
    if (value.get_string().size() > model::ssconf_bytes_max) large.emplace_back(key);
  }
  for (auto const& key : large) {
    log::warning("ssconf on {}: '{}' is larger than {} bytes and stays as it is", node, key,
                 model::ssconf_bytes_max);
    files.erase(key);
  }
}

}  // namespace

SsconfWriter::SsconfWriter(Clock& clock, store::ConfigStore& config, rpc::Node& nodes,
                           std::int64_t leader_epoch)
    : clock_(clock), config_(config), nodes_(nodes), leader_epoch_(leader_epoch) {}

SsconfWriter::~SsconfWriter() {
  stop();
}

void SsconfWriter::start() {
  thread_ = clock_.start_thread("ssconf", [this] { run(); });
}

void SsconfWriter::stop() {
  {
    std::lock_guard const guard(mutex_);
    is_stopping_ = true;
  }
  clock_.notify_all(changed_);
  clock_.join(thread_);
}

void SsconfWriter::wake() {
  {
    std::lock_guard const guard(mutex_);
    ++committed_;
  }
  clock_.notify_all(changed_);
}

void SsconfWriter::wait(Duration longest) {
  std::unique_lock guard(mutex_);
  if (!faults_.empty()) {
    is_retry_wanted_ = true;
    ++committed_;
  }
  wait_for(guard, committed_, longest);
}

bool SsconfWriter::wait_for(std::unique_lock<std::mutex>& guard, std::uint64_t wanted,
                            Duration longest) {
  auto const until = clock_.now() + longest;
  ++waiting_;
  clock_.notify_all(changed_);
  while (written_ < wanted && !is_stopping_ && clock_.now() < until) {
    clock_.wait_until(guard, changed_, until);
  }
  --waiting_;
  return written_ >= wanted;
}

std::vector<std::string> SsconfWriter::write_anew(Duration longest) {
  std::unique_lock guard(mutex_);
  is_wanted_anew_ = true;
  auto const wanted = ++committed_;
  clock_.notify_all(changed_);
  if (wait_for(guard, wanted, longest)) return faults_;
  return {"Not every node was written to within the time for it; the rest follows by itself"};
}

std::vector<std::string> SsconfWriter::faults() const {
  std::vector<std::string> faults;
  for (auto const& [id, known] : known_) {
    if (!known.fault.empty()) faults.push_back(known.fault);
  }
  return faults;
}

bool SsconfWriter::is_stopping() {
  std::lock_guard const guard(mutex_);
  return is_stopping_;
}

void SsconfWriter::run() {
  auto all_again_at = clock_.now() + all_again_after;
  auto retry_at = Instant::max();
  std::unique_lock guard(mutex_);
  while (!is_stopping_) {
    auto const next = std::min(all_again_at, retry_at);
    if (written_ == committed_ && clock_.now() < next) {
      clock_.wait_until(guard, changed_, next);
      continue;
    }
    auto const writing = committed_;
    auto const is_anew = std::exchange(is_wanted_anew_, false);
    auto const is_retry = std::exchange(is_retry_wanted_, false);
    guard.unlock();
    auto const began = clock_.now();
    if (is_anew || began >= all_again_at) {
      known_.clear();
      all_again_at = began + all_again_after;
    }
    if (is_retry) {
      for (auto& [id, known] : known_) known.retry_at = {};
    }
    auto const cluster = config_.snapshot();
    auto const written = boundary("Writing ssconf", [&]() -> Result<Instant> {
      if (!cluster->settings().uuid.empty()) return write_all(*cluster);
      // The nodes have left it, and their files with it.
      known_.clear();
      return Instant::max();
    });
    if (!written) log::error("{}", written.error().message);
    if (is_stopping()) return;
    retry_at = written ? *written : began + retry_after;
    auto const ended = clock_.now();
    auto faults = this->faults();
    if (!written) faults.push_back(written.error().message);
    guard.lock();
    written_ = writing;
    faults_ = std::move(faults);
    clock_.notify_all(changed_);
    auto const rested = ended + std::min(rest_for_work * (ended - began), rest_max);
    while (!is_stopping_ && waiting_ == 0 && clock_.now() < rested) {
      clock_.wait_until(guard, changed_, rested);
    }
  }
}

// When a node that lacks something is to be asked again. All are written to at the same time: one
// that hangs holds up the next round, but no other.
Instant SsconfWriter::write_all(model::Cluster const& cluster) {
  auto const files = model::ssconf(cluster);
  auto retry_at = Instant::max();
  std::map<NodeId, json::object> differ;
  auto to_write = cluster.online_nodes();
  std::erase_if(known_, [&](auto const& entry) {
    auto const node = cluster.node(entry.first);
    return !node || (*node)->offline;
  });
  std::erase_if(to_write, [&](model::NodePtr const& node) {
    auto const& known = known_[node->uuid];
    auto changed = differing(files, known.files);
    if (changed.empty()) return true;
    if (clock_.now() < known.retry_at) {
      retry_at = std::min(retry_at, known.retry_at);
      return true;
    }
    leave_out_too_large(changed, node->name);
    differ[node->uuid] = std::move(changed);
    return false;
  });
  auto const number = ++number_;
  auto const written =
      rpc::at_each(clock_, to_write, [&](model::NodePtr const& node) -> Result<rpc::Nothing> {
        if (is_stopping()) return fail(ErrorCode::EnvironmentError, "The controller is stopping");
        return nodes_.ask(*node, rpc::SsconfWrite{differ.find(node->uuid)->second, number},
                          {.leader_epoch = leader_epoch_, .timeout = call_timeout});
      });
  for (auto const& node : to_write) {
    auto& known = known_[node->uuid];
    auto const& answer = known_at(written, node->uuid);
    if (answer) {
      known.files = files;
      known.fault.clear();
      continue;
    }
    // Nobody knows how far it came.
    known.files.clear();
    known.retry_at = clock_.now() + retry_after;
    known.fault = fmt::format("ssconf on {}: {}", node->name, answer.error().message);
    log::warning("{}", known.fault);
    retry_at = std::min(retry_at, known.retry_at);
  }
  return retry_at;
}

}  // namespace flotte::controller
