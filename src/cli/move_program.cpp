// move-instance: from argv to moves, and what is shown of them.
#include <fmt/chrono.h>

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <mutex>

#include "base/boundary.h"
#include "base/parallel.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/move.h"
#include "cli/mover.h"
#include "cli/values.h"
#include "model/params.h"

namespace flotte::cli {
namespace {

constexpr std::size_t many = 10'000;
constexpr std::int64_t default_port = 5080;
constexpr std::int64_t port_max = 65535;
constexpr std::int64_t seconds_max = 365 * 24 * 3600;

std::vector<Option> move_options() {
  return {
      {'v', "verbose", false, "Tell each step, and what the jobs say"},
      {0, "dry-run", false, "Check all that can be checked, and move nothing"},
      {0, "src-ca-file", true, "Certificate of the source cluster, or of who signed it (PEM)"},
      {0, "src-username", true, "User of the source's remote API"},
      {0, "src-password-file", true, "File with that user's password in one line"},
      integer({0, "src-rapi-port", true, "Port of the source's remote API (5080)"}),
      {0, "dest-ca-file", true, "The same of the destination (as of the source)"},
      {0, "dest-username", true, "User of the destination (as of the source)"},
      {0, "dest-password-file", true, "File with that password (as of the source)"},
      integer({0, "dest-rapi-port", true, "Port of the destination (as of the source)"}),
      {0, "dest-instance-name", true, "Another name at the destination"},
      {0, "dest-primary-node", true, "Node of the destination that gets the instance"},
      {0, "dest-secondary-node", true, "And the one that gets its mirror"},
      {'I', "iallocator", true, "What chooses the node at the destination"},
      {0, "dest-disk-template", true, "Another disk template at the destination"},
      {0, "vg-name", true, "Volume group of all disks at the destination"},
      {0, "net", true, "What is otherwise of a NIC at the destination: 0:link=br0"},
      {'B', "backend-parameters", true, "Backend parameters that are otherwise: memory=2G"},
      {'H', "hypervisor-parameters", true, "Hypervisor parameters that are otherwise: acpi=no"},
      {'O', "os-parameters", true, "OS parameters that are otherwise"},
      {0, "compress", true, "Compression on the way, known to both clusters (none)"},
      {0, "keep-source-instance", false, "Leave it on the source, stopped"},
      integer({'p', "parallel", true, "So many instances at a time (1)"}),
      integer({0, "opportunistic-tries", true, "With -I: tries on the nodes that are free"}),
      integer({0, "opportunistic-delay", true, "Seconds between them (30)"}),
      integer({0, "patience", true, "Seconds for which a silent cluster is asked again (600)"})};
}

// --- What was typed

tl::unexpected<CommandError> usage(std::string text) {
  return stop(std::move(text), exit_usage);
}

Outcome<std::int64_t> number_of(Call& call, std::string const& option, std::int64_t otherwise,
                                std::int64_t least, std::int64_t most) {
  auto const text = call.arguments.value(option);
  if (!text) return otherwise;
  auto const number = whole_number(strip(*text));
  if (number && *number >= least && *number <= most) return *number;
  return usage(fmt::format("option --{}: {} is not between {} and {}", option, *text, least, most));
}

// The only line that holds something.
Outcome<std::string> one_line(std::string const& path) {
  std::ifstream file(path);
  if (!file) return stop(fmt::format("move-instance: error: Can't read {}", path));
  std::string found;
  for (std::string line; std::getline(file, line);) {
    while (line.ends_with('\r')) line.pop_back();
    if (line.empty()) continue;
    if (!found.empty()) {
      return stop(fmt::format("move-instance: error: {} has more than one line", path));
    }
    found = line;
  }
  if (found.empty()) return stop(fmt::format("move-instance: error: {} is empty", path));
  return found;
}

struct Accesses {
  RapiAccess source;
  RapiAccess destination;
};

Outcome<Accesses> accesses_of(Call& call) {
  auto const& arguments = call.arguments;
  auto const& hosts = arguments.positional();
  Accesses both;
  both.source.host = hosts[0];
  both.source.ca_file = arguments.value_or("src-ca-file", "");
  if (both.source.ca_file.empty()) return usage("Missing source cluster CA file");
  both.source.username = arguments.value_or("src-username", "");
  if (auto const path = arguments.value("src-password-file")) {
    both.source.password = OK(one_line(*path));
  }
  auto const port = OK(number_of(call, "src-rapi-port", default_port, 1, port_max));
  both.source.port = static_cast<std::uint16_t>(port);
  both.source.is_traced = arguments.has("debug");

  both.destination = both.source;
  both.destination.host = hosts[1];
  both.destination.ca_file = arguments.value_or("dest-ca-file", both.source.ca_file);
  both.destination.username = arguments.value_or("dest-username", both.source.username);
  if (auto const path = arguments.value("dest-password-file")) {
    both.destination.password = OK(one_line(*path));
  }
  auto const port_there = OK(number_of(call, "dest-rapi-port", port, 1, port_max));
  both.destination.port = static_cast<std::uint16_t>(port_there);
  for (auto const& [access, side] :
       {std::pair{&both.source, "src"}, std::pair{&both.destination, "dest"}}) {
    if (access->username.find(':') != std::string::npos) {
      return usage(fmt::format("option --{}-username: a name has no colon", side));
    }
    if (access->username.empty() && !access->password.empty()) {
      return usage(fmt::format("A password without --{}-username is nobody's", side));
    }
  }
  return both;
}

Outcome<json::object> pairs_of(Call& call, std::string const& option) {
  auto const text = call.arguments.value(option);
  if (!text) return json::object();
  return GIVEN(parse_pairs(*text, call.arguments.spelled(option)));
}

Outcome<Placement> placement_of(Call& call) {
  auto const& arguments = call.arguments;
  Placement placement;
  placement.name = arguments.value_or("dest-instance-name", "");
  placement.primary_node = arguments.value_or("dest-primary-node", "");
  placement.secondary_node = arguments.value_or("dest-secondary-node", "");
  placement.iallocator = arguments.value_or("iallocator", "");
  placement.disk_template = arguments.value_or("dest-disk-template", "");
  placement.volume_group = arguments.value_or("vg-name", "");
  placement.compress = arguments.value_or("compress", "none");
  placement.beparams = OK(pairs_of(call, "backend-parameters"));
  GIVEN(model::enforce_backend(placement.beparams));
  placement.hvparams = OK(pairs_of(call, "hypervisor-parameters"));
  if (auto const checked = model::check_hypervisor_types(placement.hvparams); !checked) {
    return stop(checked.error());
  }
  placement.osparams = OK(pairs_of(call, "os-parameters"));
  placement.nics = GIVEN(parse_nics(arguments.values("net")));
  return placement;
}

Outcome<MoveOrder> order_of(Call& call) {
  auto const& arguments = call.arguments;
  constexpr std::int64_t tries_max = 1'000'000;
  if (arguments.positional().size() > 3) {
    for (auto const* option :
         {"dest-instance-name", "dest-primary-node", "dest-secondary-node", "hypervisor-parameters",
          "backend-parameters", "os-parameters", "net"}) {
      if (!arguments.has(option)) continue;
      return usage(
          "The options --dest-instance-name, --dest-primary-node, --dest-secondary-node, "
          "--hypervisor-parameters, --backend-parameters, --os-parameters and --net can only be "
          "used when moving exactly one instance");
    }
  }
  MoveOrder order;
  order.placement = OK(placement_of(call));
  order.keeps_source = arguments.has("keep-source-instance");
  order.is_dry_run = arguments.has("dry-run");
  order.opportunistic_tries = OK(number_of(call, "opportunistic-tries", 0, 0, tries_max));
  auto const delay = OK(number_of(call, "opportunistic-delay", 30, 1, seconds_max));
  order.opportunistic_delay = std::chrono::seconds(delay);
  auto const& placement = order.placement;
  auto const has_nodes = !placement.primary_node.empty() || !placement.secondary_node.empty();
  if (!placement.iallocator.empty() && has_nodes) {
    return usage("Destination node and iallocator options exclude each other");
  }
  if (placement.iallocator.empty() && order.opportunistic_tries > 0) {
    return usage("Opportunistic instance creation can only be used with an iallocator");
  }
  if (arguments.has("opportunistic-delay") && !arguments.has("opportunistic-tries")) {
    return usage("Opportunistic delay can only be specified when opportunistic tries are used");
  }
  return order;
}

// --- What is shown

// Of all moves; they take turns.
class Screen {
 public:
  Screen(bool is_verbose, bool has_progress)
      : is_verbose_(is_verbose), has_progress_(has_progress && ::isatty(STDERR_FILENO) != 0) {}

