// The command line of QEMU for an instance: pure, golden-tested against Ganeti's (docs/ganeti.md,
// "QEMU's command line").
#pragma once

#include <array>
#include <set>
#include <string>
#include <vector>

#include "rpc/node_calls.h"

namespace flotte::node {

// Where QEMU finds and puts things.
struct KvmFiles {
  std::string pid;
  std::string log;
  std::string monitor;
  std::string serial;
  std::string console_log;  // QEMU writes there what the guest says on its serial line
  std::string qmp;
  std::string kvmd;  // a second QMP socket, for events
  std::string guest_agent;
  std::string chroot;
};

struct KvmMachine {
  bool has_kvm = false;
  bool has_default_kvm_path = false;   // is /usr/bin/kvm there?
  std::string default_version = "pc";  // what QEMU calls its default machine
  std::string run_as;                  // a user to drop to; empty: none
};

// The descriptors of one NIC that QEMU inherits: one per queue, and as many of /dev/vhost-net when
// vhost_net is on.
struct KvmNicFds {
  std::vector<int> taps;
  std::vector<int> vhosts;
};

// The bus that devices are plugged into: of a PC its own, of another machine a bridge of that name.
constexpr auto kvm_pci_bus = "pci.0";
// SCSI drives of CDs have these, whatever disks come and go.
constexpr std::array<std::int64_t, 2> kvm_cdrom_scsi_ids{6, 5};
// The lowest that no disk has.
std::int64_t kvm_free_scsi_id(boost::json::object const& hvparams,
                              std::set<std::int64_t> const& taken);

// Where the guest finds its disks and NICs, as Ganeti's "hvinfo": driver, id, bus, addr or SCSI
// numbers, in the order in which they stand on the command line. Empty for NICs that QEMU places
// itself. Slots as Ganeti gives them out: disks first, then NICs, from the first that is not
// reserved.
struct KvmDevices {
  std::vector<boost::json::object> disks;
  std::vector<boost::json::object> nics;
};
Result<KvmDevices> kvm_devices(rpc::InstanceSpec const& spec);

// `disk_paths` and `nic_fds` in the order of the spec's disks and NICs. The arguments up to -S
// equal Ganeti's, but that sockets are written server=on,wait=off (QEMU's present form); after them
// come our own: -runas and -sandbox. Refuses by name what is not built yet.
Result<std::vector<std::string>> kvm_command_line(rpc::InstanceSpec const& spec,
                                                  std::vector<std::string> const& disk_paths,
                                                  std::vector<KvmNicFds> const& nic_fds,
                                                  KvmFiles const& files, KvmMachine const& machine);

// The program that is started: kvm_path, or QEMU itself where that is the default and can't work.
std::string kvm_binary(boost::json::object const& hvparams, KvmMachine const& machine);

// Whether an image is on a server and no file.
bool kvm_is_url(std::string_view image);

// Where VNC listens when vnc_bind_address is a directory.
std::string kvm_vnc_socket(std::string_view directory, std::string_view name);

// "disk-932df160-7a22-4067": the first three groups of the UUID, as runtime files and hotplug
// expect.
std::string kvm_device_id(std::string_view kind, std::string_view uuid);

}  // namespace flotte::node
