#include "cli/move.h"

#include <gmock/gmock.h>

#include "cli/mover.h"
#include "cli/test_world.h"

namespace flotte::cli {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class Silent final : public Teller {
 public:
  void step(std::string const& text) override { steps += text + "\n"; }
  void info(std::string const&) override {}
  void warning(std::string const& text) override { steps += text + "\n"; }
  void progress(std::string const&) override {}
  std::string steps;
};

// Of a process that is no more.
std::string dead_mover() {
  auto const own = this_mover();
  return own.substr(0, own.rfind(' ')) + " 1";
}

struct Try {
  World& world;
  MoveOrder order{.name = "web1"};
  std::string mover = dead_mover();
  Silent teller = {};

  Result<void> run() {
    RemoteCluster from("SRC", world.source, world.clock, {});
    RemoteCluster to("DST", world.destination, world.clock, {});
    order.destination.is_flotte = !world.is_ganeti;
    from.set_reason(mover);
    to.set_reason(mover);
    return move(from, to, order, teller);
  }
  std::string error() {
    auto const done = run();
    return done ? "" : done.error().message;
  }
};

// "src runs, dst none"
std::string state(World const& world) {
  auto const of = [](FakeRapi const& side) {
    auto const found = side.machines.find("web1");
    if (found == side.machines.end()) return std::string("none");
    auto const& machine = found->second;
    std::string text = machine.runs ? "runs" : machine.is_up ? "should run" : "stopped";
    if (!machine.is_whole) text += " broken";
    if (machine.tags.contains("flotte:moving-up")) text += " tagged";
    return text;
  };
  return fmt::format("src {}, dst {}", of(world.source), of(world.destination));
}

constexpr auto moved = "src none, dst runs";
constexpr auto as_before = "src runs, dst none";

TEST(Move, in_this_order) {
  World world;
  Try one{world};
  EXPECT_EQ(one.error(), "");
  EXPECT_THAT(world.asked,
              ElementsAre("src look", "dst look", "dst jobs", "src info", "src prepare-export",
                          "dst try", "dst create", "src tag", "src shutdown", "src export",
                          "src look", "src jobs", "src remove"));
  EXPECT_EQ(state(world), moved);
  EXPECT_THAT(one.teller.steps, HasSubstr("removed from SRC"));
}

TEST(Move, a_machine_that_is_down_stays_down) {
  World world;
  world.source.machines["web1"].is_up = world.source.machines["web1"].runs = false;
  EXPECT_EQ(Try{world}.error(), "");
  EXPECT_THAT(world.asked, Not(Contains("src shutdown")));
  EXPECT_THAT(world.asked, Not(Contains("src tag")));
  EXPECT_EQ(state(world), "src none, dst stopped");
}

TEST(Move, the_source_is_kept_where_it_is_wished) {
  World world;
  Try one{world};
  one.order.keeps_source = true;
  EXPECT_EQ(one.error(), "");
  EXPECT_EQ(state(world), "src stopped, dst runs");
}

TEST(Move, a_dry_run_ends_before_anything_is_made) {
  World world;
  Try one{world};
  one.order.is_dry_run = true;
  EXPECT_EQ(one.error(), "");
  EXPECT_THAT(world.asked, ElementsAre("src look", "dst look", "dst jobs", "src info",
                                       "src prepare-export", "dst try"));
  EXPECT_EQ(state(world), as_before);
  EXPECT_THAT(one.teller.steps, HasSubstr("1 disk of 1024 MiB, running on SRC: DST takes"));
}

struct Row {
  std::string on;
  Trouble trouble;
  bool is_ganeti;
  std::string ends;  // as state() has it
  std::string says;
};

TEST(Move, troubles) {
  for (auto const& row : std::vector<Row>{
           {"src look", Trouble::Refused, false, as_before, "it is refused"},
           {"src info", Trouble::JobFails, false, as_before, "mishap. It runs on SRC as before"},
           {"src prepare-export", Trouble::JobFails, false, as_before, "mishap"},
           {"dst try", Trouble::JobFails, false, as_before, "DST does not take it: the job met"},
           {"dst create", Trouble::Refused, false, as_before, "it is refused"},
           {"dst create", Trouble::JobFails, false, as_before, "mishap"},
           {"src tag", Trouble::JobFails, false, as_before, "It is on SRC as before, and runs"},
           {"src shutdown", Trouble::JobFails, false, as_before, "as before, and runs"},
           {"src shutdown", Trouble::JobFails, true, as_before, "as before, and runs"},
           {"src export", Trouble::Refused, false, as_before, "as before, and runs"},
           {"src export", Trouble::Refused, true, as_before, "as before, and runs"},
           {"src export", Trouble::JobFails, false, as_before, "as before, and runs"},
           {"src export", Trouble::JobFails, true, as_before, "as before, and runs"},
           {"dst create", Trouble::JobFailsInGanetisWay, true, as_before, "not every disk arrived"},
           {"dst create", Trouble::JobFailsAtTheEnd, false, as_before, "Could not start instance"},
           {"dst startup", Trouble::JobFails, true, as_before, "it does not start on DST"},
           {"src remove", Trouble::JobFails, false, "src stopped tagged, dst runs",
            "could not be removed from SRC"},
           {"src remove", Trouble::Refused, false, "src stopped tagged, dst runs",
            "The same command again"}}) {
    World world;
    world.is_ganeti = row.is_ganeti;
    world.trouble = [&](std::string const& word, int) {
      return word == row.on ? std::optional(row.trouble) : std::nullopt;
    };
    auto const error = Try{world}.error();
    EXPECT_THAT(error, HasSubstr(row.says)) << row.on;
    EXPECT_EQ(state(world), row.ends) << row.on << ": " << error;
    // What had gone wrong is mended.
    world.trouble = nullptr;
    EXPECT_EQ(Try{world}.error(), "") << row.on;
    EXPECT_EQ(state(world), moved) << row.on;
  }
}

// The order in which things are taken back.
TEST(Move, the_source_starts_when_the_destination_has_nothing_any_more) {
  World world;
  world.is_ganeti = true;
  world.trouble = [](std::string const& word, int) {
    return word == "dst create" ? std::optional(Trouble::JobFailsInGanetisWay) : std::nullopt;
  };
  Try{world}.error();
  auto const from = std::ranges::find(world.asked, "src export");
  EXPECT_THAT(std::vector(from, world.asked.end()),
              ElementsAre("src export", "dst look", "dst remove", "src startup", "src untag"));
}

TEST(Move, what_the_destination_cannot_get_rid_of_keeps_the_source_down) {
  World world;
  world.trouble = [](std::string const& word, int) -> std::optional<Trouble> {
    if (word == "dst create") return Trouble::JobFailsAtTheEnd;
    if (word == "dst remove") return Trouble::JobFails;
    return std::nullopt;
  };
  EXPECT_THAT(Try{world}.error(), HasSubstr("So it is not started on SRC again"));
  EXPECT_EQ(state(world), "src stopped tagged, dst should run");
}

// Each side in turn is gone from some request on: what is left is never two that run, and the same
// command goes on when it is back.
TEST(Move, a_side_that_goes_away_at_any_moment) {
  for (auto const is_ganeti : {false, true}) {
    for (std::string const side : {"src", "dst"}) {
      for (int at = 1;; ++at) {
        SCOPED_TRACE(fmt::format("{} away at request {}, Ganeti: {}", side, at, is_ganeti));
        World world;
        world.is_ganeti = is_ganeti;
        world.trouble = [&](std::string const& word, int number) {
          return number >= at && word.starts_with(side) ? std::optional(Trouble::Away)
                                                        : std::nullopt;
        };
        auto const error = Try{world}.error();
        world.trouble = nullptr;
        world.source.come_back();
        world.destination.come_back();
        if (!error.empty()) {
          EXPECT_EQ(Try{world}.error(), "") << error;
        }
        EXPECT_EQ(state(world), moved) << error;
        if (world.requests < at) break;
      }
    }
  }
}

// At any request, once; the same command again does it.
TEST(Move, what_is_refused_or_fails_at_any_moment) {
  for (auto const is_ganeti : {false, true}) {
    for (auto const trouble : {Trouble::Refused, Trouble::JobFails}) {
      for (int at = 1;; ++at) {
        SCOPED_TRACE(fmt::format("request {} {}, Ganeti: {}", at,
                                 trouble == Trouble::Refused ? "refused" : "failed", is_ganeti));
        World world;
        world.is_ganeti = is_ganeti;
        world.trouble = [&](std::string const&, int number) {
          return number == at ? std::optional(trouble) : std::nullopt;
        };
        auto const error = Try{world}.error();
        if (world.requests < at) break;
        if (!error.empty()) {
          EXPECT_EQ(Try{world}.error(), "") << error;
        }
        EXPECT_EQ(state(world), moved) << error;
      }
    }
  }
}

// As when the mover's machine loses its power, before or behind any request, and once more while
// the same command goes on.
TEST(Move, killed_at_any_moment_the_same_command_goes_on) {
  auto const is_killed_at = [](World& world, Trouble how, int at) {
    world.requests = 0;
    world.trouble = [=](std::string const&, int number) {
      return number == at ? std::optional(how) : std::nullopt;
    };
    try {
      EXPECT_EQ(Try{world}.error(), "");
      return false;
    } catch (Killed const&) {
      return true;
    }
  };
  for (auto const is_ganeti : {false, true}) {
    for (auto const how : {Trouble::Killed, Trouble::KilledAfter}) {
      for (int first = 1; first < 100; ++first) {
        bool is_killed_first = true;
        for (int second = 1; second < 100; ++second) {
          SCOPED_TRACE(fmt::format("killed {} requests {} and {}, Ganeti: {}",
                                   how == Trouble::Killed ? "before" : "after", first, second,
                                   is_ganeti));
          World world;
          world.is_ganeti = is_ganeti;
          is_killed_first = is_killed_at(world, how, first);
          if (!is_killed_first || !is_killed_at(world, how, second)) {
            EXPECT_EQ(state(world), moved);
            break;
          }
          world.trouble = nullptr;
          EXPECT_EQ(Try{world}.error(), "");
          EXPECT_EQ(state(world), moved);
        }
        if (!is_killed_first) break;
      }
    }
  }
}

TEST(Move, an_answer_that_is_lost_does_no_harm) {
  for (auto const is_ganeti : {false, true}) {
    for (auto const trouble : {Trouble::LostBefore, Trouble::LostAfter}) {
      for (int at = 1;; ++at) {
        SCOPED_TRACE(fmt::format("lost at request {} ({})", at,
                                 trouble == Trouble::LostBefore ? "before" : "after"));
        World world;
        world.is_ganeti = is_ganeti;
        world.trouble = [&](std::string const&, int number) {
          return number == at ? std::optional(trouble) : std::nullopt;
        };
        EXPECT_EQ(Try{world}.error(), "");
        EXPECT_EQ(state(world), moved);
        if (world.requests < at) break;
      }
    }
  }
}

TEST(Move, another_mover_that_lives_is_left_alone) {
  World world;
  world.trouble = [](std::string const& word, int) {
    return word == "src export" ? std::optional(Trouble::Killed) : std::nullopt;
  };
  Try first{world};
  first.mover = this_mover();
  EXPECT_THROW(first.run().has_value(), Killed);
  world.trouble = nullptr;
  world.asked.clear();
  EXPECT_THAT(Try{world}.error(), HasSubstr("it is being moved by job 2 of DST (move-instance "));
  EXPECT_THAT(world.asked, ElementsAre("src look", "dst look", "dst jobs"));
}

TEST(Move, a_name_that_the_destination_has_is_not_touched) {
  World world;
  world.destination.machines["web1"] = {.is_up = false, .runs = false};
  EXPECT_THAT(Try{world}.error(), HasSubstr("DST already has an instance 'web1'"));
  EXPECT_EQ(state(world), "src runs, dst stopped");
}

TEST(Move, a_source_that_somebody_started_is_not_removed) {
  World world;
  world.trouble = [&](std::string const& word, int) -> std::optional<Trouble> {
    auto const is_late = std::ranges::find(world.asked, "src export") != world.asked.end();
    if (word == "src look" && is_late) world.source.machines["web1"].is_up = true;
    return std::nullopt;
  };
  EXPECT_THAT(Try{world}.error(), HasSubstr("somebody has started it on SRC"));
  EXPECT_THAT(world.asked, Not(Contains("src remove")));
}

TEST(Move, what_was_moved_before_is_no_failure) {
  World world;
  EXPECT_EQ(Try{world}.error(), "");
  Try again{world};
  EXPECT_EQ(again.error(), "");
  EXPECT_EQ(state(world), moved);
}

TEST(Move, an_instance_that_there_is_not) {
  World world;
  world.source.machines.clear();
  world.destination.machines["web1"];
  EXPECT_THAT(Try{world}.error(), HasSubstr("SRC has no instance 'web1'"));
}

TEST(Move, tries_on_nodes_that_are_free_come_first) {
  World world;
  int tries = 0;
  // While it is busy.
  world.trouble = [&](std::string const& word, int) -> std::optional<Trouble> {
    return word == "dst try" && ++tries <= 2 ? std::optional(Trouble::Busy) : std::nullopt;
  };
  Try one{world};
  one.order.opportunistic_tries = 2;
  auto const begun = world.clock.now();
  EXPECT_EQ(one.error(), "");
  EXPECT_EQ(std::ranges::count(world.asked, "dst try"), 3);
  EXPECT_GE(world.clock.now() - begun, 2 * one.order.opportunistic_delay);

  World busy;
  busy.trouble = [](std::string const& word, int) {
    return word == "dst try" ? std::optional(Trouble::Busy) : std::nullopt;
  };
  Try other{busy};
  other.order.opportunistic_tries = 2;
  EXPECT_THAT(other.error(), HasSubstr("DST does not take it: too much to do"));
  EXPECT_EQ(std::ranges::count(busy.asked, "dst try"), 3);
}

TEST(Move, what_is_known_of_a_cluster) {
  auto const ganeti = traits_of(json::object{{"uuid", "u"},
                                             {"software_version", "3.0.2"},
                                             {"vcs_version", "(ganeti) version v3.0.2"},
                                             {"default_iallocator", "hail"},
                                             {"compression_tools", json::array{"gzip", "lzop"}}});
  EXPECT_FALSE(ganeti.is_flotte);
  EXPECT_TRUE(ganeti.has_allocator);
  EXPECT_EQ(ganeti.software, "Ganeti 3.0.2");
  EXPECT_THAT(*ganeti.compression_tools, ElementsAre("gzip", "lzop"));
  auto const flotte = traits_of(json::object{{"vcs_version", "(flotte) version 0.1.0"}});
  EXPECT_TRUE(flotte.is_flotte);
  EXPECT_FALSE(flotte.compression_tools);
}

}  // namespace
}  // namespace flotte::cli
