// Each operation meets each trouble that can befall it. Its job ends, done or undone; what failed
// says why in the words of whoever had the trouble; the invariants hold; and once the trouble is
// over, the same operation can be had.
//
// Which operation meets which trouble is written down in `rows` and compared with what it meets: a
// new opcode without its row fails, and so does a row that is not true.
//
// Some can befall every operation, so that no row names them:
//   second  somebody else asks for the same, or takes what it is about away, at the same time
//   store   the store can't be written for a minute
//   kill    a daemon dies, at each place where it can: crash_points_test.cpp
//
// What takes a real file system, and real programs:
//   the store's disk is full            Durability*, src/store/durability_test.cpp
//   a node's disk is full               NodeHonesty*, *on_a_full_disk* in src/node/daemon
//   scripts that fail, flood, or hang   Hooks*, tests/functional/test_bad_input.py, test_job_log.py
//   a guest that doesn't answer         KvmHotplug*, KvmTest* in src/node/hypervisor
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>

#include "model/names.h"
#include "opcode_runs.h"
#include "opcodes/opcode.h"

namespace flotte::simulation {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

enum class Trouble { Start, Script, Silent, Full, Slow, Lines, Second, Store, Name };

struct Name {
  Trouble trouble;
  std::string_view name;
};

// Those that a row names.
constexpr Name named[] = {
    {Trouble::Start, "start"},    // QEMU refuses to start
    {Trouble::Script, "script"},  // an OS script fails
    {Trouble::Silent, "silent"},  // a guest doesn't hear what it is asked
    {Trouble::Full, "full"},      // there is no room on a node's disks
    {Trouble::Slow, "slow"},      // what is written to a disk takes minutes
    {Trouble::Lines, "lines"},    // an OS script, or a hook that fails, prints 10,000 lines
    {Trouble::Name, "name"},      // an odd name is typed, and one as long as can be
};
constexpr Name unnamed[] = {{Trouble::Second, "second"}, {Trouble::Store, "store"}};

struct Row {
  std::string_view op;
  std::string_view meets;
};

constexpr Row rows[] = {
    {"OP_INSTANCE_CREATE", "start script full slow lines name"},
    {"OP_INSTANCE_CREATE/adopt", "start slow lines name"},
    {"OP_INSTANCE_CREATE/import", "start script full slow lines name"},
    {"OP_INSTANCE_CREATE/receive", "start script full slow lines name"},
    {"OP_BACKUP_EXPORT", "start script silent full slow lines name"},
    {"OP_BACKUP_EXPORT/remove", "script silent slow lines name"},
    {"OP_BACKUP_EXPORT/send", "start script silent full slow lines name"},
    {"OP_BACKUP_PREPARE", "name"},
    {"OP_BACKUP_REMOVE", "name"},
    {"OP_INSTANCE_REMOVE", "silent slow lines name"},
    {"OP_INSTANCE_STARTUP", "start full slow lines name"},
    {"OP_INSTANCE_SHUTDOWN", "silent slow lines name"},
    {"OP_INSTANCE_REBOOT", "start silent full slow lines name"},
    {"OP_INSTANCE_REINSTALL", "script slow lines name"},
    {"OP_INSTANCE_GROW_DISK", "full slow lines name"},
    {"OP_INSTANCE_SET_PARAMS", "full slow lines name"},
    {"OP_INSTANCE_SET_PARAMS/devices", "silent full slow lines name"},
    {"OP_INSTANCE_SET_PARAMS/convert", "full slow lines name"},
    {"OP_INSTANCE_SET_PARAMS/detach", "silent slow lines name"},
    {"OP_INSTANCE_SET_PARAMS/attach", "full slow lines name"},
    {"OP_INSTANCE_RENAME", "script full slow lines name"},
    {"OP_INSTANCE_RECREATE_DISKS", "full slow lines name"},
    {"OP_INSTANCE_ACTIVATE_DISKS", "slow name"},
    {"OP_INSTANCE_DEACTIVATE_DISKS", "slow name"},
    {"OP_INSTANCE_MULTI_ALLOC", "start script full slow lines name"},
    {"OP_INSTANCE_QUERY_DATA", "name"},
    {"OP_CLUSTER_POST_INIT", "lines"},
    {"OP_CLUSTER_SET_PARAMS", "lines name"},
    {"OP_CLUSTER_RENAME", "lines name"},
    {"OP_CLUSTER_VERIFY", "lines name"},
    {"OP_CLUSTER_VERIFY_CONFIG", "name"},
    {"OP_CLUSTER_VERIFY_GROUP", "lines name"},
    {"OP_CLUSTER_VERIFY_DISKS", "name"},
    {"OP_GROUP_VERIFY_DISKS", "name"},
    {"OP_CLUSTER_ACTIVATE_MASTER_IP", ""},
    {"OP_CLUSTER_DEACTIVATE_MASTER_IP", ""},
    {"OP_CLUSTER_REPAIR_DISK_SIZES", "name"},
    {"OP_NODE_SET_PARAMS", "lines name"},
    {"OP_NODE_QUERYVOLS", "name"},
    {"OP_NODE_QUERY_STORAGE", "name"},
    {"OP_GROUP_ADD", "lines name"},
    {"OP_GROUP_ASSIGN_NODES", "name"},
    {"OP_GROUP_REMOVE", "lines name"},
    {"OP_GROUP_RENAME", "lines name"},
    {"OP_GROUP_SET_PARAMS", "lines name"},
    {"OP_NETWORK_ADD", "lines name"},
    {"OP_NETWORK_CONNECT", "lines name"},
    {"OP_NETWORK_DISCONNECT", "lines name"},
    {"OP_NETWORK_REMOVE", "lines name"},
    {"OP_NETWORK_RENAME", "lines name"},
    {"OP_NETWORK_SET_PARAMS", "lines name"},
    {"OP_TAGS_SEARCH", "name"},
    {"OP_TAGS_SET", "name"},
    {"OP_TAGS_DEL", "name"},
    {"OP_OS_DIAGNOSE", "name"},
    {"OP_TEST_DELAY", "name"},
    {"OP_CLUSTER_REDIST_CONF", ""},
    {"OP_TEST_JQUEUE", ""},
    {"OP_TEST_OS_PARAMS", ""},
};

constexpr auto patience = 300h;
// A call is waited for for ten minutes.
constexpr auto long_enough = 9min;
constexpr auto too_long = 11min;
constexpr std::int64_t many_lines = 10'000;
// So many are tried at least, so that what seldom happens is seen.
constexpr std::uint64_t seeds_at_least = 10;

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != text.npos;
}

