// FakeNode: any number of nodes in memory that obey all calls of node_calls.h as node daemons do:
// creating twice is harmless, a deposed leader is refused, a disk is fenced by its epoch.
//
// Used by the tests of units and jobs and by the simulation, which make it misbehave by hooks.
// Deterministic: no time but the Clock's, no randomness. Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "rpc/epoch.h"
#include "rpc/node.h"

namespace flotte {
class Clock;
}

namespace flotte::rpc {

struct FakeDisk {
  std::string instance;  // the owner
  model::Disk disk;
  MiB size;
  std::int64_t epoch = 0;
  std::int64_t index = 0;
  bool is_assembled = false;
  std::optional<MiB> unwiped;   // from there on it is to be wiped
  std::optional<MiB> snapshot;  // how much room it has
  std::string installed_os;     // the OS definition whose create script ran last
};

// A volume that is no instance's disk.
struct FakeVolume {
  MiB size;
  bool is_open = false;
  std::string owner;
  std::string fault;  // as Volume has it
};

// An export as a node keeps it.
struct FakeExport {
  std::string config;
  std::vector<Dump> dumps;
};

struct FakeGuest {
  InstanceSpec spec;
  RunState state = RunState::Running;
  std::int64_t pid = 0;
  std::int64_t starts = 1;        // and soft reboots
  std::vector<std::string> taps;  // one a NIC
  std::optional<MiB> balloon;     // what it was left of its memory
  // UUIDs of disks and NICs that it was asked to let go of and has not, and of those that it has
  // let go of when nobody waited any longer.
  std::set<std::string> leaving;
  std::set<std::string> gone;
};

enum class FakeFileStorage { Fine, ReadOnly };

// What is wrong with the guests of an instance, as files beside the fake hypervisor's guests say it
// on a real node.
struct FakeGuestTrouble {
  std::string fails;           // start and stop fail with this text
  bool dies_at_start = false;  // the start succeeds, but there is no guest
  bool hangs = false;          // start and stop don't end; what was asked is done once they may
  // It doesn't hear what it is asked: it lets go of no device, and has to be unplugged itself.
  bool is_silent = false;
};

// A script that people have hung on an operation.
struct FakeHook {
  HookOutcome outcome = HookOutcome::Succeeded;
  std::string output;
  std::int64_t takes_s = 0;  // of the time that the call may take; more, and it is ended
};

// One that ran, for whom, and what it was told.
struct FakeHookRun {
  std::int64_t job = 0;
  std::string script;
  std::map<std::string, std::string> environment;
};

// Everything there is on one node.
struct FakeNodeState {
  NodeFacts facts;  // memory_free and the volume groups' free space follow what is used
  std::vector<OsDefinition> operating_systems;
  std::set<std::string> bridges;
  std::set<std::string> addresses;            // brought up by node_master_address
  std::map<std::string, ResolvedName> hosts;  // by what is asked for
  // What is wrong with the cluster's files, certificates and storage directories, as a test wants.
  NodeFindings wrong;
  std::map<std::string, std::string> ssconf;  // by key
  std::vector<RunFile> strays;                // in the run directory, of guests that aren't there
  std::map<std::string, FakeDisk> disks;      // by fake_disk_key()
  std::map<std::string, FakeExport> exports;
  std::set<std::string> transfer_keys;              // by name
  std::map<std::string, FakeVolume> other_volumes;  // by group and name: "xenvg/old"
  std::map<std::string, FakeGuest> guests;
  std::set<std::string> taps;
  FakeFileStorage file_storage = FakeFileStorage::Fine;
  std::map<std::string, FakeGuestTrouble> troubles;  // by instance
  std::map<std::string, FakeHook> hooks;             // by script: "instance-start-pre.d/10-check"
  std::vector<FakeHookRun> hook_runs;                // the oldest are forgotten
  std::int64_t leader_epoch = 0;                     // the highest seen
  LatestCalls latest_calls;                          // forgotten when the node daemon restarts
  std::int64_t next_pid = 1000;
  std::int64_t next_tap = 0;
  std::int64_t script_lines = 0;  // that each OS script prints beside what it has to say
  // What could have failed: how often a guest was asked to do something itself, and how often
  // something needed room on a disk.
  std::int64_t guests_asked = 0;
  std::int64_t room_needed = 0;

