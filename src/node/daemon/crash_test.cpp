// The node daemon is killed at every moment of every call (sys/deeds.h knows them), is started
// again, and must cope: the call repeated leaves what an undisturbed one leaves, the call undone
// leaves nothing. Every life of the daemon is a process of its own; nothing here is in this one.
#include <gmock/gmock.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <filesystem>
#include <regex>
#include <set>
#include <thread>

#include "base/daemon.h"
#include "model/params.h"
#include "node/daemon/machine.h"
#include "node/daemon/test_crash_cases.h"
#include "node/daemon/test_daemon.h"
#include "node/network/antispoof.h"
#include "sys/deeds.h"
#include "sys/files.h"
#include "sys/network.h"

namespace flotte::node {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
namespace json = boost::json;

// --- Dying

constexpr int exit_killed = 77;
constexpr int exit_failed = 78;
std::atomic<int> moments = 0;
std::atomic<int> last_moment = 0;  // 0: none is the last

void count_moment(std::string_view, std::string_view) {
  if (++moments == last_moment) ::_exit(exit_killed);
}

// --- The lives of the daemon

// One life, in a process of its own that ends without saying goodbye.
class Life {
 public:
  explicit Life(std::string const& root) : paths_(root) {
    DaemonOptions const options{.name = "flotte-noded", .paths = paths_};
    // What the last life forked holds the lock until it has become another program.
    auto begun = daemon_begin(options);
    while (!begun && begun.error().code == ErrorCode::WrongState) {
      std::this_thread::sleep_for(1ms);
      begun = daemon_begin(options);
    }
    if (begun) begun = end_leftovers(paths_);
    if (!begun) throw std::runtime_error(begun.error().message);
    auto made =
        NodeDaemon::create(paths_, machine_machinery(paths_, clock_, processes_), clock_, random_);
    if (!made) throw std::runtime_error(made.error().message);
    daemon_ = std::move(*made);
  }

  void must(Call const& what, std::int64_t leader_epoch = 1) {
    auto const answer = ask(what, leader_epoch);
    if (!answer) throw std::runtime_error(what.name + ": " + answer.error().message);
  }
  Result<json::value> ask(Call const& what, std::int64_t leader_epoch = 1) {
    if (what.name == rpc::Bootstrap::name || what.name == rpc::LeaveCluster::name ||
        what.name == rpc::RenewCrypto::name) {
      auto local = net::Client::create(net::UnixClientOptions{.path = paths_.node_socket()});
      if (!local) throw std::runtime_error(local.error().message);
      return call_locally(**local, what.name, what.arguments);
    }
    if (!client_) client_ = std::make_unique<rpc::NodeClient>(paths_);
    model::Node node;
    node.uuid = NodeId(test_uuid);
    node.name = "node1.example.com";
    node.primary_ip = "127.0.0.1";
    node.port = daemon_->port();
    rpc::CallContext const context{
        .leader_epoch = leader_epoch, .job = 1, .step = 1, .serial = ++serial_, .timeout = 60s};
    return client_->invoke(node, what.name, what.arguments, context, {});
  }

  // What the calls that only look say, without what differs from run to run.
  std::vector<std::string> readings() {
    std::vector<std::string> said;
    if (daemon_->port() == 0) return {"no cluster"};
    for (auto const& look : {call(rpc::BlockdevFind{"web1", {disk(paths_), disk(paths_, 1)}}),
                             call(rpc::FileStorageList{paths_.srv() + "/file-storage"}),
                             call(rpc::OsDiagnose{}), call(rpc::AllInstancesInfo{})}) {
      auto const answer = ask(look);
      auto text = answer ? json::serialize(*answer) : answer.error().message;
      static std::regex const differs(R"re("(pid|cpu_seconds|tap)":[^,}]*)re");
      said.push_back(look.name + " " + std::regex_replace(text, differs, "$1"));
    }
    return said;
  }
  std::vector<std::string> calls() const { return daemon_->calls(); }

