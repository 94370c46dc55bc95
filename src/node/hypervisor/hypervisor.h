// Hypervisor: guests on this node. kvm (QEMU over QMP) and fake (files that say what runs).
//
// Calls are idempotent. Called from several threads at once; an implementation serialises what
// concerns one instance.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/paths.h"
#include "rpc/node_calls.h"
#include "sys/process.h"

namespace flotte::node {

using GoesOn = std::function<bool()>;

class Hypervisor {
 public:
  virtual ~Hypervisor() = default;

  // Whether it could start here. Changes nothing and opens nothing of the guest, which may run.
  virtual Result<rpc::HypervisorAdvice> check(rpc::InstanceSpec const& spec) = 0;
  // `disk_paths` opens the spec's disks, in their order. Success also when this very instance runs
  // already: there is never a second QEMU for it.
  virtual Result<void> start(rpc::InstanceSpec const& spec,
                             std::vector<std::string> const& disk_paths, bool paused) = 0;
  // ACPI first; the plug after the timeout. Success when it doesn't run.
  virtual Result<void> stop(std::string const& name, std::chrono::seconds timeout) = 0;
  virtual Result<void> soft_reboot(std::string const& name) = 0;
  // One that the guest doesn't have yet is as large as it is when it gets it.
  virtual Result<void> resize_disk(std::string const& name, rpc::DiskSpec const& disk,
                                   MiB size) = 0;
  // Makes its disks and NICs those of the spec, by UUID: what it lacks is plugged, what it has too
  // much is unplugged, a NIC with another link is connected anew. One that doesn't run is left
  // alone. `goes_on` ends the wait for a guest that doesn't let go of something: it may still do so
  // later, see lacking().
  virtual Result<void> adjust(rpc::InstanceSpec const& spec,
                              std::vector<std::string> const& disk_paths,
                              GoesOn const& goes_on) = 0;
  // Guests that were asked to let go of a device and have not done so while somebody waited. None
  // of them is spoken to.
  virtual std::vector<std::string> asked() = 0;
  // What one of them should have, by what is written down of it, once it has let go of some of it:
  // it is to be adjusted to that.
  virtual std::optional<rpc::InstanceSpec> lacking(std::string const& name) = 0;
  // What the guest may use of its memory.
  virtual Result<void> balloon(std::string const& name, MiB memory) = 0;
  virtual bool is_running(std::string const& name) = 0;
  // Whether it runs and has that disk.
  virtual bool uses(std::string const& name, DiskId const& disk) = 0;
  // What runs, by the truth of the processes: those that are named, or all.
  virtual Result<std::vector<rpc::RunningInstance>> list(
      std::vector<std::string> const& only = {}) = 0;
};

std::unique_ptr<Hypervisor> make_kvm(Paths const& paths, Clock& clock, sys::Processes& processes);
std::unique_ptr<Hypervisor> make_fake(Paths const& paths);

struct Hypervisors {
  std::unique_ptr<Hypervisor> kvm;
  std::unique_ptr<Hypervisor> fake;

  Hypervisor& of(model::HypervisorKind kind) const {
    return kind == model::HypervisorKind::Kvm ? *kvm : *fake;
  }
  bool is_running(std::string const& name) const {
    return kvm->is_running(name) || fake->is_running(name);
  }
  bool uses(std::string const& name, DiskId const& disk) const {
    return kvm->uses(name, disk) || fake->uses(name, disk);
  }
};

}  // namespace flotte::node
