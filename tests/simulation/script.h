// Script: all that happens to a world from outside, drawn from a seed before it begins: operations
// and faults, each with its time and its own seed. A part of it can be left out without changing
// the rest, so that a failing run can be made small.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"

namespace flotte::simulation {

enum class Happening {
  Operation,
  List,
  KillController,
  HangController,
  RestartController,
  KillDaemon,
  HangDaemon,
  LosePower,
  KillGuest,
  GuestPowersOff,
  DiskFull,
  StoreFull,
  StepClock,
  CallMishap,
  HookTrouble,
};

struct Entry {
  std::size_t index = 0;
  Duration at{};
  Happening what = Happening::Operation;
  std::uint64_t seed = 0;
};

struct Options {
  std::uint64_t seed = 1;
  double hours = 1;
  std::int64_t nodes = 1;
  std::int64_t controllers = 1;
  std::int64_t machines = 0;       // that exist before anything happens
  std::int64_t idle_machines = 0;  // besides, that were there already and never ran
  std::size_t name_length = 0;     // of the names of machines and of a group at least
  bool has_faults = true;
  std::uint64_t pace = 1;                      // everything comes so many times as often
  std::uint64_t kills = 1;                     // and kills of controllers so many times more
  std::set<std::string, std::less<>> opcodes;  // what users submit; empty: all
  bool is_traced = false;
  std::set<std::size_t> only;  // entries of the script; empty: all
};

// The name made as long as that, by all that names may have in them.
std::string lengthened(std::string name, std::size_t length);
std::vector<Entry> make_script(Options const& options);
std::string_view to_string(Happening what);

}  // namespace flotte::simulation