bool names(Row const& row, std::string_view trouble) {
  return contains(fmt::format(" {} ", row.meets), fmt::format(" {} ", trouble));
}

void each_node(World& world, std::function<void(rpc::FakeNodeState&)> const& edit) {
  for (auto const& [id, node] : world.invariants().cluster().nodes()) {
    world.nodes().fake().change(id, edit);
  }
}

bool is_os_script(rpc::FakeCall const& call) {
  return call.call == rpc::OsCreate::name || call.call == rpc::OsRename::name ||
         call.call == rpc::ExportDisk::name || call.call == rpc::ImportDisk::name ||
         call.call == rpc::TransferSend::name || call.call == rpc::TransferReceive::name;
}

// The directories of hooks of which people are told when one fails: those after an operation.
std::vector<std::string> told_hooks(rpc::FakeCall const& call) {
  auto const run = schema::decode<rpc::HooksRun>(call.arguments);
  auto directories = run ? run->later : std::vector<std::string>();
  if (run) directories.push_back(run->directory);
  std::erase_if(directories, [](std::string const& directory) {
    return !directory.ends_with("-post.d") || directory.starts_with("config-update");
  });
  return directories;
}

// Beside those that each world has: one with a disk in a file, that does not run.
void add_machine_with_file(World& world) {
  auto const job = world.submit(json::array{json::object{
      {"OP_ID", "OP_INSTANCE_CREATE"},
      {"instance_name", json::string(lengthened("vm-file", world.options().name_length))},
      {"mode", "create"},
      {"disk_template", "file"},
      {"disks", json::array{json::object{{"size", 1024}}}},
      {"nics", json::array{json::object{}}},
      {"ignore_ipolicy", true},
      {"os_type", "noop"},
      {"beparams", json::object{{"memory", 128}, {"vcpus", 1}}},
      {"start", false},
      {"pnode", "node1"}}});
  ASSERT_TRUE(job);
  ASSERT_EQ(world.wait_for(*job, patience), jobs::Status::Success);
}

