#include "scheduler.h"

#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <exception>

#include "base/result.h"

namespace flotte::simulation {
namespace {

using namespace std::chrono_literals;

// So that a task that only looks at the clock gets on.
constexpr auto step = 2us;
// 2026-01-01 00:00:00 UTC.
constexpr auto wall_begin = 1'767'225'600s;

// Binds this thread, and those that it starts, to the CPU that it is on. Threads of which one runs
// at a time change places twice as fast there: nobody wakes another CPU.
class OneCpu {
 public:
  OneCpu() {
    CHECK(::sched_getaffinity(0, sizeof before_, &before_) == 0);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<std::size_t>(::sched_getcpu()), &one);
    ::sched_setaffinity(0, sizeof one, &one);
  }
  ~OneCpu() { ::sched_setaffinity(0, sizeof before_, &before_); }
  OneCpu(OneCpu const&) = delete;
  OneCpu& operator=(OneCpu const&) = delete;

 private:
  cpu_set_t before_;
};

}  // namespace

Scheduler::Scheduler(std::uint64_t seed) : random_(seed), now_(Duration(1h)) {}

Scheduler::~Scheduler() {
  for (auto& worker : workers_) {
    worker->is_leaving = true;
    worker->start.release();
    worker->thread.join();
  }
}

void Scheduler::run(std::function<void()> world) {
  OneCpu const bound;
  world_ = std::make_shared<Process>(Process{.name = "world"});
  spawn(world_, "world", [this, world = std::move(world)] {
    world_task_ = current_;
    try {
      world();
    } catch (Killed const&) {
    }
    world_->is_dead = false;
    // Whoever is left belongs to a run that is over.
    std::set<Process*> left;
    for (auto const& [id, task] : tasks_) {
      if (task.get() != current_ && !task->has_ended) left.insert(task->process.get());
    }
    left.erase(world_.get());
    for (auto* process : left) kill(*process);
  });
  auto* first = choose();
  current_ = first;
  first->baton.release();
  std::uint64_t seen = 0;
  while (!world_ended_.try_acquire_for(30s)) {
    if (switches_ != seen) {
      seen = switches_;
      continue;
    }
    fmt::print(stderr,
               "The thread '{}' holds up all others: it waits for a mutex that is held "
               "across a seam, or for something that is no seam\n",
               current_->name);
    std::abort();
  }
}

WallTime Scheduler::wall() {
  return WallTime(wall_begin + wall_offset_ + now_.time_since_epoch());
}

Scheduler::Task& Scheduler::make_task(std::shared_ptr<Process> process, std::string name) {
  auto task = std::make_unique<Task>();
  task->id = next_id_++;
  ++process->tasks;
  task->process = std::move(process);
  task->name = std::move(name);
  auto& made = *task;
  tasks_.emplace(made.id, std::move(task));
  make_runnable(made);
  return made;
}

void Scheduler::make_runnable(Task& task) {
  if (task.is_runnable || task.has_ended) return;
  forget_wait(task);
  task.is_runnable = true;
  runnable_.push_back(&task);
}

void Scheduler::forget_wait(Task& task) {
  if (task.wakes_at != Instant::max()) {
    timers_.erase({task.wakes_at, task.id});
    task.wakes_at = Instant::max();
  }
  if (task.waits_for) {
    auto const found = waiting_.find(task.waits_for);
    std::erase(found->second, &task);
    if (found->second.empty()) waiting_.erase(found);
    task.waits_for = nullptr;
  }
}

// Nobody will ever go on: the world is told.
void Scheduler::stand_still() {
  std::string text = "nobody can go on:";
  for (auto const& [id, task] : tasks_) {
    if (!task->has_ended) text += fmt::format(" {}/{}", task->process->name, task->name);
  }
  standstill_ = std::move(text);
  world_->is_dead = true;
  make_runnable(*world_task_);
}

// Who runs next; time passes when nobody can.
Scheduler::Task* Scheduler::choose() {
  for (;;) {
    if (runnable_.empty()) {
      if (timers_.empty()) {
        stand_still();
        continue;
      }
      auto const [when, id] = *timers_.begin();
      now_ = std::max(now_, when);
      while (!timers_.empty() && timers_.begin()->first <= now_) {
        make_runnable(*tasks_.at(timers_.begin()->second));
      }
      continue;
    }
    auto const index = static_cast<std::size_t>(random_.below(runnable_.size()));
    auto* task = runnable_[index];
    runnable_[index] = runnable_.back();
    runnable_.pop_back();
    task->is_runnable = false;
    if (!task->process->is_dead && task->process->hangs_until > now_) {
      task->wakes_at = task->process->hangs_until;
      timers_.insert({task->wakes_at, task->id});
      continue;
    }
    return task;
  }
}

void Scheduler::hand_over(Task& to) {
  ++switches_;
  now_ += step;
  current_ = &to;
  to.baton.release();
}

void Scheduler::block() {
  auto& self = *current_;
  CHECK(self.guards == 0);  // no mutex is held across a seam
  auto* next = choose();
  if (next != &self) {
    hand_over(*next);
    self.baton.acquire();
  } else {
    now_ += step;
  }
  throw_if_killed();
}