  void step(std::string const& who, std::string const& text) {
    std::lock_guard const lock(mutex_);
    clear();
    std::printf("%s: %s\n", who.c_str(), text.c_str());
    std::fflush(stdout);
  }
  void log(std::string const& who, char const* level, std::string const& text) {
    if (!is_verbose_ && std::string_view(level) == "INFO") return;
    std::lock_guard const lock(mutex_);
    clear();
    std::fprintf(stderr, "%s: %s %s %s\n", now().c_str(), who.c_str(), level, text.c_str());
  }
  void error(std::string const& who, std::string const& text) {
    std::lock_guard const lock(mutex_);
    clear();
    std::fprintf(stderr, "move-instance: error: %s: %s\n", who.c_str(), text.c_str());
  }
  void progress(std::string const& who, std::string const& text) {
    if (!has_progress_ || is_verbose_) return;
    std::lock_guard const lock(mutex_);
    auto const line = who + ": " + text;
    std::fprintf(stderr, "\r\033[K%.79s", line.c_str());
    is_shown_ = true;
  }

 private:
  static std::string now() {
    auto const wall = SystemClock().wall();
    auto const milliseconds =
        std::chrono::floor<std::chrono::milliseconds>(wall.time_since_epoch()).count();
    std::time_t const seconds = milliseconds / 1000;
    std::tm local{};
    ::localtime_r(&seconds, &local);
    return fmt::format("{:%Y-%m-%d %H:%M:%S},{:03}", local, milliseconds % 1000);
  }
  void clear() {
    if (is_shown_) std::fputs("\r\033[K", stderr);
    is_shown_ = false;
  }