// An operation, and the jobs that it leaves behind.
class Deed {
 public:
  Deed(World& world, json::object const& op) : world_(world), first_(next_job(world)) {
    id_ = world.submit(json::array{op});
  }

  bool is_taken() const { return id_.has_value(); }
  JobId id() const { return *id_; }

  // Of all together; none: one of them does not end.
  std::optional<jobs::Status> wait() {
    if (!id_) return jobs::Status::Error;
    auto worst = jobs::Status::Success;
    for (auto job = number(first_); job < number(next_job(world_)); ++job) {
      auto const status = world_.wait_for(JobId{job}, patience);
      if (!status) return {};
      if (*status != jobs::Status::Success) worst = *status;
    }
    return worst;
  }

  // What people find of them: results and logs.
  std::string told() {
    std::string text;
    auto const last = number(next_job(world_));
    world_.ask_leader([&](controller::Core& core) {
      for (auto one = number(first_); one < last; ++one) {
        auto const job = core.queue().job(JobId{one});
        if (!job) continue;
        for (auto const& op : job->ops) {
          for (auto const& line : op.log) text += text_of(line.content) + "\n";
          text += json::serialize(op.result) + "\n";
        }
      }
    });
    return text;
  }

 private:
  static JobId next_job(World& world) {
    auto const all = world.store().content("/jobs/");
    auto const archived = world.store().content("/archive/");
    std::int64_t last = 0;
    for (auto const* list : {&all, &archived}) {
      if (list->empty()) continue;
      auto const& key = list->back().key;
      last = std::max<std::int64_t>(last, std::stoll(key.substr(key.rfind('/') + 1)));
    }
    return JobId{last + 1};
  }
  static std::string text_of(json::value const& content) {
    auto const* text = content.if_string();
    return text ? std::string(std::string_view(*text)) : json::serialize(content);
  }

  World& world_;
  JobId first_;
  std::optional<JobId> id_;
};

// What an operation came across when nothing was wrong: what it could have met.
class Encounters {
 public:
  explicit Encounters(World& world) : world_(world), before_(counted()) {
    world.nodes().fake().before([this](rpc::FakeCall const& call) -> Result<void> {
      if (call.context.job != 0) take(call);
      return {};
    });
  }

  std::set<Trouble> end() {
    world_.nodes().fake().before({});
    auto const [asked, room] = counted();
    if (asked > before_.first) met_.insert(Trouble::Silent);
    if (room > before_.second) met_.insert(Trouble::Full);
    return met_;
  }

 private:
  void take(rpc::FakeCall const& call) {
    if (call.call == rpc::InstanceStart::name) met_.insert(Trouble::Start);
    if (SimulatedNodes::writes_to_disks(call.call)) met_.insert(Trouble::Slow);
    if (is_os_script(call)) met_.insert({Trouble::Script, Trouble::Lines});
    if (call.call != rpc::HooksRun::name) return;
    if (!told_hooks(call).empty()) met_.insert(Trouble::Lines);
  }

  std::pair<std::int64_t, std::int64_t> counted() {
    std::pair<std::int64_t, std::int64_t> sum;
    each_node(world_, [&](rpc::FakeNodeState& node) {
      sum.first += node.guests_asked;
      sum.second += node.room_needed;
    });
    return sum;
  }

