// KvmRuntime: what a QEMU guest has below <run>/kvm-hypervisor (docs/ganeti.md, "Files of a guest")
// and in the process table.
//
// A guest is a process whose command line names it and its pid file, and which runs as a user that
// guests run as: anybody can write such a command line.
// Used by kvm.cpp. Thread-safe as long as calls about one instance don't overlap.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/paths.h"
#include "node/hypervisor/kvm/command_line.h"

namespace flotte::node {

// A QEMU, held by a descriptor: its number can't come to mean another process.
class KvmProcess {
 public:
  // None when there is no such process, or it isn't the guest of that pid file.
  static std::optional<KvmProcess> open(pid_t pid, std::string const& name,
                                        std::string const& pid_file);
  // The real and the effective user, which differ in a program that anybody may run as root.
  // Nobody: it has ended.
  std::vector<uid_t> users() const;
  KvmProcess(KvmProcess&& other) noexcept;
  KvmProcess& operator=(KvmProcess&&) = delete;
  ~KvmProcess();

  pid_t pid() const { return pid_; }
  // What follows an option on its command line, where it stands first: there it is our own.
  std::string argument(std::string_view option) const;
  bool has_flag(std::string_view option) const;
  double cpu_seconds() const;

  void send(int signal_number) const;
  // True when it has ended.
  bool wait_for_end(std::chrono::milliseconds timeout) const;

 private:
  KvmProcess(pid_t pid, int fd, std::vector<std::string> argv)
      : pid_(pid), fd_(fd), argv_(std::move(argv)) {}

  pid_t pid_;
  int fd_;
  std::vector<std::string> argv_;
};

// A disk or a NIC as a guest has it. `place`: Ganeti's "hvinfo"; empty where QEMU chose it itself.
struct KvmDisk {
  model::Disk disk;
  boost::json::object place;
  std::string link;
};
struct KvmNic {
  rpc::NicSpec nic;
  boost::json::object place;
  std::string tap;  // empty until it is made
};

// What is written down of a guest that was started.
struct KvmGuest {
  InstanceId uuid;
  std::int64_t epoch = 0;
  std::vector<std::string> argv;
  boost::json::object hvparams;
  std::vector<KvmDisk> disks;
  std::vector<KvmNic> nics;
  std::vector<std::string> tags;  // for the scripts of the network
  // MiB that its balloon leaves it, where that was ever set.
  std::optional<std::int64_t> memory;
  // Whom it runs as, where its command line says so: the number, which stays when the name goes.
  std::optional<uid_t> user;

  KvmGuest() = default;
  // As it is started. `disk_links` in the order of the spec's disks.
  KvmGuest(rpc::InstanceSpec const& spec, std::vector<std::string> const& disk_links,
           KvmDevices const& devices);
};

// The systemd scope of a guest: another one at each start, because systemd may not have seen yet
// that the last one is empty.
std::string kvm_scope(std::string const& name, InstanceId const& uuid, std::int64_t epoch);
// True for a process in the scope of another guest, by its /proc/<pid>/cgroup: a guest that has
// broken out of its QEMU can give itself a command line, but not leave its scope.
bool is_in_scope_of_another(std::string_view cgroup, std::string const& name,
                            InstanceId const& uuid);

class KvmRuntime {
 public:
  // `guest_user`: whom guests run as unless they are told otherwise, where there is such a one.
  explicit KvmRuntime(Paths paths, std::string const& guest_user = {});

  KvmFiles files(std::string const& name) const;
  Result<void> make_directories(std::string const& name) const;

  // By its pid file: cheap, for lists.
  std::optional<KvmProcess> find(std::string const& name) const;
  // Looks through the whole process table: for who must know that there is none, even one that has
  // not written its pid file yet.
  std::vector<KvmProcess> find_all(std::string const& name) const;
  // Guests that have a pid file.
  std::vector<std::string> names() const;

  // As Ganeti's: [command, NICs, hypervisor parameters, [[disk, link, null], ...]], and behind them
  // our own: {"uuid", "epoch", "tags", "memory"}. Beside it nic/<instance>/<n> holds the name of
  // each tap.
  Result<void> save(std::string const& name, KvmGuest const& guest) const;
  // Empty where nothing is known.
  KvmGuest load(std::string const& name) const;

  // A guest that was started paused is marked, so that only such are asked for their state.
  Result<void> mark_paused(std::string const& name) const;
  bool is_marked_paused(std::string const& name) const;
  void unmark_paused(std::string const& name) const;

  // Devices, by their ids, that a guest was asked to let go of. It may do so as long as it runs:
  // what has been asked of it can't be taken back.
  Result<void> mark_leaving(std::string const& name, std::string const& id) const;
  void unmark_leaving(std::string const& name, std::string const& id) const;
  std::set<std::string> leaving(std::string const& name) const;
  // Guests that have such.
  std::vector<std::string> marked_leaving() const;

  // A guest that switched itself off and may: its end is no failure. Outlives forget().
  Result<void> mark_user_down(std::string const& name) const;
  void unmark_user_down(std::string const& name) const;
  std::vector<std::string> marked_user_down() const;

  // What a guest that has ended leaves: nothing of it may confuse the next start.
  void forget(std::string const& name) const;

 private:
  std::optional<KvmProcess> open(pid_t pid, std::string const& name) const;
  bool is_guests_user(uid_t user, std::string const& name) const;
  std::string file(std::string_view folder, std::string const& name) const;
  std::string runtime_file(std::string const& name) const;
  Result<void> save_taps(std::string const& name, KvmGuest const& guest) const;
  std::string pause_mark(std::string const& name) const;
  std::string user_down_mark(std::string const& name) const;
  std::string leaving_mark(std::string const& name) const;

  Paths paths_;
  std::optional<uid_t> guest_user_;
};

}  // namespace flotte::node
