// The node in memory is as honest as a real one: the same operations with the same faults, played
// in both, are answered alike and leave the same.
#include <boost/json/serialize.hpp>

#include "node/daemon/test_worlds.h"

namespace flotte::node {
namespace {

using namespace std::chrono_literals;

struct Operation {
  char const* name;
  std::string call;
  json::object arguments;
};

template <class Call>
Operation operation(char const* name, Call const& call) {
  return {name, std::string(Call::name), schema::encode(call)};
}

enum class Before { Nothing, DiskMade, DiskActive, Running, DiskIsForeign };
enum class Fault {
  None,
  AnswerLost,
  KilledBefore,
  KilledAfter,
  Repeated,
  Late,
  DiskFull,
  ReadOnlyDisk,
  GuestDies,
  GuestFails,
  GuestHangs,
  GuestIsOff,
  GuestIsSilent
};

constexpr Before befores[] = {Before::Nothing, Before::DiskMade, Before::DiskActive,
                              Before::Running, Before::DiskIsForeign};
constexpr char const* before_names[] = {"nothing", "a disk", "an active disk", "a guest",
                                        "another's disk"};
constexpr Fault faults[] = {Fault::None,         Fault::AnswerLost,   Fault::KilledBefore,
                            Fault::KilledAfter,  Fault::Repeated,     Fault::Late,
                            Fault::DiskFull,     Fault::ReadOnlyDisk, Fault::GuestDies,
                            Fault::GuestFails,   Fault::GuestHangs,   Fault::GuestIsOff,
                            Fault::GuestIsSilent};
constexpr char const* fault_names[] = {
    "no fault",    "answer lost",  "killed before",  "killed after", "repeated",
    "late",        "disk full",    "read-only disk", "guest dies",   "guest fails",
    "guest hangs", "guest is off", "guest is silent"};

// One play of one operation in one world; the lines say what was answered and what is there.
class Play {
 public:
  Play(FaultyWorld& world, int number)
      : world_(world),
        name_(fmt::format("i{}", number)),
        other_(fmt::format("o{}", number)),
        spec_(instance_in(world, name_, MiB{2})),
        context_{.leader_epoch = 1, .job = number + 1, .timeout = 30s} {}

  std::vector<Operation> operations() const {
    auto later = spec_;
    later.epoch = 2;
    auto huge = spec_.disks[0];
    huge.disk.size = {2 * storage_mib};
    auto const& disk = spec_.disks[0];
    auto unknown_os = later;
    unknown_os.os = "nosuch";
    auto other = later;
    other.uuid = InstanceId("22222222-0000-4000-8000-000000000000");
    auto earlier = spec_;
    earlier.epoch = 0;
    auto diskless = spec_;
    diskless.disks.clear();
    rpc::BlockdevRename const back{name_, disk, other_, disk, name_, 2, true};
    rpc::BlockdevRename const not_given{name_, disk, other_, disk, name_, 1, true};
    auto missing = disk;
    missing.disk.logical_id.back() += "9";
    return {
        operation("create", rpc::BlockdevCreate{name_, disk}),
        operation("create to be wiped", rpc::BlockdevCreateUnwiped{name_, disk}),
        operation("create a huge disk", rpc::BlockdevCreate{name_, huge}),
        operation("create without a name", rpc::BlockdevCreate{"", disk}),
        operation("remove", rpc::BlockdevRemove{name_, disk}),
        operation("grow", rpc::BlockdevGrow{name_, disk, {4}}),
        operation("grow to be wiped", rpc::BlockdevGrowUnwiped{name_, disk, {4}}),
        operation("grow less", rpc::BlockdevGrow{name_, disk, {1}}),
        operation("activate", rpc::BlockdevAssemble{name_, disk, 2}),
        operation("activate too early", rpc::BlockdevAssemble{name_, disk, 0}),
        operation("deactivate", rpc::BlockdevShutdown{name_, disk}),
        operation("wipe", rpc::BlockdevWipe{name_, disk}),
        operation("give away", rpc::BlockdevRename{name_, disk, name_, disk, other_, 2}),
        operation("take back", back),
        operation("take back what was not given", not_given),
        operation("copy to nowhere", rpc::BlockdevConvert{name_, disk, missing, 2}),
        operation("tell the OS of its name", rpc::OsRename{later, "old"}),
        operation("install", rpc::OsCreate{later}),
        operation("install an unknown OS", rpc::OsCreate{unknown_os}),
        operation("start", rpc::InstanceStart{later}),
        operation("start too early", rpc::InstanceStart{earlier}),
        operation("start another", rpc::InstanceStart{other}),
        operation("stop", stop()),
        operation("reset", rpc::InstanceSoftReboot{name_, model::HypervisorKind::Fake}),
        operation("resize", rpc::InstanceResizeDisk{name_, model::HypervisorKind::Fake, disk, {4}}),
        operation("plug its disk", rpc::InstanceAdjust{later}),
        operation("unplug its disk", rpc::InstanceAdjust{diskless}),
        operation("balloon", rpc::InstanceBalloon{name_, model::HypervisorKind::Fake, {64}})};
  }