  World& world_;
  std::pair<std::int64_t, std::int64_t> before_;
  std::set<Trouble> met_;
};

// A trouble from its beginning to its end.
class Meeting {
 public:
  Meeting(World& world, Trouble trouble, Duration slowness = {})
      : world_(world), trouble_(trouble), slowness_(slowness) {
    world_.nodes().fake().before([this](rpc::FakeCall const& call) { return befall(call); });
    world_.nodes().slow_down(slowness);
    if (trouble == Trouble::Lines) {
      each_node(world_, [](rpc::FakeNodeState& node) { node.script_lines = many_lines; });
    }
    if (trouble != Trouble::Silent) return;
    each_node(world_, [](rpc::FakeNodeState& node) {
      for (auto const& [name, guest] : node.guests) node.troubles[name].is_silent = true;
    });
  }

  void end() {
    world_.nodes().fake().before({});
    world_.nodes().slow_down({});
    for (auto const& [id, node] : world_.invariants().cluster().nodes()) {
      std::vector<std::string> guests;
      world_.nodes().fake().change(id, [&](rpc::FakeNodeState& state) {
        state.script_lines = 0;
        for (auto const& directory : flooding_) state.hooks.erase(hook_in(directory));
        state.facts.volume_groups.front().free.value += kept_[id].first;
        state.facts.file_free.value += kept_[id].second;
        for (auto const& [name, guest] : state.guests) guests.push_back(name);
      });
      for (auto const& name : guests) world_.nodes().answer(id, name);
    }
    kept_.clear();
  }

  // In the words of whoever had the trouble; empty: it is none that makes anything fail.
  std::vector<std::string> says() const {
    switch (trouble_) {
      case Trouble::Start:
        return {"Could not access KVM kernel module"};
      case Trouble::Script:
        return {"the script could not reach its mirror"};
      case Trouble::Silent:
        return {"does not let go of"};
      case Trouble::Full:
        return {"has 0 MiB free", "No space left on device"};
      case Trouble::Slow:
        return slowness_ > long_enough ? did_not_answer : nothing;
      default:
        return nothing;
    }
  }

 private:
  inline static std::vector<std::string> const nothing;
  inline static std::vector<std::string> const did_not_answer{"did not answer"};

  Result<void> befall(rpc::FakeCall const& call) {
    if (call.context.job == 0) return {};
    if (trouble_ == Trouble::Start && call.call == rpc::InstanceStart::name) return fails();
    if (trouble_ == Trouble::Script && is_os_script(call)) return fails();
    if (trouble_ == Trouble::Lines && call.call == rpc::HooksRun::name) flood(call);
    // Others have taken it since the operation was planned.
    if (trouble_ == Trouble::Full && !kept_.contains(call.node)) {
      world_.nodes().fake().change(call.node, [&](rpc::FakeNodeState& node) {
        auto& group = node.facts.volume_groups.front();
        kept_[call.node] = {std::exchange(group.free.value, 0),
                            std::exchange(node.facts.file_free.value, 0)};
      });
    }
    return {};
  }

  Result<void> fails() {
    world_.scheduler().sleep_for(5s);
    return fail_as(ErrorClass::Exec, ErrorCode::EnvironmentError, "{}", says().front());
  }

  static std::string hook_in(std::string const& directory) { return directory + "/20-flood"; }

  void flood(rpc::FakeCall const& call) {
    std::string text;
    for (std::int64_t i = 1; i <= many_lines; ++i) {
      text += fmt::format("line {} of {}\n", i, many_lines);
    }
    for (auto const& directory : told_hooks(call)) {
      flooding_.insert(directory);
      world_.nodes().fake().change(call.node, [&](rpc::FakeNodeState& node) {
        node.hooks[hook_in(directory)] = {rpc::HookOutcome::Failed, text, 0};
      });
    }
  }

