// Followers: tells commands what becomes of their jobs, as many as there are, on one thread.
//
// Each has a cursor: the job it is at and what it has been told of it. A change of a job wakes
// those that are at it; one whose command reads slowly is told more when it has read.
// docs/local-api.md describes the lines. Thread-safe.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
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
  // The jobs are told one after the other, as a waiting command shows them; of the first one the
  // log lines after that serial. `first_line` goes before them, at once.
  void add(std::unique_ptr<net::Stream> stream, std::vector<JobId> jobs, std::int64_t after,
           std::string first_line);

 private:
  struct Follower;
  struct Wakeup;

  void run();
  void wake(JobId job);
  std::uint64_t take_in(std::unique_ptr<Follower> newcomer);
  void tell(std::uint64_t id);
  bool tell_news(Follower& follower);
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
  std::uint64_t last_id_ = 0;
  Instant next_look_{};

  std::mutex mutex_;
  std::vector<std::unique_ptr<Follower>> newcomers_;
  std::size_t count_ = 0;  // of all
  std::set<JobId> changed_;
  bool is_stopping_ = false;
  std::thread thread_;
};

}  // namespace flotte::rapi