  // 16 GiB of memory, 8 cores, volume group "xenvg" of 1 TiB, the operating systems "noop" and
  // "debootstrap" with variants "default" and "bookworm", bridge "br0".
  static FakeNodeState ordinary();
};

std::string fake_disk_key(model::Disk const& disk);

// One call, as the hooks see it.
struct FakeCall {
  NodeId node;
  std::string node_name;
  std::string call;
  json::object arguments;
  CallContext context;
};

class FakeNode final : public Node {
 public:
  // TestDelay sleeps by the clock; without one it takes no time.
  explicit FakeNode(Clock* clock = nullptr);
  ~FakeNode() override;

  // A node that was never mentioned before is an ordinary one.
  Result<json::value> invoke(model::Node const& node, std::string_view call,
                             json::object const& arguments, CallContext const& context,
                             Progress const& progress) override;

  // Before: an error is answered instead of carrying the call out. After: an error replaces the
  // answer to a deed that is done. Called without any lock held: they may wait, or use this object.
  using Before = std::function<Result<void>(FakeCall const&)>;
  using After = std::function<Result<void>(FakeCall const&, Result<json::value> const& answer)>;
  void before(Before hook);
  void after(After hook);

  // The next call of that name fails, with nothing done.
  void fail_next(std::string_view call, Error error);
  // The next call of that name is carried out, but its answer is lost.
  void lose_next_answer(std::string_view call);
  // Nothing arrives there.
  void set_reachable(NodeId const& node, bool is_reachable);

  // The guest switches itself off.
  void power_off(NodeId const& node, std::string const& instance);
  // Its starts and stops no longer hang: what hung is carried out.
  void unhang(NodeId const& node, std::string const& instance);
  // How long a guest that doesn't hear is waited for by a call, which is the caller's to do: no
  // time passes here. What it is asked for it may do from now on.
  std::chrono::seconds ask_guest(NodeId const& node, std::string_view call,
                                 json::object const& arguments);
  // The guest hears again, and has let go of what it was asked for.
  void answer(NodeId const& node, std::string const& instance);
  // Instances whose guests have let go of a device that they should have.
  std::vector<std::string> lacking(NodeId const& node) const;
  // One of those gets it back, as the node daemon sees to by itself.
  void give_back(NodeId const& node, std::string const& instance);
  // The node daemon is killed and started again; the machine goes on.
  void restart_daemon(NodeId const& node);

  // How long the scripts of a call take, which is the caller's to wait for: no time passes here.
  std::chrono::seconds hooks_take(NodeId const& node, HooksRun const& call) const;

  // A copy of what is there now.
  FakeNodeState state(NodeId const& node) const;
  void change(NodeId const& node, std::function<void(FakeNodeState&)> const& edit);

  // Every call that arrived, in order; the oldest are forgotten beyond calls_kept_max.
  std::vector<FakeCall> calls() const;
  std::size_t count(std::string_view call) const;
  void forget_calls();
  static constexpr std::size_t calls_kept_max = 100'000;

 private:
  struct Machine;
  struct Mishap {
    std::string call;
    Error error;
    bool is_done_first = false;
  };

  Machine& machine(NodeId const& node) const;  // with mutex_ held
  // Whether it hangs, or something before it; it is kept and done later.
  static bool must_wait(Machine& one, FakeCall const& call, std::string const& instance);
  Result<void> mishap_before(FakeCall const& call);
  Result<void> mishap_after(FakeCall const& call);
  Result<void> take_mishap(FakeCall const& call, bool is_done_first);

  Clock* clock_;
  mutable std::mutex mutex_;
  mutable std::map<NodeId, std::unique_ptr<Machine>> machines_;
  std::set<NodeId> unreachable_;
  std::vector<Mishap> mishaps_;
  std::vector<FakeCall> calls_;
  Before before_;
  After after_;
};

// "Node n1 did not answer: ...", as NodeClient says it.
Error fake_unreachable(std::string_view node_name, std::string_view why);

}  // namespace flotte::rpc
