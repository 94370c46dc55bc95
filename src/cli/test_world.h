// For the tests of move-instance: two clusters that answer as remote APIs do, and what can go wrong
// with each request. Pure; time passes when somebody waits.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>

#include "base/clock.h"
#include "cli/rapi_client.h"

namespace flotte::cli {

class ImpatientClock final : public SystemClock {
 public:
  Instant now() override { return now_; }
  void sleep_until(Instant when) override { now_ = std::max(now_, when); }

 private:
  Instant now_ = Instant(std::chrono::hours(1));
};

struct FakeMachine {
  bool is_up = true;  // admin_state
  bool runs = true;
  bool is_whole = true;  // has all of its data
  std::set<std::string> tags = {"prod"};
};

enum class Trouble {
  Refused,     // by the remote API
  Busy,        // it says so
  LostBefore,  // nobody heard it
  LostAfter,   // it was done, and nobody heard the answer
  JobFails,
  JobFailsInGanetisWay,  // an import that goes on without its disks, and starts
  JobFailsAtTheEnd,      // of an import: all is there, and it does not start
  Away,                  // from now on
  Killed,                // the mover, before
  KilledAfter
};

struct Killed {};

class World;

class FakeRapi final : public Rapi {
 public:
  FakeRapi(World& world, std::string side) : world_(world), side_(std::move(side)) {}

  Result<json::value> ask(std::string const& method, std::string const& target,
                          json::value const& body) override;

  void come_back() { is_away_ = false; }

  std::map<std::string, FakeMachine> machines;

  struct Job {
    std::string status = "success";
    json::object op;
    json::array log;
    json::value result;
    int looks = 0;
    bool can_be_canceled = true;
  };
  std::map<std::int64_t, Job> jobs;

 private:
  Result<json::value> answer(std::string const& word, std::string const& method,
                             std::string const& path, std::string const& query,
                             json::value const& body);
  Result<json::value> job_answer(std::string const& method, std::string const& rest,
                                 json::value const& body);
  json::value submit(json::object op, std::string const& query,
                     std::function<void(Job&)> const& deed);
  void advance(Job& job);
  void advance_import(Job& job);

  World& world_;
  std::string side_;
  bool is_away_ = false;
};

class World {
 public:
  World() : source(*this, "src"), destination(*this, "dst") { source.machines["web1"]; }

  FakeRapi source;
  FakeRapi destination;
  ImpatientClock clock;

  // What was asked, but for waiting: "src shutdown".
  std::vector<std::string> asked;
  // Every request has a number, from 1 on.
  int requests = 0;
  std::function<std::optional<Trouble>(std::string const& word, int number)> trouble;
  bool is_ganeti = false;  // running jobs can't be canceled there

  void check() const {
    auto const runs = [](FakeRapi const& side) {
      auto const found = side.machines.find("web1");
      return found != side.machines.end() && found->second.runs;
    };
    auto const is_whole = [](FakeRapi const& side) {
      auto const found = side.machines.find("web1");
      return found != side.machines.end() && found->second.is_whole;
    };
    EXPECT_FALSE(runs(source) && runs(destination)) << "it runs on both sides";
    EXPECT_TRUE(is_whole(source) || is_whole(destination)) << "its data is gone";
  }
};

}  // namespace flotte::cli
