// Nics: connects a guest's taps to the node's network and undoes what outlives a tap
// (docs/ganeti.md, "NICs and VLANs").
//
// Used by node/hypervisor, and by the daemon to tell beforehand. Who set up a script of their own
// is obeyed: /etc/ganeti/network/<mode>/{up,down}, else Ganeti's older kvm-vif-bridge (up) and
// kvm-ifdown-custom (down) in /etc/ganeti; else it is done here, and `ext` is nothing without a
// script. What a NIC may send (antispoof) is settled before it is connected, by whomever.
// Thread-safe.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/paths.h"
#include "node/network/antispoof.h"
#include "rpc/node_calls.h"
#include "sys/process.h"

namespace flotte::node {

// The descriptors that QEMU inherits; closed with this. A tap goes with its last descriptor.
class OpenTap {
 public:
  OpenTap(std::string name, std::vector<int> taps)
      : name_(std::move(name)), taps_(std::move(taps)) {}
  OpenTap(OpenTap&& other) noexcept
      : name_(std::move(other.name_)),
        taps_(std::exchange(other.taps_, {})),
        vhosts_(std::exchange(other.vhosts_, {})) {}
  OpenTap& operator=(OpenTap&&) = delete;
  ~OpenTap();

  void add_vhost(int fd) { vhosts_.push_back(fd); }
  std::string const& name() const { return name_; }
  std::vector<int> const& taps() const { return taps_; }
  std::vector<int> const& vhosts() const { return vhosts_; }

 private:
  std::string name_;
  std::vector<int> taps_;
  std::vector<int> vhosts_;
};

class Nics {
 public:
  Nics(Paths paths, sys::Processes& processes)
      : paths_(std::move(paths)), processes_(processes), antispoof_(processes) {}

  // Whether such a NIC could be connected: all that can be known without doing it.
  Result<void> check(rpc::NicSpec const& nic) const;

  // Makes the tap of one NIC, which goes with its last descriptor.
  Result<OpenTap> open(rpc::InstanceSpec const& spec, std::size_t index);
  // Connects it. What it leaves outside of the tap is down()'s to undo, also when this fails.
  Result<void> up(rpc::InstanceSpec const& spec, std::size_t index, std::string const& tap);
  // Takes a tap from where it is to where `to` says; what fails on the way out is logged.
  Result<void> reconnect(rpc::InstanceSpec const& from, rpc::InstanceSpec const& to,
                         std::size_t index, std::string const& tap);
  // For a tap that is gone or goes now. Best effort: what fails is logged.
  void down(rpc::InstanceSpec const& spec, std::size_t index, std::string const& tap);

  // Somebody took the rules of this connected NIC away (`nft flush ruleset`).
  bool lacks_filter(rpc::NicSpec const& nic, std::string const& tap) const;
  // Puts them back.
  void keep_filter(rpc::InstanceSpec const& spec, std::size_t index, std::string const& tap) const;

 private:
  Result<void> filter(rpc::InstanceSpec const& spec, std::size_t index,
                      std::string const& tap) const;
  Result<void> bridge(rpc::NicSpec const& nic, std::string const& tap);
  Result<void> route(rpc::NicSpec const& nic, std::string const& tap);
  Result<void> run_script(std::string const& path, rpc::InstanceSpec const& spec, std::size_t index,
                          std::string const& tap, std::string_view action);
  std::string script(std::string_view mode, std::string_view action) const;

  Paths paths_;
  sys::Processes& processes_;
  Antispoof antispoof_;
};

// The whole environment of a NIC script. `action` is "up" or "down".
std::map<std::string, std::string> nic_environment(rpc::InstanceSpec const& spec, std::size_t index,
                                                   std::string const& tap, std::string_view action);

}  // namespace flotte::node