  World& world_;
  Trouble trouble_;
  Duration slowness_;
  std::map<NodeId, std::pair<std::int64_t, std::int64_t>> kept_;  // what was free
  std::set<std::string> flooding_;                                // directories of hooks
};

// --- Names

// Typed by accident, by a program that was never told better, or by somebody who wants to know.
std::vector<std::string> odd_names() {
  using namespace std::string_literals;
  return {" ",
          "-x",
          "..",
          "../../etc/passwd",
          "a b",
          "a\nb",
          "a/b",
          "Überall",
          "vm;reboot",
          "$(reboot)",
          "{}{0}%s%n",
          "(",
          "nul\0byte"s,
          "debootstrap+..",
          "debootstrap+",
          std::string(300, 'a')};
}

// A place in an opcode where a name stands, or may stand.
struct Place {
  std::string title;  // "nics.link"
  std::function<json::object(std::string const&)> with;
};

template <class... T>
bool is_one_of(schema::Codec const* codec) {
  return ((codec == &schema::CodecFor<T>::codec) || ...);
}

bool is_dict(schema::Codec const* codec) {
  return is_one_of<json::object, std::optional<json::object>>(codec);
}

std::optional<json::value> value_of(schema::Codec const* codec, std::string const& name) {
  json::string const text(name);
  if (is_one_of<std::string, std::optional<std::string>>(codec)) return text;
  if (is_one_of<std::vector<std::string>, std::optional<std::vector<std::string>>>(codec)) {
    return json::array{text};
  }
  if (is_dict(codec)) return json::object{{text, text}};
  return {};
}

constexpr std::pair<std::string_view, std::string_view> names_in_lists[] = {
    {"nics", "link"},    {"nics", "mac"},   {"nics", "ip"},      {"nics", "vlan"},
    {"nics", "mode"},    {"nics", "name"},  {"nics", "network"}, {"nics", "bridge"},
    {"disks", "name"},   {"disks", "vg"},   {"disks", "adopt"},  {"disks", "mode"},
    {"disks", "access"}, {"disks", "size"}, {"nics", "nosuch"},  {"disks", "nosuch"}};

// Whether the list has somebody's parameters: {...} when it is made, [action, index, {...}] when it
// is changed.
json::object* last_parameters(json::array& list) {
  if (list.empty()) return nullptr;
  auto* change = list.back().if_array();
  return change ? change->back().if_object() : list.back().if_object();
}

std::vector<Place> places_in(json::object const& op) {
  std::vector<Place> places;
  for (auto const& field : opcodes::find(opcodes::op_id_of(op))->fields) {
    if (!value_of(field.codec, "")) continue;
    places.push_back({std::string(field.name), [op, &field](std::string const& name) {
                        auto odd = op;
                        odd[field.name] = *value_of(field.codec, name);
                        return odd;
                      }});
  }
  for (auto const& [list, key] : names_in_lists) {
    auto copy = op;
    auto* all = copy.if_contains(list);
    if (!all || !all->is_array() || !last_parameters(all->get_array())) continue;
    places.push_back({fmt::format("{}.{}", list, key), [op, list, key](std::string const& name) {
                        auto odd = op;
                        (*last_parameters(odd[list].get_array()))[key] = json::string(name);
                        return odd;
                      }});
  }
  if (auto const* instances = op.if_contains("instances"); instances && instances->is_array()) {
    auto const* first =
        instances->get_array().empty() ? nullptr : instances->get_array()[0].if_object();
    if (!first) return places;
    for (auto const& place : places_in(*first)) {
      places.push_back(
          {"instances." + place.title, [op, with = place.with](std::string const& name) {
             auto odd = op;
             odd["instances"] = json::array{with(name)};
             return odd;
           }});
    }
  }
  return places;
}