void Scheduler::throw_if_killed() const {
  if (current_->process->is_dead && std::uncaught_exceptions() == 0) throw Killed{};
}

// What the body holds is gone before others go on. One that was killed before it began comes as far
// as its first seam, too.
void Scheduler::run_body(std::function<void()> body) {
  try {
    body();
  } catch (Killed const&) {
  }
}

void Scheduler::end_task(Task& task) {
  forget_wait(task);
  task.has_ended = true;
  --task.process->tasks;
  for (auto* joiner : task.joiners) make_runnable(*joiner);
  auto const id = task.id;
  if (&task == world_task_) {
    world_ended_.release();
    return;
  }
  auto* next = choose();
  // Tasks that somebody may join are kept until then.
  if (std::ranges::none_of(threads_, [&](auto const& entry) { return entry.second == &task; })) {
    tasks_.erase(id);
  }
  hand_over(*next);
}

void Scheduler::sleep_until(Instant when) {
  throw_if_killed();
  if (current_->process->is_dead) return;
  auto& self = *current_;
  self.wakes_at = std::max(when, now_);
  timers_.insert({self.wakes_at, self.id});
  block();
}

void Scheduler::yield() {
  throw_if_killed();
  if (current_->process->is_dead) return;
  make_runnable(*current_);
  block();
}

bool Scheduler::wait_until(std::unique_lock<std::mutex>& lock, std::condition_variable& condition,
                           Instant deadline) {
  throw_if_killed();
  if (current_->process->is_dead) return false;
  auto& self = *current_;
  if (deadline != Instant::max()) {
    self.wakes_at = std::max(deadline, now_);
    timers_.insert({self.wakes_at, self.id});
  }
  self.waits_for = &condition;
  waiting_[&condition].push_back(&self);
  lock.unlock();
  // The one that it gives up, where a Guard holds it.
  auto const guards = self.guards;
  self.guards = std::max(guards - 1, 0);
  block();
  self.guards = guards;
  lock.lock();
  return now_ < deadline;
}

// Nobody is sent away while he holds a mutex, so what is asked for is free.
void Scheduler::before_lock() {
  if (current_->guards == 0) yield();
  ++current_->guards;
}

void Scheduler::after_unlock() {
  --current_->guards;
}

void Scheduler::notify_all(std::condition_variable& condition) {
  auto const found = waiting_.find(&condition);
  if (found == waiting_.end()) return;
  auto const tasks = found->second;
  for (auto* task : tasks) make_runnable(*task);
}

std::thread Scheduler::start_thread(std::string name, std::function<void()> body) {
  auto& task = make_task(current_->process, std::move(name));
  std::thread thread([this, &task, body = std::move(body)]() mutable {
    task.baton.acquire();
    run_body(std::move(body));
    end_task(task);
  });
  threads_[thread.get_id()] = &task;
  return thread;
}

void Scheduler::join(std::thread& thread) {
  if (!thread.joinable()) return;
  auto const id = thread.get_id();
  auto* task = threads_.at(id);
  while (!task->has_ended) {
    throw_if_killed();
    if (current_->process->is_dead) {
      // It is unwound, and so is the other: what that one uses may be this one's.
      make_runnable(*current_);
    } else {
      task->joiners.push_back(current_);
    }
    block();
  }
  thread.join();
  threads_.erase(id);
  tasks_.erase(task->id);
}

void Scheduler::spawn(std::shared_ptr<Process> process, std::string name,
                      std::function<void()> body) {
  auto& task = make_task(std::move(process), std::move(name));
  Worker* worker = nullptr;
  if (idle_.empty()) {
    workers_.push_back(std::make_unique<Worker>());
    worker = workers_.back().get();
    worker->thread = std::thread([this, worker] {
      for (;;) {
        worker->start.acquire();
        if (worker->is_leaving) return;
        auto* mine = worker->task;
        mine->baton.acquire();
        run_body(std::move(worker->body));
        idle_.push_back(worker);
        end_task(*mine);
      }
    });
  } else {
    worker = idle_.back();
    idle_.pop_back();
  }
  worker->task = &task;
  worker->body = std::move(body);
  worker->start.release();
}

std::shared_ptr<Process> Scheduler::start_process(std::string name) {
  return std::make_shared<Process>(Process{.name = std::move(name)});
}

void Scheduler::as(std::shared_ptr<Process> const& process, std::function<void()> const& body) {
  auto own = current_->process;
  current_->process = process;
  body();
  current_->process = std::move(own);
}

void Scheduler::mark_dead(Process& process) {
  process.is_dead = true;
  for (auto const& [id, task] : tasks_) {
    if (task->process.get() == &process && task.get() != current_) make_runnable(*task);
  }
}

void Scheduler::kill(Process& process) {
  CHECK(current_->process.get() != &process);
  mark_dead(process);
  while (process.tasks > 0) yield();
}

void Scheduler::die() {
  mark_dead(*current_->process);
  throw Killed{};
}

void Scheduler::hang(Process& process, Duration duration) {
  process.hangs_until = std::max(process.hangs_until, now_ + duration);
}

}  // namespace flotte::simulation