  std::vector<std::string> lines(Before before, Operation const& deed, Fault fault) {
    prepare(before);
    auto late = context_;
    late.step = ++context_.step;
    late.serial = ++context_.serial;
    if (fault == Fault::Late) say(operation("stop", stop()));
    begin(fault, deed);
    if (fault == Fault::Late) {
      ask(deed, late);
    } else if (fault == Fault::KilledBefore) {
      last_ = ErrorClass::Unreachable;
    } else {
      say(deed);
    }
    if (fault == Fault::KilledAfter) world_.restart();
    if (fault != Fault::GuestHangs) look();
    if (fault == Fault::GuestIsSilent) {
      say(operation("undo what its disk became", rpc::InstanceAdjust{spec_}));
      lines_.push_back(fmt::format("late: {}", world_.answer(name_)));
    }
    end(fault);
    // A call without an answer is asked again.
    if (last_ == ErrorClass::Unreachable || fault == Fault::Repeated) {
      ++context_.serial;
      ask(deed, context_);
    }
    look();
    say(operation("stop", stop()));
    say(operation("deactivate", rpc::BlockdevShutdown{name_, spec_.disks[0]}));
    say(operation("remove", rpc::BlockdevRemove{name_, spec_.disks[0]}));
    say(operation("remove another's", rpc::BlockdevRemove{other_, spec_.disks[0]}));
    look();
    return std::move(lines_);
  }

 private:
  rpc::InstanceShutdown stop() const { return {name_, model::HypervisorKind::Fake, 0}; }

  void prepare(Before before) {
    auto const& disk = spec_.disks[0];
    if (before == Before::Nothing) return;
    auto const owner = before == Before::DiskIsForeign ? other_ : name_;
    say(operation("create", rpc::BlockdevCreate{owner, disk}));
    if (before == Before::DiskMade || before == Before::DiskIsForeign) return;
    say(operation("activate", rpc::BlockdevAssemble{name_, disk, 1}));
    if (before == Before::Running) say(operation("start", rpc::InstanceStart{spec_}));
  }

  void begin(Fault fault, Operation const& deed) {
    switch (fault) {
      case Fault::AnswerLost:
      case Fault::KilledAfter:
        return world_.lose_next_answer(deed.call);
      case Fault::KilledBefore:
        return world_.restart();
      case Fault::DiskFull:
        EXPECT_TRUE(world_.set_storage(Storage::Full));
        return;
      case Fault::ReadOnlyDisk:
        EXPECT_TRUE(world_.set_storage(Storage::ReadOnly));
        return;
      case Fault::GuestDies:
        return world_.set_trouble(name_, {.dies_at_start = true});
      case Fault::GuestFails:
        return world_.set_trouble(name_, {.fails = "the moon is full"});
      case Fault::GuestHangs:
        context_.timeout = 1s;
        return world_.set_trouble(name_, {.hangs = true});
      case Fault::GuestIsOff:
        return world_.power_off(name_);
      case Fault::GuestIsSilent:
        return world_.set_trouble(name_, {.is_silent = true});
      case Fault::None:
      case Fault::Repeated:
      case Fault::Late:
        return;
    }
  }
  void end(Fault fault) {
    context_.timeout = 30s;
    if (fault == Fault::DiskFull || fault == Fault::ReadOnlyDisk) {
      EXPECT_TRUE(world_.set_storage(Storage::Fine));
    }
    if (fault >= Fault::GuestDies && fault <= Fault::GuestHangs) world_.set_trouble(name_, {});
  }

