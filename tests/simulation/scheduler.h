// Scheduler: the clock and the threads of a simulation. One thread runs at a time; they change
// places only at the seams and where a Guard takes a mutex, and one seed decides who goes on.
//
// Threads belong to processes. A process that is killed ends its threads at their next seam, by an
// exception that unwinds them; a process that hangs is not scheduled. When nobody can run, time
// jumps to the next deadline.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <semaphore>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/random.h"

namespace flotte::simulation {

// Unwinds the threads of a process that died. Nobody catches it but the scheduler.
struct Killed {};

struct Process {
  std::string name;
  bool is_dead = false;
  Instant hangs_until{};
  std::size_t tasks = 0;  // that have not ended
};

class Scheduler final : public Clock {
 public:
  explicit Scheduler(std::uint64_t seed);
  ~Scheduler() override;

  // Runs `world` as the first task of the process `world`; returns when it has ended. Tasks that
  // still exist then are killed.
  void run(std::function<void()> world);

  // --- Clock
  WallTime wall() override;
  Instant now() override { return now_; }
  void sleep_until(Instant when) override;
  bool wait_until(std::unique_lock<std::mutex>& lock, std::condition_variable& condition,
                  Instant deadline) override;
  void notify_all(std::condition_variable& condition) override;
  std::thread start_thread(std::string name, std::function<void()> body) override;
  void join(std::thread& thread) override;
  void before_lock() override;
  void after_unlock() override;

  // --- For the simulated seams and the faults
  // Others may go first here.
  void yield();
  std::shared_ptr<Process> start_process(std::string name);
  // The process that the running task belongs to.
  std::shared_ptr<Process> process() const { return current_->process; }
  // A task that nobody joins.
  void spawn(std::shared_ptr<Process> process, std::string name, std::function<void()> body);
  // What `body` starts belongs to the process.
  void as(std::shared_ptr<Process> const& process, std::function<void()> const& body);
  // Not of the running task's own process. Returns when none of its threads is left.
  void kill(Process& process);
  // The running task's own process dies here.
  [[noreturn]] void die();
  void hang(Process& process, Duration duration);
  void step_wall(Duration by) { wall_offset_ += by; }

  std::uint64_t switches() const { return switches_; }
  // Set when nobody could run any more: what each task waits for.
  std::optional<std::string> const& standstill() const { return standstill_; }

 private:
  struct Task {
    std::shared_ptr<Process> process;
    std::string name;
    std::uint64_t id = 0;
    std::binary_semaphore baton{0};
    Instant wakes_at = Instant::max();
    std::condition_variable* waits_for = nullptr;
    std::vector<Task*> joiners;
    int guards = 0;  // that it holds
    bool is_runnable = false;
    bool has_ended = false;
  };
  // A thread of the machine that runs tasks that nobody joins, one after the other.
  struct Worker {
    std::binary_semaphore start{0};
    Task* task = nullptr;
    std::function<void()> body;
    bool is_leaving = false;
    std::thread thread;
  };

  Task& make_task(std::shared_ptr<Process> process, std::string name);
  void run_body(std::function<void()> body);
  void end_task(Task& task);
  void make_runnable(Task& task);
  void forget_wait(Task& task);
  void block();
  Task* choose();
  void hand_over(Task& to);
  void throw_if_killed() const;
  void mark_dead(Process& process);
  void stand_still();

  SeededRandom random_;
  Instant now_;
  Duration wall_offset_{};
  std::uint64_t next_id_ = 0;
  std::atomic<std::uint64_t> switches_ = 0;
  Task* current_ = nullptr;
  std::map<std::uint64_t, std::unique_ptr<Task>> tasks_;
  std::vector<Task*> runnable_;
  std::set<std::pair<Instant, std::uint64_t>> timers_;
  std::unordered_map<std::condition_variable*, std::vector<Task*>> waiting_;
  std::map<std::thread::id, Task*> threads_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<Worker*> idle_;
  std::shared_ptr<Process> world_;
  Task* world_task_ = nullptr;
  std::binary_semaphore world_ended_{0};
  std::optional<std::string> standstill_;
};

}  // namespace flotte::simulation
