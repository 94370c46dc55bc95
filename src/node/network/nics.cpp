#include "node/network/nics.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstring>

#include "base/log.h"
#include "base/lookup.h"
#include "model/params.h"
#include "node/network/bridge_vlans.h"
#include "node/network/open_vswitch.h"
#include "node/programs/allowed_programs.h"
#include "sys/files.h"
#include "sys/network.h"

namespace flotte::node {
namespace {

using model::is_true;
using model::number_of;
using model::text_of;
using namespace std::chrono_literals;

constexpr auto script_timeout = 60s;
constexpr auto ip_timeout = 10s;

Result<model::Vlans> vlans_of(rpc::NicSpec const& nic) {
  return model::parse_vlans(text_of(nic.params, "vlan"));
}

Result<void> check_bridge(std::string const& bridge) {
  if (sys::is_bridge(bridge)) return {};
  return fail(ErrorCode::EnvironmentError,
              "Missing bridges {}; create it there (ip link add {} type bridge) or choose another "
              "link",
              bridge, bridge);
}

// One of the kernel's switches of an interface. The file is there already or the kernel lacks it.
Result<void> set_kernel_switch(std::string_view family, std::string const& tap,
                               std::string_view name) {
  return sys::write_in_place(fmt::format("/proc/sys/net/{}/conf/{}/{}", family, tap, name), "1\n");
}

bool is_executable(std::string const& path) {
  return ::access(path.c_str(), X_OK) == 0;
}

}  // namespace

OpenTap::~OpenTap() {
  for (int const fd : taps_) ::close(fd);
  for (int const fd : vhosts_) ::close(fd);
}

Result<void> Nics::check(rpc::NicSpec const& nic) const {
  auto const mode = text_of(nic.params, "mode");
  auto const link = text_of(nic.params, "link");
  auto const vlans = TRY(vlans_of(nic));
  if (is_true(nic.params, "antispoof")) TRY(Antispoof::check());
  if (mode == "bridged") TRY(check_bridge(link));
  if (!script(mode, "up").empty()) return {};
  if (mode == "bridged") return vlans.is_empty() ? Result<void>() : check_bridge_vlans(link, vlans);
  if (mode == "openvswitch") return check_open_vswitch(processes_, link);
  if (mode == "ext") {
    return fail(ErrorCode::EnvironmentError,
                "No up script for network type ext found on this node: make {}/network/ext/up, or "
                "choose another mode",
                paths_.etc());
  }
  if (mode != "routed") return fail(ErrorCode::WrongInput, "There are no NICs of mode '{}'", mode);
  if (!nic.nic.ip && nic.network.empty()) {
    return fail(ErrorCode::WrongInput, "A routed NIC needs an IP address");
  }
  return {};
}

Result<OpenTap> Nics::open(rpc::InstanceSpec const& spec, std::size_t index) {
  TRY(check(known_at(spec.nics, index)));
  if (number_of(spec.hvparams, "virtio_net_queues") > 1) {
    return fail(ErrorCode::WrongInput,
                "Hypervisor parameter 'virtio_net_queues' above 1 is not built yet");
  }
  auto const is_virtio = text_of(spec.hvparams, "nic_type") == "paravirtual";
  auto made = TRY(sys::make_tap(is_virtio && is_true(spec.hvparams, "vnet_hdr")));
  OpenTap tap(made.name, {made.fd});
  if (is_virtio && is_true(spec.hvparams, "vhost_net")) {
    int const fd = ::open("/dev/vhost-net", O_RDWR | O_CLOEXEC);
    if (fd < 0) {
      return fail(ErrorCode::EnvironmentError,
                  "vhost_net is wished, but /dev/vhost-net can't be opened ({}); load the module "
                  "vhost_net or set vhost_net=false",
                  std::strerror(errno));
    }
    tap.add_vhost(fd);
  }
  return tap;
}

Result<void> Nics::up(rpc::InstanceSpec const& spec, std::size_t index, std::string const& tap) {
  auto const& nic = known_at(spec.nics, index);
  auto const mode = text_of(nic.params, "mode");
  TRY(filter(spec, index, tap));
  // The switch would take the tap of this name that it had last.
  if (mode != "openvswitch" && has_open_vswitch()) {
    TRY(remove_open_vswitch_port(processes_, tap));
  }
  if (mode == "bridged") TRY(check_bridge(text_of(nic.params, "link")));
  if (auto const path = script(mode, "up"); !path.empty()) {
    return run_script(path, spec, index, tap, "up");
  }
  if (mode == "bridged") return bridge(nic, tap);
  if (mode == "routed") return route(nic, tap);
  if (mode != "openvswitch") return check(nic);
  TRY(add_open_vswitch_port(processes_, text_of(nic.params, "link"), tap, TRY(vlans_of(nic))));
  return sys::set_up(tap);
}

void Nics::down(rpc::InstanceSpec const& spec, std::size_t index, std::string const& tap) {
  auto const& nic = known_at(spec.nics, index);
  auto const mode = text_of(nic.params, "mode");
  Result<void> done;
  if (auto const path = script(mode, "down"); !path.empty()) {
    done = run_script(path, spec, index, tap, "down");
  } else if (auto const table = text_of(nic.params, "link"); mode == "routed" && !table.empty()) {
    // Routes go with the tap, the rule doesn't.
    auto const deleted = sys::run_checked(
        processes_,
        {.argv = {"ip", "rule", "del", "iif", tap, "table", table}, .timeout = ip_timeout});
    if (!deleted) done = Failure(deleted.error());
  } else if (mode == "openvswitch") {
    done = remove_open_vswitch_port(processes_, tap);
  }
  auto const removed = antispoof_.remove(tap);
  if (!done) log::warning("NIC {} of {}: {}", index, spec.name, done.error().message);
  if (!removed) log::warning("NIC {} of {}: {}", index, spec.name, removed.error().message);
}

Result<void> Nics::reconnect(rpc::InstanceSpec const& from, rpc::InstanceSpec const& to,
                             std::size_t index, std::string const& tap) {
  TRY(check(known_at(to.nics, index)));
  auto const leave = [&](std::vector<std::string> words) {
    auto const left =
        sys::run_checked(processes_, {.argv = std::move(words), .timeout = ip_timeout});
    if (!left) log::warning("NIC {} of {}: {}", index, from.name, left.error().message);
  };
  // What the guest sends from here on goes nowhere, until it is up again.
  leave({"ip", "link", "set", tap, "down"});
  down(from, index, tap);
  leave({"ip", "link", "set", tap, "nomaster"});
  leave({"ip", "-4", "route", "flush", "dev", tap, "proto", "static"});
  leave({"ip", "-6", "route", "flush", "dev", tap, "proto", "static"});
  return up(to, index, tap);
}

bool Nics::lacks_filter(rpc::NicSpec const& nic, std::string const& tap) const {
  return is_true(nic.params, "antispoof") && !tap.empty() && !antispoof_.is_in_place(nic, tap);
}

void Nics::keep_filter(rpc::InstanceSpec const& spec, std::size_t index,
                       std::string const& tap) const {
  if (!lacks_filter(known_at(spec.nics, index), tap)) return;
  auto const put = filter(spec, index, tap);
  if (put) {
    log::warning("NIC {} of {}: its anti-spoofing rules were gone, and are back", index, spec.name);
  } else {
    log::warning("NIC {} of {}: its anti-spoofing rules are gone: {}", index, spec.name,
                 put.error().message);
  }
}

// Of a NIC that needs none there may be some: the last tap of this name had them.
Result<void> Nics::filter(rpc::InstanceSpec const& spec, std::size_t index,
                          std::string const& tap) const {
  auto const& nic = known_at(spec.nics, index);
  if (!is_true(nic.params, "antispoof")) return antispoof_.remove(tap);
  return antispoof_.put(nic, tap, fmt::format("NIC {} of {}", index, spec.name));
}

Result<void> Nics::bridge(rpc::NicSpec const& nic, std::string const& tap) {
  auto const link = text_of(nic.params, "link");
  auto const vlans = TRY(vlans_of(nic));
  TRY(sys::attach_to_bridge(tap, link));
  if (!vlans.is_empty()) {
    TRY(check_bridge_vlans(link, vlans));
    TRY(set_bridge_vlans(processes_, link, tap, vlans));
  }
  return sys::set_up(tap);
}

// The guest's address leads to the tap, and the node answers ARP for the rest of the world.
Result<void> Nics::route(rpc::NicSpec const& nic, std::string const& tap) {
  // Of one in a network whoever else routes knows it.
  if (!nic.nic.ip) return sys::set_up(tap);
  auto const& address = *nic.nic.ip;
  auto const is_v6 = address.find(':') != std::string::npos;
  auto const family = std::string_view(is_v6 ? "ipv6" : "ipv4");
  TRY(sys::set_up(tap));
  TRY(set_kernel_switch(family, tap, is_v6 ? "proxy_ndp" : "proxy_arp"));
  TRY(set_kernel_switch(family, tap, "forwarding"));
  std::vector<std::string> add{
      "ip", is_v6 ? "-6" : "-4", "route", "replace", address, "dev", tap, "proto", "static"};
  if (auto const table = text_of(nic.params, "link"); !table.empty()) {
    add.insert(add.end(), {"table", table});
    TRY(sys::run_checked(
        processes_, {.argv = {"ip", is_v6 ? "-6" : "-4", "rule", "add", "iif", tap, "table", table},
                     .timeout = ip_timeout}));
  }
  TRY(sys::run_checked(processes_, {.argv = std::move(add), .timeout = ip_timeout}));
  return {};
}

// Ganeti's words, and whose fault it is.
Result<void> Nics::run_script(std::string const& path, rpc::InstanceSpec const& spec,
                              std::size_t index, std::string const& tap, std::string_view action) {
  TRY(require_trusted(path));
  auto const finished =
      TRY(processes_.run({.argv = {path},
                          .environment = nic_environment(spec, index, tap, action),
                          .timeout = script_timeout}));
  if (finished.is_success()) return {};
  auto said = finished.output + finished.errors;
  while (said.ends_with('\n')) said.pop_back();
  return fail(ErrorCode::EnvironmentError,
              "Failed to configure interface {}: {} {}; network configuration script output: {}",
              tap, path,
              finished.timed_out ? fmt::format("did not end within {} s", script_timeout.count())
                                 : fmt::format("exited with exit code {}", finished.exit_status),
              said);
}

// Empty: there is none, it is done here.
std::string Nics::script(std::string_view mode, std::string_view action) const {
  auto const of_mode = fmt::format("{}/network/{}/{}", paths_.etc(), mode, action);
  if (is_executable(of_mode)) return of_mode;
  // Newer than Ganeti's older scripts, which know nothing of it.
  if (mode == "ext") return "";
  auto const old =
      fmt::format("{}/{}", paths_.etc(), action == "up" ? "kvm-vif-bridge" : "kvm-ifdown-custom");
  return is_executable(old) ? old : "";
}

std::map<std::string, std::string> nic_environment(rpc::InstanceSpec const& spec, std::size_t index,
                                                   std::string const& tap,
                                                   std::string_view action) {
  auto const& nic = known_at(spec.nics, index);
  auto const mode = text_of(nic.params, "mode");
  std::map<std::string, std::string> env{{"PATH", "/sbin:/bin:/usr/sbin:/usr/bin"},
                                         {"INSTANCE", spec.name},
                                         {"MAC", nic.nic.mac},
                                         {"MODE", mode},
                                         {"INTERFACE", tap},
                                         {"INTERFACE_INDEX", std::to_string(index)},
                                         {"INTERFACE_UUID", nic.nic.uuid.text()},
                                         {"TAGS", fmt::format("{}", fmt::join(spec.tags, " "))},
                                         {"ACTION", std::string(action)}};
  if (nic.nic.ip) env["IP"] = *nic.nic.ip;
  if (nic.nic.name) env["INTERFACE_NAME"] = *nic.nic.name;
  if (nic.params.contains("vlan")) env["VLAN"] = text_of(nic.params, "vlan");
  if (auto const link = text_of(nic.params, "link"); !link.empty()) {
    env["LINK"] = link;
    if (mode == "bridged") env["BRIDGE"] = link;
  }
  for (auto const& [name, value] : nic.network) env[name] = model::python_text(value);
  return env;
}

}  // namespace flotte::node