  void say(Operation const& what) {
    ++context_.step;
    ++context_.serial;
    ask(what, context_);
  }
  void ask(Operation const& what, rpc::CallContext const& context) {
    auto const answer =
        world_.nodes().invoke(world_.node(), what.call, what.arguments, context, {});
    last_.reset();
    if (answer) return lines_.push_back(fmt::format("{}: done", what.name));
    last_ = answer.error().error_class;
    lines_.push_back(
        fmt::format("{}: {}, {}", what.name, schema_class(*last_), to_string(answer.error().code)));
  }
  static std::string schema_class(ErrorClass error_class) {
    if (error_class == ErrorClass::ByStage) return "as the stage decides";
    return std::string(python_class(error_class));
  }

  void look() {
    rpc::CallContext const reading{.leader_epoch = 1};
    auto const& disk = spec_.disks[0];
    std::string line = "there is:";
    auto const files =
        world_.nodes().ask(world_.node(), rpc::FileStorageList{world_.file_directory()}, reading);
    ASSERT_TRUE(files);
    for (auto const& file : files->files) {
      if (file.path == disk.disk.logical_id[1]) line += fmt::format(" {} MiB", file.size.value);
    }
    for (auto const& owner : {name_, other_}) {
      auto const found =
          world_.nodes().ask(world_.node(), rpc::BlockdevFind{owner, {disk}}, reading);
      if (found && found->devices.at(0)) line += owner == name_ ? " ours" : " another's";
    }
    line += fmt::format(", epoch {}", world_.epoch(disk.disk));
    if (world_.is_active(name_)) line += ", active";
    auto const guests = world_.nodes().ask(
        world_.node(), rpc::AllInstancesInfo{{model::HypervisorKind::Fake}}, reading);
    ASSERT_TRUE(guests);
    for (auto const& guest : guests->instances) {
      if (guest.name == name_) {
        line += fmt::format(", {} with {} MiB", schema::name_of(guest.state), guest.memory.value);
      }
    }
    lines_.push_back(std::move(line));
  }

  FaultyWorld& world_;
  std::string name_;
  std::string other_;  // who has the disk in its stead
  rpc::InstanceSpec spec_;
  rpc::CallContext context_;
  std::optional<ErrorClass> last_;
  std::vector<std::string> lines_;
};

TEST(NodeHonesty, the_node_in_memory_answers_and_leaves_what_a_real_one_does) {
  InMemory memory;
  RealMachine machine;
  memory.set_storage(Storage::Fine);
  auto const has_storage = machine.set_storage(Storage::Fine);
  auto const count = Play(memory, 0).operations().size();
  int number = 0;
  int wrong = 0;
  for (auto const before : befores) {
    for (std::size_t i = 0; i < count; ++i) {
      for (auto const fault : faults) {
        auto const needs_storage = fault == Fault::DiskFull || fault == Fault::ReadOnlyDisk;
        if (needs_storage && !has_storage) continue;
        ++number;
        Play in_memory(memory, number);
        Play in_machine(machine, number);
        auto const deed = in_memory.operations()[i];
        auto const is_of_guest = deed.call == "instance_start" || deed.call == "instance_shutdown";
        // What hangs takes a second, in which nothing is learned about other calls.
        if (fault == Fault::GuestHangs && !is_of_guest) continue;
        auto const expected = in_machine.lines(before, in_machine.operations()[i], fault);
        auto const found = in_memory.lines(before, deed, fault);
        if (expected == found) continue;
        ++wrong;
        ADD_FAILURE() << fmt::format("{} with {}, {}\nreal:\n  {}\nin memory:\n  {}", deed.name,
                                     before_names[static_cast<int>(before)],
                                     fault_names[static_cast<int>(fault)],
                                     fmt::join(expected, "\n  "), fmt::join(found, "\n  "));
      }
    }
  }
  std::printf("honesty: %d plays, %d differ%s\n", number, wrong,
              has_storage ? "" : " (no file system of its own: none with a full disk)");
}

}  // namespace
}  // namespace flotte::node