 private:
  Paths paths_;
  SystemClock clock_;
  SeededRandom random_{1};
  sys::SystemProcesses processes_;
  std::int64_t serial_ = 0;
  std::unique_ptr<NodeDaemon> daemon_;
  std::unique_ptr<rpc::NodeClient> client_;
};

struct End {
  int exit_status = 0;
  std::string said;
};

constexpr int no_hook = -1;

// `last`: the moment of the start at which it is killed, 0 to count them.
template <class Function>
End live(std::string const& root, Function function, int last = no_hook) {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return {exit_failed, "no pipe"};
  auto const pid = ::fork();
  if (pid == 0) {
    ::close(fds[0]);
    int status = 0;
    std::string said;
    try {
      last_moment = last;
      if (last != no_hook) sys::moment_hook = count_moment;
      Life life(root);
      sys::moment_hook = nullptr;
      said = function(life);
      // As a daemon that is killed: nothing of it is taken down.
      (void)!::write(fds[1], said.data(), said.size());
      ::_exit(0);
    } catch (std::exception const& error) {
      said = error.what();
      status = exit_failed;
    }
    (void)!::write(fds[1], said.data(), said.size());
    ::_exit(status);
  }
  ::close(fds[1]);
  End end;
  char part[4096];
  for (ssize_t got = 0; (got = ::read(fds[0], part, sizeof part)) > 0;) {
    end.said.append(part, static_cast<std::size_t>(got));
  }
  ::close(fds[0]);
  int status = 0;
  ::waitpid(pid, &status, 0);
  end.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return end;
}

// --- What is there

bool is_random(std::string const& path) {
  for (auto const* end : {".pem", ".key", "/cluster-domain-secret", "_candidates_certs", ".port",
                          ".pid", "/pid/web1"}) {
    if (path.ends_with(end)) return true;
  }
  return false;
}

// Kernel and QEMU choose some names and numbers themselves.
std::string without_chance(std::string text) {
  static std::regex const chosen(R"re((tap|fds?=|fd:|add-[a-z]+-web1-)[0-9:]+)re");
  return text.size() > 100'000 ? text : std::regex_replace(text, chosen, "$1#");
}

std::string describe_file(fs::path const& path) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) return path.string() + " vanished";
  auto line =
      fmt::format("{} {:o} {}:{}", path.string(), status.st_mode, status.st_uid, status.st_gid);
  if (S_ISLNK(status.st_mode)) return line + " -> " + fs::read_symlink(path).string();
  if (!S_ISREG(status.st_mode) || is_random(path)) return line;
  auto const content = without_chance(contents_of(path));
  return line + fmt::format(" {} {:x} {}", content.size(), std::hash<std::string>{}(content),
                            content.size() < 200 ? content : "");
}

std::vector<std::string> describe_files(std::string const& root) {
  std::vector<std::string> lines;
  for (auto const& entry : fs::recursive_directory_iterator(root)) {
    // Logs of attempts and what guests said are kept, sockets are the daemon's own.
    auto const kind = entry.path().extension();
    if (kind == ".log" || kind == ".console" || entry.is_socket()) continue;
    lines.push_back(describe_file(entry.path()));
  }
  std::ranges::sort(lines);
  return lines;
}

// Processes of earlier lives; what they leave becomes our child.
struct Orphan {
  pid_t pid = 0;
  std::string command;
};
std::vector<Orphan> orphans() {
  while (::waitpid(-1, nullptr, WNOHANG) > 0) {
  }
  std::vector<Orphan> found;
  for (auto const& entry : fs::directory_iterator("/proc")) {
    auto const name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    auto const stat = sys::read_file(entry.path().string() + "/stat").value_or("");
    auto const end = stat.rfind(')');
    if (end == std::string::npos || stat.size() < end + 4) continue;
    if (std::atoi(stat.c_str() + end + 4) != ::getpid()) continue;
    auto command = sys::read_file(entry.path().string() + "/cmdline").value_or("");
    std::ranges::replace(command, '\0', ' ');
    found.push_back({static_cast<pid_t>(std::atoi(name.c_str())), command});
  }
  return found;
}

// Not the process that waits until QEMU has become a daemon: that leads the session it was given.
bool is_guest(Orphan const& orphan) {
  return ::getsid(orphan.pid) != orphan.pid &&
         orphan.command.find("qemu-system") != std::string::npos &&
         orphan.command.find("-daemonize") != std::string::npos;
}

