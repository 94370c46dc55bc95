// Followers: tells commands and programs what becomes of their jobs, as many as there are, on one
// thread.
//
// A command has a cursor: the job it is at and what it has been told of it (docs/local-api.md
// describes the lines). A program waits for one change of one job. A change of a job wakes those
// that are at it; who reads slowly is told more when he has read. Thread-safe.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "jobs/job_queue.h"
#include "net/http.h"

namespace flotte::rapi {

class Followers {
 public:
  // Both outlive it. `most`: so many at a time.
  Followers(jobs::JobQueue& queue, Clock& clock, std::size_t most);
  ~Followers();  // cuts off whoever is left
  Followers(Followers const&) = delete;
  Followers& operator=(Followers const&) = delete;

  // TempInsufficientResources: there are as many as may be. Asked before anything is done for one.
  Result<void> check_room();
  // Programs leave half of the room to commands.
  Result<void> check_room_to_wait();
  // The jobs are told one after the other, as a waiting command shows them; of the first one the
  // log lines after that serial. `first_line` goes before them, at once.
  void add(std::unique_ptr<net::Stream> stream, std::vector<JobId> jobs, std::int64_t after,
           std::string first_line);

  // What one who waits for a job is told; nothing: there is nothing yet. Called on the thread of
  // all, so it may not wait; and once more when the time is up, when it must say something.
  using Look = std::function<std::optional<std::string>(bool is_time_up)>;
  void wait(std::unique_ptr<net::Stream> stream, JobId job, Look look, Instant until);

 private:
  class Follower;
  class Command;
  class Waiter;
  struct Wakeup;

  void run();
  void let_in(std::unique_ptr<Follower> newcomer);
  void wake(JobId job);
  std::chrono::milliseconds longest_pause() const;
  std::uint64_t take_in(std::unique_ptr<Follower> newcomer);
  void tell(std::uint64_t id);
  void leave(JobId job, std::uint64_t id);
  void forget(std::uint64_t id);
  void cut_off_who_does_not_read();

  jobs::JobQueue& queue_;
  Clock& clock_;
  std::size_t const most_;
  std::unique_ptr<Wakeup> wakeup_;

  // Of the thread alone.
  std::map<std::uint64_t, std::unique_ptr<Follower>> followers_;
  std::map<JobId, std::set<std::uint64_t>> at_job_;
  std::set<std::pair<Instant, std::uint64_t>> deadlines_;
  std::uint64_t last_id_ = 0;
  Instant next_look_{};

  std::mutex mutex_;
  std::vector<std::unique_ptr<Follower>> newcomers_;
  std::size_t count_ = 0;  // of all
  std::size_t waiters_ = 0;
  std::set<JobId> changed_;
  bool is_stopping_ = false;
  std::thread thread_;
};

}  // namespace flotte::rapi
