#include "rapi/followers.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
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

class Followers::Follower {
 public:
  explicit Follower(std::unique_ptr<net::Stream> stream) : stream_(std::move(stream)) {}
  virtual ~Follower() = default;
  // Of which changes it wants to hear.
  virtual JobId job() const = 0;
  // False: it knows all, or has gone.
  virtual bool tell_news(Instant now) = 0;
  // It can't be told more than there is now.
  virtual void cut_short() = 0;
  virtual std::optional<Instant> deadline() const { return std::nullopt; }

  net::Stream& stream() const { return *stream_; }
  // Since when it has read nothing more of what there is for it.
  std::optional<Instant> unread_since;

 protected:
  bool is_rest_unsent() const { return stream_->flush() && stream_->unsent_bytes() > 0; }

 private:
  std::unique_ptr<net::Stream> stream_;
};

class Followers::Command final : public Follower {
 public:
  Command(std::unique_ptr<net::Stream> stream, jobs::JobQueue& queue, std::vector<JobId> jobs,
          std::int64_t after)
      : Follower(std::move(stream)), queue_(queue), jobs_(std::move(jobs)) {
    told_.log_serial = after;
  }
  JobId job() const override { return at_ < jobs_.size() ? jobs_[at_] : JobId{}; }
  void cut_short() override { jobs_.clear(); }
  bool tell_news(Instant) override {
    while (stream().unsent_bytes() < backlog_max) {
      if (at_ >= jobs_.size()) {
        stream().finish();
        return is_rest_unsent();
      }
      auto const change = queue_.change(job(), told_.status, told_.log_serial, told_.progress);
      if (change && !*change) break;
      if (change) stream().write(lines_of(**change, told_));
      // One that is not there was archived meanwhile.
      if (!change || jobs::is_final(told_.status)) {
        auto const ended = queue_.job(job(), jobs::JobQueue::Logs::Without);
        if (ended) stream().write(done_line(*ended));
        ++at_;
        told_ = {};
      }
      if (!stream().flush()) return false;
    }
    return stream().flush() && !stream().is_client_gone();
  }

 private:
  jobs::JobQueue& queue_;
  std::vector<JobId> jobs_;
  std::size_t at_ = 0;  // which of them
  Told told_;
};

class Followers::Waiter final : public Follower {
 public:
  Waiter(std::unique_ptr<net::Stream> stream, JobId job, Look look, Instant until)
      : Follower(std::move(stream)), job_(job), look_(std::move(look)), until_(until) {}
  JobId job() const override { return job_; }
  void cut_short() override { until_ = {}; }
  std::optional<Instant> deadline() const override { return until_; }
  bool tell_news(Instant now) override {
    if (!is_told_) {
      auto const is_time_up = now >= until_;
      auto const told = look_(is_time_up);
      if (!told && !is_time_up) return stream().flush() && !stream().is_client_gone();
      is_told_ = true;
      stream().write(told.value_or(""));
      stream().finish();
    }
    return is_rest_unsent();
  }

 private:
  JobId job_;
  Look look_;
  Instant until_;
  bool is_told_ = false;
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
  stream->write(first_line);
  // Whoever submitted is told so whatever happens here. It has gone, or it takes it later.
  (void)stream->flush();
  let_in(std::make_unique<Command>(std::move(stream), queue_, std::move(jobs), after));
}

void Followers::wait(std::unique_ptr<net::Stream> stream, JobId job, Look look, Instant until) {
  let_in(std::make_unique<Waiter>(std::move(stream), job, std::move(look), until));
}

void Followers::let_in(std::unique_ptr<Follower> newcomer) {
  {
    std::lock_guard const lock(mutex_);
    if (newcomer->deadline()) ++waiters_;
    newcomers_.push_back(std::move(newcomer));
    ++count_;
  }
  wakeup_->ring();
}

Result<void> Followers::check_room() {
  std::lock_guard const lock(mutex_);
  if (count_ < most_) return {};
  return fail(ErrorCode::TempInsufficientResources,
              "{} commands and programs wait for their jobs already, more can't; try again later, "
              "or with --submit",
              count_);
}

Result<void> Followers::check_room_to_wait() {
  std::lock_guard const lock(mutex_);
  if (count_ < most_ && waiters_ < most_ / 2) return {};
  return fail(ErrorCode::TempInsufficientResources,
              "{} programs wait for jobs already, more can't; try again later", waiters_);
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
    auto const count = ::epoll_wait(wakeup_->epoll, events.data(), static_cast<int>(events.size()),
                                    static_cast<int>(longest_pause().count()));
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
    auto const now = clock_.now();
    while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
      to_tell.insert(deadlines_.begin()->second);
      deadlines_.erase(deadlines_.begin());
    }
    for (auto const id : to_tell) tell(id);
    cut_off_who_does_not_read();
  }
}

std::chrono::milliseconds Followers::longest_pause() const {
  if (deadlines_.empty()) return look_every;
  auto const left =
      std::chrono::ceil<std::chrono::milliseconds>(deadlines_.begin()->first - clock_.now());
  return std::clamp<std::chrono::milliseconds>(left, 0ms, look_every);
}

std::uint64_t Followers::take_in(std::unique_ptr<Follower> newcomer) {
  auto const id = ++last_id_;
  auto const socket = newcomer->stream().socket();
  // One that can't be watched is told what there is, and comes again for the rest.
  auto const is_watched = wakeup_->watch(socket, id, EPOLLOUT | EPOLLRDHUP | EPOLLET);
  if (!is_watched) newcomer->cut_short();
  if (auto const until = newcomer->deadline()) deadlines_.emplace(*until, id);
  at_job_[newcomer->job()].insert(id);
  followers_.emplace(id, std::move(newcomer));
  return id;
}

void Followers::tell(std::uint64_t id) {
  auto const found = followers_.find(id);
  if (found == followers_.end()) return;
  auto& follower = *found->second;
  auto const before = follower.job();
  auto const unsent = follower.stream().unsent_bytes();
  auto const told = boundary("Telling somebody of a job",
                             [&]() -> Result<bool> { return follower.tell_news(clock_.now()); });
  if (!told) log::error("{}", told.error().message);
  leave(before, id);
  if (!told || !*told) return forget(id);
  at_job_[follower.job()].insert(id);
  auto const left = follower.stream().unsent_bytes();
  if (left == 0) {
    follower.unread_since.reset();
  } else if (left < unsent || !follower.unread_since) {
    follower.unread_since = clock_.now();
  }
}

void Followers::forget(std::uint64_t id) {
  auto const found = followers_.find(id);
  auto const until = found->second->deadline();
  if (until) deadlines_.erase({*until, id});
  followers_.erase(found);
  std::lock_guard const lock(mutex_);
  --count_;
  if (until) --waiters_;
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

}  // namespace flotte::rapi