// Guests last; whatever else the last life had begun ends by itself.
std::size_t guests() {
  for (;;) {
    auto const found = orphans();
    auto const lasting = std::ranges::count_if(found, is_guest);
    if (std::cmp_equal(lasting, found.size())) return found.size();
    std::this_thread::sleep_for(5ms);
  }
}

void run(std::vector<std::string> argv) {
  sys::SystemProcesses processes;
  auto const done = sys::run_checked(processes, {.argv = std::move(argv)});
  if (!done) throw std::runtime_error(done.error().message);
}

// A network of this process alone, with a bridge; false where that can't be had.
bool have_own_network() {
  static bool const has = [] {
    if (::unshare(CLONE_NEWNET | CLONE_NEWNS) != 0) return false;
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return false;
    if (::mount("sysfs", "/sys", "sysfs", 0, nullptr) != 0) return false;
    run({"ip", "link", "set", "lo", "up"});
    run({"ip", "link", "add", bridge, "type", "bridge"});
    run({"ip", "link", "set", bridge, "up"});
    return true;
  }();
  return has;
}

// A directory that is the root of one daemon after the other.
class CrashRoot {
 protected:
  CrashRoot() {
    // Not below $TMPDIR: it may be too long for sockets.
    char pattern[] = "/tmp/flotte-crash-XXXXXX";
    home_ = ::mkdtemp(pattern);
    root_ = home_ + "/root";
    paths_ = Paths(root_);
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  }
  ~CrashRoot() {
    end_guests();
    fs::remove_all(home_);
  }
  CrashRoot(CrashRoot const&) = delete;
  CrashRoot& operator=(CrashRoot const&) = delete;

  void end_guests() {
    for (auto found = orphans(); !found.empty(); found = orphans()) {
      for (auto const& orphan : found) ::kill(orphan.pid, SIGKILL);
      std::this_thread::sleep_for(1ms);
    }
  }

  std::string home_;
  std::string root_;
  Paths paths_;
};

class NodeCrash : public CrashRoot, public ::testing::TestWithParam<Row> {
 protected:
  void SetUp() override {
    has_network_ = have_own_network();
    has_qemu_ = has_network_ && ::access(qemu, X_OK) == 0;
    auto const needs = GetParam().needs;
    needs_cluster_ = needs != Needs::NoCluster && needs != Needs::NetworkButNoCluster;
    auto const is_only_files = needs == Needs::Nothing || needs == Needs::NoCluster;
    if (!is_only_files && !has_network_) GTEST_SKIP() << "needs a network of its own";
    if (needs == Needs::Qemu && !has_qemu_) GTEST_SKIP() << "needs " << qemu;
    reset_network();
    make_base();
  }

  // A node of a cluster that had an instance once, so that every directory is there.
  void make_base() {
    write_os("dd",
             "echo installing; printf half | dd of=$DISK_0_PATH conv=notrunc status=none\n"
             "sleep 0.1; printf done | dd of=$DISK_0_PATH conv=notrunc status=none\n");
    write_os("broken", "echo failing; exit 1\n");
    write_script(paths_.hooks() + "/instance-start-pre.d/10-mark",
                 "printf half > $FLOTTE_ROOT/srv/mark; sleep 0.1; printf done > "
                 "$FLOTTE_ROOT/srv/mark\n");
    write_script(paths_.hooks() + "/instance-start-pre.d/20-refuse", "echo refused; exit 1\n");
    auto const made = live(root_, [this](Life& life) {
      if (!needs_cluster_) return "";
      life.must(call(cluster(paths_)));
      for (auto const& one : disk_active(paths_)) life.must(one);
      life.must(call(rpc::OsCreate{instance(paths_, fake)}));
      life.must(call(InstanceStart{instance(paths_, fake)}));
      life.must(guest_stopped<fake>());
      if (GetParam().needs == Needs::Qemu) {
        life.must(call(InstanceStart{instance(paths_, kvm)}));
        life.must(guest_stopped<kvm>());
      }
      for (auto const& one : disk_gone(paths_)) life.must(one);
      return "";
    });
    ASSERT_EQ(made.exit_status, 0) << made.said;
    fs::create_directory(paths_.exports());
    fs::permissions(paths_.exports(), fs::perms(0750));
    keep("base");
    nothing_ = describe("");
  }

