#include "script.h"

#include <algorithm>

#include "base/random.h"

namespace flotte::simulation {
namespace {

using namespace std::chrono_literals;

struct Rate {
  Happening what;
  Duration every;  // on average
};

constexpr Rate operations[] = {{Happening::Operation, 8s}, {Happening::List, 30s}};
constexpr Rate faults[] = {
    {Happening::KillController, 4min},     {Happening::HangController, 20min},
    {Happening::RestartController, 15min}, {Happening::KillDaemon, 5min},
    {Happening::HangDaemon, 15min},        {Happening::LosePower, 40min},
    {Happening::KillGuest, 8min},          {Happening::GuestPowersOff, 8min},
    {Happening::DiskFull, 40min},          {Happening::StoreFull, 40min},
    {Happening::StepClock, 40min},         {Happening::CallMishap, 30s},
    {Happening::HookTrouble, 5min},
};

void add(std::vector<Entry>& script, Rate const& rate, Options const& options, Random& random) {
  auto const end = std::chrono::duration_cast<Duration>(
      std::chrono::duration<double, std::ratio<3600>>(options.hours));
  auto const pace = options.pace * (rate.what == Happening::KillController ? options.kills : 1);
  auto const most = 2 * static_cast<std::uint64_t>(rate.every / 1ms) / pace;
  for (Duration at{}; (at += std::chrono::milliseconds(1 + random.below(most))) < end;) {
    script.push_back({0, at, rate.what, random.below(UINT64_MAX)});
  }
}

}  // namespace

std::vector<Entry> make_script(Options const& options) {
  SeededRandom random(options.seed);
  std::vector<Entry> script;
  for (auto const& rate : operations) add(script, rate, options, random);
  if (options.has_faults) {
    for (auto const& rate : faults) add(script, rate, options, random);
  }
  std::ranges::stable_sort(script, {}, &Entry::at);
  for (std::size_t i = 0; i < script.size(); ++i) script[i].index = i;
  if (!options.only.empty()) {
    std::erase_if(script, [&](Entry const& entry) { return !options.only.contains(entry.index); });
  }
  return script;
}

std::string lengthened(std::string name, std::size_t length) {
  constexpr std::string_view filling = "-a.b_0";
  while (name.size() + filling.size() < length) name += filling;
  if (name.size() < length) name.append(length - name.size(), 'z');
  return name;
}

std::string_view to_string(Happening what) {
  static constexpr std::string_view names[] = {
      "operation",   "list",        "kill controller", "hang controller", "restart controller",
      "kill daemon", "hang daemon", "lose power",      "kill guest",      "guest powers off",
      "disk full",   "store full",  "step clock",      "call mishap",     "hook trouble"};
  return names[static_cast<std::size_t>(what)];
}

}  // namespace flotte::simulation
