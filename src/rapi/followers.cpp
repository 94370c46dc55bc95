#include "rapi/followers.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "base/boundary.h"
#include "base/log.h"
#include "rapi/job_lines.h"

namespace flotte::rapi {
namespace {

using namespace std::chrono_literals;

// So much is kept for a command that does not read, and so long.
constexpr std::size_t backlog_max = 256 * 1024;
constexpr auto unread_max = 60s;
constexpr auto look_every = 10s;
constexpr std::uint64_t wakeup_id = 0;

}  // namespace

struct Followers::Follower {
  std::unique_ptr<net::Stream> stream;
  std::vector<JobId> jobs;
  std::size_t at = 0;  // which of them
  Told told;
  // Since when it has read nothing more of what there is for it.
  std::optional<Instant> unread_since;

  JobId job() const { return at < jobs.size() ? jobs[at] : JobId{}; }
};

// What the thread waits on: the sockets of followers, and an eventfd for all else.
struct Followers::Wakeup {
  int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  int event = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

  Wakeup() {
    CHECK(epoll >= 0 && event >= 0);
    CHECK(watch(event, wakeup_id, EPOLLIN));
  }
  ~Wakeup() {
    ::close(event);
    ::close(epoll);
  }
  Wakeup(Wakeup const&) = delete;
  Wakeup& operator=(Wakeup const&) = delete;

  bool watch(int descriptor, std::uint64_t id, std::uint32_t events) const {
    epoll_event entry{.events = events, .data = {.u64 = id}};
    return ::epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &entry) == 0;
  }
  void ring() const {
    std::uint64_t const one = 1;
    (void)!::write(event, &one, sizeof one);
  }
  void answer() const {
    std::uint64_t count = 0;
    (void)!::read(event, &count, sizeof count);
  }
};

Followers::Followers(jobs::JobQueue& queue, Clock& clock, std::size_t most)
    : queue_(queue), clock_(clock), most_(most), wakeup_(std::make_unique<Wakeup>()) {
  queue_.on_change([this](JobId job) { wake(job); });
  thread_ = clock_.start_thread("followers", [this] { run(); });
}

Followers::~Followers() {
  queue_.on_change({});
  {
    std::lock_guard const lock(mutex_);
    is_stopping_ = true;
  }
  wakeup_->ring();
  clock_.join(thread_);
}

void Followers::add(std::unique_ptr<net::Stream> stream, std::vector<JobId> jobs,
                    std::int64_t after, std::string first_line) {
  auto follower = std::make_unique<Follower>();
  follower->stream = std::move(stream);
  follower->stream->write(first_line);
  // Whoever submitted is told so whatever happens here. It has gone, or it takes it later.
  (void)follower->stream->flush();
  follower->jobs = std::move(jobs);
  follower->told.log_serial = after;
  {
    std::lock_guard const lock(mutex_);
    newcomers_.push_back(std::move(follower));
    ++count_;
  }
  wakeup_->ring();
}

Result<void> Followers::check_room() {
  std::lock_guard const lock(mutex_);
  if (count_ < most_) return {};
  return fail(ErrorCode::TempInsufficientResources,
              "{} commands wait for their jobs already, more can't; try again later, or with "
              "--submit",
              count_);
}

// Called in the middle of the queue's work.
void Followers::wake(JobId job) {
  {
    std::lock_guard const lock(mutex_);
    // Who comes later looks for himself.
    if (count_ == 0 || !changed_.insert(job).second) return;
  }
  wakeup_->ring();
}