  void write_os(std::string const& name, std::string const& create) {
    auto const directory = paths_.srv() + "/os/" + name;
    fs::create_directories(directory);
    std::ofstream(directory + "/ganeti_api_version") << "20\n";
    for (auto const* script : {"create", "import", "export", "rename", "verify"}) {
      write_script(directory + "/" + script, script == std::string("create") ? create : "");
    }
  }
  static void write_script(std::string const& path, std::string const& lines) {
    fs::create_directories(fs::path(path).parent_path());
    std::ofstream(path) << "#!/bin/sh\n" << lines;
    fs::permissions(path, fs::perms(0755));
  }

  void keep(std::string const& name) { run({"cp", "-a", root_, home_ + "/" + name}); }
  void restore(std::string const& name) {
    fs::remove_all(root_);
    run({"cp", "-a", home_ + "/" + name, root_});
  }
  void reset_network() const {
    if (!has_network_) return;
    run({"ip", "address", "flush", "dev", bridge});
    run({"sh", "-c", "while ip rule del table 7077 2>&-; do :; done"});
    if (Antispoof::check()) run({"nft", "flush", "ruleset"});
  }

  // The state before the deed. Guests of QEMU can't be copied, they are started each time.
  void prepare(Case const& test) {
    end_guests();
    reset_network();
    auto const is_copied = fs::exists(home_ + "/before");
    restore(is_copied ? "before" : "base");
    auto const needs = GetParam().needs;
    auto const is_only_files = needs == Needs::Nothing || needs == Needs::NoCluster;
    if (is_copied || test.before.empty()) return;
    auto const made = live(root_, [&](Life& life) {
      for (auto const& one : test.before) life.must(one);
      return "";
    });
    ASSERT_EQ(made.exit_status, 0) << made.said;
    if (is_only_files) keep("before");
  }

  // One life that may be ended by its deed, one that does something about it.
  End disturbed(Case const& test, int moment) {
    return live(root_, [&](Life& life) {
      moments = 0;
      last_moment = moment;
      sys::moment_hook = count_moment;
      auto const answer = life.ask(test.deed, test.leader_epoch);
      sys::moment_hook = nullptr;
      if (answer) return fmt::format("{} done", moments.load());
      return fmt::format("{} {}", moments.load(), answer.error().message);
    });
  }
  std::vector<std::string> after(std::function<void(Life&)> const& act) {
    auto const end = live(root_, [&](Life& life) {
      act(life);
      return fmt::format("{}", fmt::join(life.readings(), "\n"));
    });
    EXPECT_EQ(end.exit_status, 0) << end.said;
    return describe(end.said);
  }
  std::vector<std::string> describe(std::string const& readings) {
    auto lines = describe_files(root_);
    lines.push_back(fmt::format("{} guests", guests()));
    if (has_network_) {
      sys::SystemProcesses processes;
      for (auto const* look :
           {"ip -o -4 address", "ls -1 /sys/class/net", "ip -4 rule | cut -d: -f2",
            "ip -4 route show table all", "nft list ruleset 2>&- | grep -v '^table\\|^}\\|^$'"}) {
        auto const shown = processes.run({.argv = {"sh", "-c", look}});
        lines.push_back(without_chance(shown ? shown->output : "?"));
      }
    }
    if (!readings.empty()) lines.push_back(readings);
    return lines;
  }
  static std::vector<std::string> without_readings(std::vector<std::string> lines) {
    lines.pop_back();
    return lines;
  }

  bool has_network_ = false;
  bool needs_cluster_ = true;
  bool has_qemu_ = false;
  std::vector<std::string> nothing_;
};

void expect_same(std::vector<std::string> const& wanted, std::vector<std::string> const& found,
                 std::string_view what) {
  std::string difference;
  for (auto const& line : wanted) {
    if (std::ranges::find(found, line) == found.end()) difference += "- " + line + "\n";
  }
  for (auto const& line : found) {
    if (std::ranges::find(wanted, line) == wanted.end()) difference += "+ " + line + "\n";
  }
  if (!difference.empty()) ADD_FAILURE() << what << ":\n" << difference;
}