// Where any text is taken, or isn't looked at with the arguments of these tests.
struct Free {
  std::string_view op;
  std::string_view titles;
};
constexpr Free free_places[] = {
    {"OP_INSTANCE_CREATE",
     "group_name file_driver file_storage_dir iallocator snode snode_uuid "
     "tags nics.name disks.name"},
    {"OP_INSTANCE_SET_PARAMS",
     "file_driver file_storage_dir iallocator remote_node "
     "remote_node_uuid pnode_uuid nics.name disks.name"},
    // That there is no such interface is found when the address is to be moved there.
    {"OP_CLUSTER_SET_PARAMS", "master_netdev reserved_lvs"},
    {"OP_GROUP_ADD", "group_name"},
    {"OP_GROUP_RENAME", "new_name"},
    {"OP_NETWORK_ADD", "network_name tags"},
    {"OP_NETWORK_CONNECT", "network_link"},
    {"OP_NETWORK_RENAME", "new_name"},
    {"OP_NODE_QUERY_STORAGE", "name"},
    {"OP_OS_DIAGNOSE", "names"},
    {"OP_TAGS_SEARCH", "pattern"},
    {"OP_TAGS_SET", "tags"},
};

bool takes_any_text(std::string_view what, Place const& place) {
  std::string_view title = place.title;
  constexpr std::string_view inner = "instances.";
  if (title.starts_with(inner)) {
    title.remove_prefix(inner.size());
    what = "OP_INSTANCE_CREATE";
  }
  return std::ranges::any_of(free_places, [&](Free const& one) {
    return what.starts_with(one.op) &&
           contains(fmt::format(" {} ", one.titles), fmt::format(" {} ", title));
  });
}

// 128 characters, of two bytes each.
json::string long_tag() {
  std::string tag;
  for (int i = 0; i < 128; ++i) tag += "ü";
  return json::string(tag);
}

class Operations : public testing::TestWithParam<std::string> {
 protected:
  // In the same world each time.
  void run(std::uint64_t seed, std::function<void(World&, json::object const&)> const& story,
           std::size_t name_length = 0) {
    World world({.seed = 1, .machines = 4, .name_length = name_length, .has_faults = false});
    world.run([&](World& it) {
      add_machine_with_file(it);
      if (auto const op = arguments(it, GetParam(), seed)) story(it, *op);
    });
    auto const broken = world.broken();
    EXPECT_FALSE(broken) << broken->invariant << ": " << broken->what << " (arguments " << seed
                         << ")";
  }

  // Each is refused before anything is done, or the place takes any text, or doesn't matter here.
  void meet_odd_names(std::uint64_t seed) {
    run(seed, [&](World& world, json::object const& op) {
      auto const places = places_in(op);
      for (auto const& place : places) {
        if (takes_any_text(GetParam(), place)) continue;
        for (auto const& name : odd_names()) {
          EXPECT_TRUE(is_refused(world, place.with(name))) << place.title << ": '" << name << "'";
        }
      }
      for (auto const& place : places) {
        if (takes_any_text(GetParam(), place)) is_refused(world, place.with("Über/ $(reboot)\n"));
      }
    });
  }

  // All that is typed, and what there is already, has names that are as long as can be.
  void meet_long_names(std::uint64_t seed) {
    auto const lengthen = [](World& world, json::object& op) {
      auto const id = opcodes::op_id_of(op);
      auto const field = id == "OP_INSTANCE_CREATE"                              ? "instance_name"
                         : id == "OP_INSTANCE_RENAME" || id == "OP_GROUP_RENAME" ? "new_name"
                         : id == "OP_GROUP_ADD"                                  ? "group_name"
                                                                                 : "";
      if (!op.contains(field)) return;
      auto const length =
          id.starts_with("OP_GROUP") ? model::object_name_bytes_max : world.options().name_length;
      op[field] = json::string(lengthened(std::string(op[field].as_string()), length));
    };
    run(
        seed,
        [&](World& world, json::object op) {
          lengthen(world, op);
          if (auto* instances = op.if_contains("instances"); instances && instances->is_array()) {
            for (auto& one : instances->get_array()) {
              if (one.is_object()) lengthen(world, one.get_object());
            }
          }
          if (op.contains("tags")) op["tags"] = json::array{long_tag()};
          if (opcodes::op_id_of(op) == "OP_TAGS_DEL") return;
          Deed deed(world, op);
          EXPECT_EQ(deed.wait(), jobs::Status::Success) << deed.told();
        },
        model::instance_name_bytes_max);
  }