void Followers::run() {
  std::array<epoll_event, 64> events{};
  for (;;) {
    auto const count =
        ::epoll_wait(wakeup_->epoll, events.data(), static_cast<int>(events.size()),
                     static_cast<int>(std::chrono::milliseconds(look_every).count()));
    std::set<std::uint64_t> to_tell;
    for (int i = 0; i < count; ++i) to_tell.insert(events[static_cast<std::size_t>(i)].data.u64);
    if (to_tell.erase(wakeup_id) > 0) wakeup_->answer();
    std::set<JobId> changed;
    std::vector<std::unique_ptr<Follower>> newcomers;
    {
      std::lock_guard const lock(mutex_);
      if (is_stopping_) return;
      changed.swap(changed_);
      newcomers.swap(newcomers_);
    }
    for (auto const job : changed) {
      auto const found = at_job_.find(job);
      if (found != at_job_.end()) to_tell.insert(found->second.begin(), found->second.end());
    }
    for (auto& newcomer : newcomers) to_tell.insert(take_in(std::move(newcomer)));
    for (auto const id : to_tell) tell(id);
    cut_off_who_does_not_read();
  }
}

std::uint64_t Followers::take_in(std::unique_ptr<Follower> newcomer) {
  auto const id = ++last_id_;
  auto const socket = newcomer->stream->socket();
  // One that can't be watched is told what there is, and comes again for the rest.
  auto const is_watched = wakeup_->watch(socket, id, EPOLLOUT | EPOLLRDHUP | EPOLLET);
  if (!is_watched) newcomer->jobs.clear();
  at_job_[newcomer->job()].insert(id);
  followers_.emplace(id, std::move(newcomer));
  return id;
}

void Followers::tell(std::uint64_t id) {
  auto const found = followers_.find(id);
  if (found == followers_.end()) return;
  auto& follower = *found->second;
  auto const before = follower.job();
  auto const unsent = follower.stream->unsent_bytes();
  auto const told = boundary("Telling a command of its jobs",
                             [&]() -> Result<bool> { return tell_news(follower); });
  if (!told) log::error("{}", told.error().message);
  leave(before, id);
  if (!told || !*told) return forget(id);
  at_job_[follower.job()].insert(id);
  auto const left = follower.stream->unsent_bytes();
  if (left == 0) {
    follower.unread_since.reset();
  } else if (left < unsent || !follower.unread_since) {
    follower.unread_since = clock_.now();
  }
}

void Followers::forget(std::uint64_t id) {
  followers_.erase(id);
  std::lock_guard const lock(mutex_);
  --count_;
}

// Its command was stopped, perhaps; it comes again when it goes on.
void Followers::cut_off_who_does_not_read() {
  auto const now = clock_.now();
  if (now < next_look_) return;
  next_look_ = now + look_every;
  std::vector<std::uint64_t> lost;
  for (auto const& [id, follower] : followers_) {
    if (follower->unread_since && now - *follower->unread_since >= unread_max) lost.push_back(id);
  }
  for (auto const id : lost) {
    leave(followers_.find(id)->second->job(), id);
    forget(id);
  }
}

void Followers::leave(JobId job, std::uint64_t id) {
  auto const found = at_job_.find(job);
  if (found == at_job_.end()) return;
  found->second.erase(id);
  if (found->second.empty()) at_job_.erase(found);
}

// False: it knows all, or has gone.
bool Followers::tell_news(Follower& follower) {
  auto& stream = *follower.stream;
  while (stream.unsent_bytes() < backlog_max) {
    if (follower.at == follower.jobs.size()) {
      stream.finish();
      return stream.flush() && stream.unsent_bytes() > 0;
    }
    auto const job = follower.job();
    auto& told = follower.told;
    auto const change = queue_.change(job, told.status, told.log_serial, told.progress);
    if (change && !*change) break;
    if (change) stream.write(lines_of(**change, told));
    // One that is not there was archived meanwhile.
    if (!change || jobs::is_final(told.status)) {
      auto const ended = queue_.job(job, jobs::JobQueue::Logs::Without);
      if (ended) stream.write(done_line(*ended));
      ++follower.at;
      told = {};
    }
    if (!stream.flush()) return false;
  }
  return stream.flush() && !stream.is_client_gone();
}

}  // namespace flotte::rapi