  bool is_verbose_;
  bool has_progress_;
  bool is_shown_ = false;
  std::mutex mutex_;
};

class OneMove final : public Teller {
 public:
  OneMove(Screen& screen, std::string name) : screen_(screen), name_(std::move(name)) {}
  void step(std::string const& text) override { screen_.step(name_, text); }
  void info(std::string const& text) override { screen_.log(name_, "INFO", text); }
  void warning(std::string const& text) override { screen_.log(name_, "WARNING", text); }
  void progress(std::string const& text) override { screen_.progress(name_, text); }

 private:
  Screen& screen_;
  std::string name_;
};

// --- Both clusters

struct Side {
  std::string name;
  std::unique_ptr<Rapi> rapi;
  ClusterTraits traits;
};

Result<Side> reach(RapiAccess const& access, Screen& screen) {
  screen.log("", "INFO", fmt::format("Connecting to {}:{}", access.host, access.port));
  Side side{access.host, TRY(RapiClient::create(access)), {}};
  side.traits = traits_of(TRY(side.rapi->ask("GET", "/2/info", {})));
  screen.log("", "INFO", fmt::format("{} is {}", access.host, side.traits.software));
  return side;
}

void check_compression(Side const& side, std::string const& compress,
                       std::vector<std::string>& problems) {
  auto const& tools = side.traits.compression_tools;
  if (!tools || compress == "none" || std::ranges::find(*tools, compress) != tools->end()) return;
  problems.push_back(fmt::format("--compress: {} does not know '{}'; it has none, {}", side.name,
                                 compress, fmt::join(*tools, ", ")));
}

void check_sides(Side const& source, Side const& destination, MoveOrder const& order,
                 std::vector<std::string> const& names, std::vector<std::string>& problems) {
  auto const& placement = order.placement;
  check_compression(source, placement.compress, problems);
  check_compression(destination, placement.compress, problems);
  auto const is_same = !source.traits.uuid.empty() && source.traits.uuid == destination.traits.uuid;
  auto const has_own_name = !placement.name.empty() && placement.name != names.front();
  if (is_same && !has_own_name) {
    problems.emplace_back(
        "Source and destination are the same cluster: another name is given with "
        "--dest-instance-name");
  }
  auto const is_placed = !placement.iallocator.empty() || !placement.primary_node.empty() ||
                         !placement.secondary_node.empty();
  // Flotte finds a node by itself.
  if (destination.traits.is_flotte || destination.traits.has_allocator || is_placed) return;
  problems.emplace_back(names.size() > 1
                            ? "When moving multiple instances, an iallocator must be used. None "
                              "was provided and the target cluster does not have a default one"
                            : "Target cluster does not have a default iallocator, please specify "
                              "either destination nodes or an iallocator");
}

Outcome<int> refuse(std::vector<std::string> const& problems) {
  std::string text;
  for (auto const& problem : problems) text += "move-instance: error: " + problem + "\n";
  text.pop_back();
  return stop(text);
}

Outcome<int> move_instances(Call& call) {
  auto const& arguments = call.arguments;
  std::vector<std::string> const names(arguments.positional().begin() + 2,
                                       arguments.positional().end());
  auto const accesses = OK(accesses_of(call));
  auto order = OK(order_of(call));
  auto const at_once = OK(number_of(call, "parallel", 1, 1, 100));
  auto const patience = OK(number_of(call, "patience", 600, 0, seconds_max));
  // Who listens no more ends no move halfway.
  std::signal(SIGPIPE, SIG_IGN);

  Screen screen(arguments.has("verbose") || arguments.has("debug"), names.size() == 1);
  auto source = reach(accesses.source, screen);
  auto destination = reach(accesses.destination, screen);
  std::vector<std::string> problems;
  if (!source) problems.push_back(source.error().message);
  if (!destination) problems.push_back(destination.error().message);
  if (problems.empty()) check_sides(*source, *destination, order, names, problems);
  if (!problems.empty()) return refuse(problems);
  order.destination = destination->traits;

  SystemClock clock;
  auto const mover = this_mover();
  auto const reason = arguments.value("reason");
  std::vector<Result<void>> ends(names.size());
  parallel(clock, names.size(), static_cast<std::size_t>(at_once), [&](std::size_t i) {
    OneMove teller(screen, names[i]);
    auto own = order;
    own.name = names[i];
    ends[i] = boundary("The move", [&] {
      RemoteCluster from(source->name, *source->rapi, clock, {std::chrono::seconds(patience)});
      RemoteCluster to(destination->name, *destination->rapi, clock,
                       {std::chrono::seconds(patience)});
      for (auto* cluster : {&from, &to}) {
        cluster->set_reason(reason ? fmt::format("{}: {}", mover, *reason) : mover);
      }
      return move(from, to, own, teller);
    });
    if (!ends[i]) screen.error(names[i], ends[i].error().message);
  });

  auto const failed = std::ranges::count_if(ends, [](auto const& end) { return !end; });
  return failed == 0 ? 0 : exit_failure;
}

}  // namespace

Program move_program() {
  return {.name = "move-instance",
          .commands = {{"", "[options] <source-cluster> <dest-cluster> <instance...>", 3, many,
                        move_options(),
                        "Moves instances from one cluster to another: each is prepared at the "
                        "destination, stopped, copied, started there, and removed here when all "
                        "went well. Typed again it goes on where it was interrupted",
                        move_instances}},
          .is_plain = true};
}

}  // namespace flotte::cli