  bool is_refused(World& world, json::object const& op) {
    std::set<std::int64_t> have_begun;
    world.nodes().fake().before([&](rpc::FakeCall const& call) -> Result<void> {
      auto const is_deed = call.context.job != 0 && call.call != rpc::HooksRun::name;
      if (is_deed) have_begun.insert(call.context.job);
      return {};
    });
    Deed deed(world, op);
    auto const status = deed.wait();
    world.nodes().fake().before({});
    EXPECT_TRUE(status) << "it has not ended";
    if (!deed.is_taken()) return true;
    if (status == jobs::Status::Success) return false;
    auto const told = deed.told();
    EXPECT_TRUE(have_begun.empty()) << told;
    EXPECT_FALSE(contains(told, "internal_error")) << told;
    return true;
  }

  // For each trouble the first arguments that may meet it.
  void look_for(Row const& row) {
    for (std::uint64_t seed = 1; seed <= argument_seeds && !has_found_all(row, seed); ++seed) {
      run(seed, [&](World& world, json::object const& op) {
        Encounters encounters(world);
        Deed deed(world, op);
        auto const status = deed.wait();
        auto const met = encounters.end();
        if (!deed.is_taken() || status != jobs::Status::Success) return;
        for (auto const& [trouble, name] : unnamed) seeds_.emplace(trouble, seed);
        for (auto const trouble : met) seeds_.emplace(trouble, seed);
      });
    }
  }

  bool has_found_all(Row const& row, std::uint64_t seed) const {
    return seed > seeds_at_least && seeds_.contains(Trouble::Second) &&
           std::ranges::all_of(named, [&](Name const& one) {
             auto const is_met = one.trouble == Trouble::Name || seeds_.contains(one.trouble);
             return is_met || !names(row, one.name);
           });
  }

  void meet(Trouble trouble, std::uint64_t seed, Duration slowness = {}) {
    run(seed, [&](World& world, json::object const& op) {
      Meeting meeting(world, trouble, slowness);
      Deed deed(world, op);
      ASSERT_TRUE(deed.is_taken());
      auto const status = deed.wait();
      ASSERT_TRUE(status) << "it has not ended";
      meeting.end();
      auto const told = deed.told();
      if (trouble == Trouble::Lines) {
        for (auto const number : {std::int64_t{1}, many_lines}) {
          EXPECT_TRUE(contains(told, fmt::format("line {} of {}\n", number, many_lines)));
        }
      }
      if (status == jobs::Status::Success) return;
      auto const is_said = [&](std::string const& words) { return contains(told, words); };
      EXPECT_TRUE(std::ranges::any_of(meeting.says(), is_said)) << told.substr(0, 2000);
      expect_that_it_can_be_had(world, op);
    });
  }

  // The watcher has looked in between.
  void expect_that_it_can_be_had(World& world, json::object const& op) {
    world.sleep(10min);
    world.invariants().check_quiet();
    Deed again(world, op);
    ASSERT_TRUE(again.is_taken());
    auto const status = again.wait();
    auto const told = again.told();
    // What was made by the first one, and could not be started then.
    auto const is_there = contains(told, "is already in the cluster");
    EXPECT_TRUE(status == jobs::Status::Success || is_there) << "once it is over: " << told;
  }