TEST_P(NodeCrash, at_every_moment) {
  auto const test = GetParam().make(paths_);
  prepare(test);
  auto const counted = disturbed(test, 0);
  ASSERT_EQ(counted.exit_status, 0) << counted.said;
  auto const answer = without_chance(counted.said.substr(counted.said.find(' ') + 1));
  auto const count = std::stoi(counted.said);
  auto const done = after([](Life&) {});
  if (!test.undo.empty()) {
    auto const undone = after([&](Life& life) {
      for (auto const& one : test.undo) life.must(one);
    });
    expect_same(nothing_, without_readings(undone), "undone, undisturbed");
  }
  auto const stride = std::getenv("FLOTTE_EVERY_MOMENT") ? 1 : GetParam().stride;
  int tried = 0;
  for (int moment = 1; moment <= count; moment += stride) {
    ++tried;
    SCOPED_TRACE(fmt::format("{}, killed at moment {} of {}", GetParam().name, moment, count));
    prepare(test);
    ASSERT_EQ(disturbed(test, moment).exit_status, exit_killed);
    auto const repeated = after([&](Life& life) {
      auto const again = life.ask(test.deed, test.leader_epoch);
      auto const said = without_chance(again ? "done" : again.error().message);
      if (said != answer) throw std::runtime_error("repeated: " + said);
    });
    expect_same(done, repeated, "repeated");
    if (HasFailure()) break;
    if (test.undo.empty()) continue;
    prepare(test);
    ASSERT_EQ(disturbed(test, moment).exit_status, exit_killed);
    auto const undone = after([&](Life& life) {
      for (auto const& one : test.undo) life.must(one);
    });
    expect_same(nothing_, without_readings(undone), "undone");
    if (HasFailure()) break;
  }
  if (HasFailure()) return;
  std::printf("crash points: %-28s %3d, repeated after %3d, undone after %3d\n", GetParam().name,
              count, tried, test.undo.empty() ? 0 : tried);
}

class NodeCrashAtStart : public CrashRoot, public ::testing::Test {};

TEST_F(NodeCrashAtStart, at_every_moment) {
  auto const quiet = [](Life&) { return std::to_string(moments); };
  fs::create_directory(root_);
  auto const counted = live(root_, quiet, 0);
  ASSERT_EQ(counted.exit_status, 0) << counted.said;
  auto const done = describe_files(root_);
  auto const count = std::stoi(counted.said);
  EXPECT_GT(count, 0);
  for (int moment = 1; moment <= count && !HasFailure(); ++moment) {
    SCOPED_TRACE(fmt::format("killed at moment {} of {}", moment, count));
    fs::remove_all(root_);
    fs::create_directory(root_);
    ASSERT_EQ(live(root_, quiet, moment).exit_status, exit_killed);
    auto const again = live(root_, quiet);
    ASSERT_EQ(again.exit_status, 0) << again.said;
    expect_same(done, describe_files(root_), "started again");
  }
  std::printf("crash points: %-28s %3d, repeated after %3d\n", "start", count, count);
}

// Nobody can add a call and forget what becomes of it when the daemon is killed.
TEST_F(NodeCrashAtStart, every_call_is_here) {
  fs::create_directory(root_);
  auto const end =
      live(root_, [](Life& life) { return fmt::format("{}", fmt::join(life.calls(), "\n")); });
  ASSERT_EQ(end.exit_status, 0) << end.said;
  std::set<std::string> tried;
  for (auto const& row : rows) {
    tried.insert(row.make(paths_).deed.name);
    EXPECT_TRUE(std::string_view(row.name).starts_with(row.make(paths_).deed.name)) << row.name;
  }
  std::istringstream calls(end.said);
  for (std::string name; std::getline(calls, name);) {
    EXPECT_TRUE(tried.contains(name)) << "there is no row for the call " << name;
  }
}

std::string test_name(::testing::TestParamInfo<Row> const& row) {
  std::string name = row.param.name;
  std::ranges::replace(name, ' ', '_');
  return name;
}
INSTANTIATE_TEST_SUITE_P(Calls, NodeCrash, ::testing::ValuesIn(rows), test_name);

}  // namespace
}  // namespace flotte::node
