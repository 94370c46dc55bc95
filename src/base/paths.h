// Where everything lives: Ganeti's directories (docs/ganeti.md, "Daemons and files") under one
// prefix, empty on a real installation. FLOTTE_ROOT or --root sets the prefix, so that many
// clusters can live on one machine. Values; use from any thread.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace flotte {

// A name that may become a part of a path: it is neither hidden nor leads elsewhere.
constexpr bool is_path_component(std::string_view name) {
  return !name.empty() && name.front() != '.' && name.find('/') == std::string_view::npos &&
         name.find('\0') == std::string_view::npos;
}

class Paths {
 public:
  Paths() = default;
  explicit Paths(std::string root) : root_(std::move(root)) {}
  // The prefix from the environment variable FLOTTE_ROOT; empty when it is not set.
  static Paths from_environment();

  std::string const& root() const { return root_; }

  std::string etc() const { return root_ + "/etc/ganeti"; }
  std::string lib() const { return root_ + "/var/lib/ganeti"; }
  std::string run() const { return root_ + "/var/run/ganeti"; }
  std::string logs() const { return root_ + "/var/log/ganeti"; }
  std::string srv() const { return root_ + "/srv/ganeti"; }

  // The controller's own state: the store.
  std::string controller() const { return lib() + "/controller"; }
  std::string store() const { return controller() + "/store.sqlite"; }
  // Below run() and logs() only root writes, but for these two directories, which are the
  // controller's own: who may write beside root's files could put links in their places.
  std::string controller_run() const { return run() + "/controller"; }
  std::string controller_sockets() const { return run() + "/socket"; }
  // The commands speak HTTP over this socket; mode 0660, group gnt-admin where it exists.
  std::string controller_socket() const { return controller_sockets() + "/flotte-controller"; }
  // Root's local door to the node daemon: cluster init, destroy and renew-crypto. Mode 0600.
  std::string node_socket() const { return run() + "/flotte-node"; }
  // The process number of a daemon, which holds a lock on it.
  std::string daemon_pid_file(std::string_view daemon) const;
  // Made by root, as a file of the controller's user.
  std::string controller_log() const { return logs() + "/flotte-controllerd.log"; }
  // The TCP port of the node daemon where it is not the standard one, written when it starts.
  std::string node_port_file() const { return run() + "/flotte-noded.port"; }

  // Of the node daemon: server certificate with key (root only) and the cluster's certificate
  // authority.
  std::string node_certificate() const { return lib() + "/node.pem"; }
  std::string cluster_ca() const { return lib() + "/ca.pem"; }
  // Of the controller: its client certificate with key (user flotte only).
  std::string controller_certificate() const { return controller() + "/client.pem"; }

  // Exports of instances, a directory each.
  std::string exports() const { return lib() + "/export"; }

  // Shared with clusters with which instances are exchanged (root only).
  std::string domain_secret() const { return lib() + "/cluster-domain-secret"; }
  std::string hmac_key() const { return lib() + "/hmac.key"; }

  // Of the remote API: certificate with key (user flotte only), and who may ask.
  std::string rapi_certificate() const { return lib() + "/rapi.pem"; }
  std::string rapi_users_file() const { return lib() + "/rapi/users"; }

  std::string kvm() const { return run() + "/kvm-hypervisor"; }
  // A socket of a guest's QEMU: monitor, qmp, kvmd, serial, qga. Where the usual path is too long
  // for a socket it is a hash of the name.
  std::string kvm_socket(std::string_view instance, std::string_view suffix) const;
  // The process number of a guest's QEMU.
  std::string kvm_pid_file(std::string_view instance) const;
  // What a guest said last on its serial line; of root alone, and bounded by the node daemon.
  std::string console_log(std::string_view instance) const;
  std::string instance_disks() const { return run() + "/instance-disks"; }
  // Who runs a script of an OS definition now, a file an instance.
  // Keys of disks that are sent to other clusters.
  std::string transfer_keys() const { return run() + "/crypto"; }
  std::string os_sessions() const { return run() + "/os-sessions"; }
  // The same of hooks.
  std::string hook_sessions() const { return run() + "/hook-sessions"; }
  // The same of programs that are asked whether they would take a command line.
  std::string trial_sessions() const { return run() + "/trial-sessions"; }
  std::string hooks() const { return etc() + "/hooks"; }
  std::string os_logs() const { return logs() + "/os"; }
  std::string commands_log() const { return logs() + "/commands.log"; }
  std::string file_storage_paths_file() const { return etc() + "/file-storage-paths"; }
  // Programs that root may run beside those which are allowed anyway.
  std::string allowed_programs_file() const { return etc() + "/allowed-programs"; }

 private:
  std::string root_;
};

constexpr std::string_view flotte_user = "flotte";
constexpr int noded_port_default = 1811;

}  // namespace flotte