  void meet_full_store(std::uint64_t seed) {
    run(seed, [&](World& world, json::object const& op) {
      Deed deed(world, op);
      ASSERT_TRUE(deed.is_taken());
      world.sleep(1ms);
      world.store().set_full(true);
      world.sleep(1min);
      world.store().set_full(false);
      auto const status = deed.wait();
      ASSERT_TRUE(status) << "it has not ended";
      if (status == jobs::Status::Success) return;
      EXPECT_THAT(deed.told(), HasSubstr("no space left on device"));
      expect_that_it_can_be_had(world, op);
    });
  }

  // The one that comes second waits, and then it finds what the first has made.
  void meet_second_user(std::uint64_t seed) {
    run(seed, [&](World& world, json::object const& op) { one_after_another(world, op, op); });
    for (auto const* other : {"OP_INSTANCE_SHUTDOWN", "OP_INSTANCE_REMOVE"}) {
      run(seed, [&](World& world, json::object const& op) {
        auto const* name = op.if_contains("instance_name");
        if (!name || !world.invariants().cluster().instance(name->as_string())) return;
        SCOPED_TRACE(other);
        json::object const first{{"OP_ID", other}, {"instance_name", *name}};
        one_after_another(world, first, op);
        one_after_another(world, op, first);
      });
    }
  }

  // What is refused is refused before anything is done.
  void one_after_another(World& world, json::object const& op, json::object const& other) {
    std::set<std::int64_t> have_begun;
    world.nodes().fake().before([&](rpc::FakeCall const& call) -> Result<void> {
      if (call.call != rpc::HooksRun::name) have_begun.insert(call.context.job);
      return {};
    });
    Deed first(world, op);
    Deed second(world, other);
    ASSERT_TRUE(first.is_taken() && second.is_taken());
    EXPECT_TRUE(second.wait()) << "it has not ended";
    world.nodes().fake().before({});
    for (auto* deed : {&first, &second}) {
      auto const status = world.wait_for(deed->id(), patience);
      EXPECT_TRUE(status == jobs::Status::Success || !have_begun.contains(number(deed->id())))
          << deed->told();
    }
  }

  std::map<Trouble, std::uint64_t> seeds_;
};

TEST(Troubles, every_opcode_has_a_row) {
  for (auto const& what : opcodes_and_ways()) {
    EXPECT_NE(std::ranges::find(rows, what, &Row::op), std::end(rows))
        << what << " has no row in tests/simulation/troubles_test.cpp: which can befall it?";
  }
}

TEST_P(Operations, meet_what_their_rows_say) {
  auto const row = std::ranges::find(rows, GetParam(), &Row::op);
  ASSERT_NE(row, std::end(rows));
  look_for(*row);
  ASSERT_TRUE(seeds_.contains(Trouble::Second)) << "no arguments of the generator let it succeed";
  for (auto const& [trouble, name] : named) {
    if (trouble == Trouble::Name) continue;
    EXPECT_EQ(seeds_.contains(trouble), names(*row, name)) << GetParam() << " and " << name;
  }
  if (names(*row, "name")) {
    SCOPED_TRACE(fmt::format("{} meets name", GetParam()));
    meet_odd_names(seeds_[Trouble::Second]);
    meet_long_names(seeds_[Trouble::Second]);
  }
  for (auto const& [trouble, seed] : seeds_) {
    auto const is_it = [&](Name const& one) { return one.trouble == trouble; };
    auto const name = std::ranges::find_if(named, is_it);
    SCOPED_TRACE(fmt::format("{} meets {}", GetParam(),
                             name != std::end(named)      ? name->name
                             : trouble == Trouble::Second ? "a second user"
                                                          : "a full store"));
    if (trouble == Trouble::Second) {
      meet_second_user(seed);
    } else if (trouble == Trouble::Store) {
      meet_full_store(seed);
    } else if (trouble == Trouble::Slow) {
      for (auto const slowness : {long_enough, too_long}) meet(trouble, seed, slowness);
    } else {
      meet(trouble, seed);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Troubles, Operations, testing::ValuesIn(opcodes_and_ways()),
                         [](auto const& one) { return test_name(one.param); });

}  // namespace
}  // namespace flotte::simulation
